package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
)

// parseJUnit reads a report as CI systems do: any element, by its name.
func parseJUnit(t *testing.T, v verdict.Verdict) junitSuites {
	t.Helper()
	var b bytes.Buffer
	if err := WriteJUnit(&b, v); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, &b)
		}
	}
	var s junitSuites
	if err := xml.Unmarshal(b.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJUnitOutcomes(t *testing.T) {
	h := killed()
	for _, c := range []struct {
		v                       verdict.Verdict
		tests, failures, errors int
	}{
		{judged(h, verdict.Pass), 3, 0, 0},
		{judged(h, verdict.Fail), 4, 2, 0},
		{judged(h, verdict.Inconclusive), 4, 0, 2},
		// A verdict is told even where no finding tells it.
		{verdict.Verdict{Scenario: "s", Outcome: verdict.Fail}, 1, 1, 0},
		{verdict.Verdict{Scenario: "s"}, 1, 0, 1},
		{verdict.Verdict{Scenario: "s", Outcome: 9}, 1, 0, 1},
		{verdict.Verdict{Scenario: "s", Outcome: verdict.Pass, Findings: []verdict.Finding{{Check: "a", Outcome: 9}}}, 2, 0, 1},
	} {
		s := parseJUnit(t, c.v)
		if s.Tests != c.tests || s.Failures != c.failures || s.Errors != c.errors {
			t.Errorf("%s: %d tests, %d failures, %d errors; want %d, %d, %d", headline(c.v), s.Tests, s.Failures, s.Errors, c.tests, c.failures, c.errors)
		}
		if len(s.Suites) != 1 || len(s.Suites[0].Cases) != c.tests || s.Suites[0].Failures != c.failures || s.Suites[0].Errors != c.errors {
			t.Errorf("%s: suites %+v", headline(c.v), s.Suites)
		}
	}
}

// A check with several findings is one test case, as bad as its worst finding,
// with the text of all.
func TestJUnitGroupsByCheck(t *testing.T) {
	s := parseJUnit(t, verdict.Verdict{Scenario: "s", Outcome: verdict.Fail, Findings: []verdict.Finding{
		{Check: "nesting", Outcome: verdict.Pass, Summary: "first"},
		{Check: "identity", Outcome: verdict.Pass, Summary: "second"},
		{Check: "nesting", Outcome: verdict.Inconclusive, Summary: "third"},
		{Check: "nesting", Outcome: verdict.Fail, Summary: "fourth", Instance: "web-2", From: 3, To: 4, Cause: "lost-on-exit"},
		{Check: "nesting", Outcome: verdict.Fail, Summary: "fifth"},
	}})
	c := s.Suites[0].Cases[0]
	if c.Name != "nesting" || c.Failure == nil || c.Error != nil || c.Failure.Message != "fourth (and 1 more finding)" {
		t.Fatalf("case %+v, failure %+v", c, c.Failure)
	}
	want := "fail: web-2, 3.0–4.0 s: fourth; likely cause: lost-on-exit\nfail: whole run: fifth\ninconclusive: whole run: third\npass: whole run: first"
	if c.Failure.Text != want {
		t.Errorf("text\n%s\nwant\n%s", c.Failure.Text, want)
	}
	if c := s.Suites[0].Cases[1]; c.Name != "identity" || c.Failure != nil || c.Error != nil || c.Output != "pass: whole run: second" {
		t.Errorf("case %+v", c)
	}
}

// One report of several scenarios has a suite for each, with a case for each check and instance; none is missing.
func TestJUnitOfSeveral(t *testing.T) {
	failed := verdict.Verdict{Scenario: "one", Outcome: verdict.Fail, Seconds: 1.5, Findings: []verdict.Finding{
		{Check: "conservation", Outcome: verdict.Pass, Summary: "first", Instance: "web-1"},
		{Check: "conservation", Outcome: verdict.Fail, Summary: "second", Instance: "web-2"},
		{Check: "conservation", Outcome: verdict.Inconclusive, Summary: "third"},
		{Check: "noticed", Outcome: verdict.Pass, Summary: "fourth", Instance: "web-2", Noticed: true},
	}}
	var b bytes.Buffer
	if err := WriteJUnitOf(&b, []Result{{Scenario: "one", Verdict: &failed}, {Scenario: "two", Unrun: "no haproxy\nat all"}, {Scenario: "three", Verdict: &verdict.Verdict{Scenario: "three", Outcome: verdict.Pass, Seconds: 2}}}); err != nil {
		t.Fatal(err)
	}
	var s junitSuites
	if err := xml.Unmarshal(b.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, suite := range s.Suites {
		for _, c := range suite.Cases {
			line := suite.Name + "/" + c.Name + ": "
			switch {
			case c.Failure != nil:
				line += "fail: " + c.Failure.Message
			case c.Error != nil:
				line += "error: " + c.Error.Message
			default:
				line += "pass"
			}
			got = append(got, line)
		}
	}
	want := []string{"one/conservation of web-1: pass", "one/conservation of web-2: fail: second", "one/conservation: error: third", "one/noticed: pass", "one/verdict: fail: " + headline(failed),
		"two/run: error: could not be run: no haproxy", "three/verdict: pass"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s.Tests != 7 || s.Failures != 2 || s.Errors != 2 || s.Time != "3.500" {
		t.Errorf("%d tests, %d failures, %d errors, %s s", s.Tests, s.Failures, s.Errors, s.Time)
	}
}

func TestJUnitHostileText(t *testing.T) {
	hostile := "\x1b[2J</testcase>]]>&\x00\xff\"<b>"
	s := parseJUnit(t, verdict.Verdict{Scenario: hostile, Outcome: verdict.Fail, Findings: []verdict.Finding{
		{Check: hostile, Outcome: verdict.Fail, Summary: hostile, Instance: hostile, Layer: hostile, Cause: hostile}}})
	if n := len(s.Suites[0].Cases); n != 2 {
		t.Fatalf("%d cases, want 2", n)
	}
	if text := s.Suites[0].Cases[0].Failure.Text; !strings.Contains(text, "</testcase>]]>&") || strings.Contains(text, "\x1b") {
		t.Errorf("text %q", text)
	}
}
