package report

import (
	"fmt"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// explainedVerdict is a failure with two causes and a doubt: five findings of the first, from which
// two follow, and one of the second.
func explainedVerdict() verdict.Verdict {
	v := verdict.Verdict{Scenario: "s", Outcome: verdict.Fail, Title: "All 5 instances lose counts", Sentence: "5 of 100 inserts (5 %) were never counted. Flush.",
		Explanations: []verdict.Explanation{
			{Cause: "lost-on-exit", Title: "All 5 instances lose counts", Sentence: "5 of 100 inserts (5 %) were never counted.", Repair: "Flush.", Findings: []int{0, 1, 2, 3, 4}, Consequences: []int{5, 6}},
			{Cause: "undecided", Title: "A gauge of web-1 drifts", Sentence: "It is at 3.", Repair: "Set it.", Findings: []int{7}, Consequences: []int{8}},
			{Title: "The load missed its schedule", Sentence: "It was late.", Repair: "Lower it.", Findings: []int{9}},
		}}
	for i := range 5 {
		v.Findings = append(v.Findings, verdict.Finding{Check: "conservation", Outcome: verdict.Fail, Instance: fmt.Sprintf("web-%d", i+1), Lost: 1, Cause: "lost-on-exit", Summary: fmt.Sprintf("own %d", i)})
	}
	for i, check := range []string{"conservation", "shutdown", "gauge", "continuity"} {
		v.Findings = append(v.Findings, verdict.Finding{Check: check, Outcome: verdict.Fail, Cause: "undecided", Possible: []string{"burst"}, Summary: fmt.Sprintf("further %d", i)})
	}
	v.Findings = append(v.Findings, verdict.Finding{Check: "harness", Summary: "it was late"}, verdict.Finding{Check: "hops", Outcome: verdict.Pass, Summary: "hops fine"})
	return v
}

// The text leads with outcome, title and sentence; of the first cause some findings are
// written, and what follows is folded, and told by number.
func TestTextLeadsWithTheSentence(t *testing.T) {
	got := written(t, record.History{}, explainedVerdict(), TextOptions{More: "throughline judge --all runs/x"})
	at := 0
	for _, want := range []string{"\nFAIL  All 5 instances lose counts\n  5 of 100 inserts (5 %) were never counted. Flush.\n", "own 0", "own 1", "own 2",
		"    and 2 more like it; 2 findings follow from it\n", "  FAIL  A gauge of web-1 drifts\n    It is at 3. Set it.\n    1 finding follows from it\n",
		"  INCONCLUSIVE  The load missed its schedule\n    It was late. Lower it.\n", "\nLedgers\n", "\nChecks\n", "hops fine",
		"\nFAIL s: all 5 instances lose counts\n", "throughline explain lost-on-exit undecided burst\n", "\n5 findings folded; to see all: throughline judge --all runs/x\n"} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("no %q behind character %d of\n%s", want, at, got)
		}
		at += i
	}
	for _, folded := range []string{"own 3", "further"} {
		if strings.Contains(got, folded) {
			t.Errorf("%q is not folded:\n%s", folded, got)
		}
	}
}

// With All nothing is folded, and what follows says so.
func TestTextShowsAll(t *testing.T) {
	got := written(t, record.History{}, explainedVerdict(), TextOptions{All: true, More: "throughline judge --all runs/x"})
	for _, want := range []string{"own 0", "own 3", "own 4", "  follows  conservation", "  follows  shutdown", "further 0", "further 3", "it was late"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "folded") || strings.Contains(got, "more like it") {
		t.Errorf("something is folded:\n%s", got)
	}
}

// Places that the list of findings does not have, and findings that no explanation has, are
// no reason to lose any.
func TestTextOfExplanationsThatDoNotFit(t *testing.T) {
	v := explainedVerdict()
	v.Explanations = []verdict.Explanation{{Title: "x", Findings: []int{-1, 99}, Consequences: []int{1 << 40}}}
	got := written(t, record.History{}, v, TextOptions{})
	for _, want := range []string{"own 0", "own 4", "further 3", "it was late"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if s := parseJUnit(t, v); s.Failures != 5 || s.Errors != 1 {
		t.Errorf("%d failures, %d errors", s.Failures, s.Errors)
	}
}

// Each failing check leads with what explains it, and the verdict with its title and sentence.
func TestJUnitLeadsWithTheSentence(t *testing.T) {
	want := map[string]string{
		"conservation": "All 5 instances lose counts. 5 of 100 inserts (5 %) were never counted. Flush.",
		"shutdown":     "It follows from another finding (all 5 instances lose counts): further 1",
		"gauge":        "A gauge of web-1 drifts. It is at 3. Set it.",
		"continuity":   "It follows from another finding (a gauge of web-1 drifts): further 3",
		"harness":      "It was late. Lower it.",
		"verdict":      "All 5 instances lose counts. 5 of 100 inserts (5 %) were never counted. Flush.",
	}
	for _, c := range parseJUnit(t, explainedVerdict()).Suites[0].Cases {
		result := c.Failure
		if result == nil {
			result = c.Error
		}
		if result == nil {
			if want[c.Name] != "" {
				t.Errorf("%s passes", c.Name)
			}
			continue
		}
		if result.Message != want[c.Name] {
			t.Errorf("%s: %q, want %q", c.Name, result.Message, want[c.Name])
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("no case for %v", want)
	}
}

// A line for each of several scenarios, which fits, whatever their names.
func TestSummary(t *testing.T) {
	v := explainedVerdict()
	proves := verdict.Verdict{Title: "This run proves nothing: it was cut short"}
	all := []Result{{Scenario: "rolling-deploy", Verdict: &v}, {Scenario: "quiet", Verdict: &proves},
		{Scenario: "a\x1b[2J\nPASS" + strings.Repeat("long", 30), Unrun: "an image is missing\nand more"}}
	for _, columns := range []int{60, 80, 200} {
		var plain, colored strings.Builder
		for b, color := range map[*strings.Builder]bool{&plain: false, &colored: true} {
			if err := WriteSummary(b, all, TextOptions{Width: columns, Color: color}); err != nil {
				t.Fatal(err)
			}
		}
		if ansi.ReplaceAllString(colored.String(), "") != plain.String() || colored.String() == plain.String() {
			t.Errorf("colors are more than colors:\n%s", colored.String())
		}
		lines := strings.Split(strings.Trim(plain.String(), "\n"), "\n")
		if len(lines) != 3 || strings.Contains(plain.String(), "\x1b") {
			t.Fatalf("%d lines: %q", len(lines), lines)
		}
		for _, line := range lines {
			if width(line) > columns {
				t.Errorf("%d of %d columns: %s", width(line), columns, line)
			}
		}
		if !strings.HasPrefix(lines[0], "FAIL          rolling-deploy ") || !strings.HasPrefix(lines[1], "INCONCLUSIVE  quiet ") || !strings.HasPrefix(lines[2], "NOT RUN       a") {
			t.Errorf("%q", lines)
		}
	}
}
