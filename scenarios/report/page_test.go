package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// Findings stand under their causes: as the verdict explains them, and what it does not
// explain by their own causes, and checks. None is told twice, and none is left out.
func TestFindingsByCause(t *testing.T) {
	v := verdict.Verdict{Outcome: verdict.Fail, Findings: []verdict.Finding{
		0: {Check: "continuity", Outcome: verdict.Fail, Cause: "lost-on-exit", From: 1.25, To: 2.5, Instance: "web-1", Layer: "web"},
		1: {Check: "conservation", Outcome: verdict.Fail, Cause: "lost-on-exit", Lost: 41},
		2: {Check: "correlation", Outcome: verdict.Fail},
		3: {Check: "audit", Outcome: verdict.Fail, Cause: "lost-writes"},
		4: {Check: "harness", Outcome: verdict.Inconclusive},
		5: {Check: "record", Outcome: verdict.Pass},
		6: {Check: "noticed", Outcome: verdict.Pass, Noticed: true},
		7: {Check: "audit", Outcome: verdict.Fail, Cause: "lost-writes"},
	}, Explanations: []verdict.Explanation{{Cause: "lost-on-exit", Title: "it loses its last counts", Repair: "flush", Findings: []int{1, 0, 99}, Consequences: []int{2}}}}
	told := newFindings(v)
	var got []string
	for _, c := range told.Causes {
		var of, after []string
		for _, f := range c.Findings {
			of = append(of, f.ID)
		}
		for _, f := range c.Consequences {
			after = append(after, f.ID)
		}
		got = append(got, fmt.Sprintf("%s %s: %v, then %v, diagnosed %v", c.Outcome, c.Title, of, after, c.Diagnosis != ""))
	}
	want := []string{
		"fail it loses its last counts: [finding-2 finding-1], then [finding-3], diagnosed true",
		"fail lost-writes: [finding-4 finding-8], then [], diagnosed true",
		"inconclusive harness: [finding-5], then [], diagnosed false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(told.Passed) != 1 || len(told.Noticed) != 1 || told.Looked != "1 finding passes" {
		t.Errorf("passed %+v, noticed %+v, %q", told.Passed, told.Noticed, told.Looked)
	}
	page := pageOf(t, killed(), v)
	for _, want := range []string{`<a class="span" href="#t=1.2,2.5">`, `<i id="t=1.2,2.5"></i>`, `id="finding-1"`, "<strong>Repair:</strong> flush"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

// Every diagnosis is whole as HTML: nothing of it is left out because it looks like a tag.
func TestDiagnosesAsHTML(t *testing.T) {
	for _, d := range docs.Diagnoses() {
		html := string(markdown(d.Markdown))
		if strings.Contains(html, "raw HTML omitted") || strings.Contains(html, "](") {
			t.Errorf("%s: %s", d.Cause, html)
		}
	}
	if got := string(markdown("a <script>alert(1)</script> [b](javascript:alert(2))")); strings.Contains(got, "<script") || strings.Contains(got, "javascript:") {
		t.Errorf("what is no text came through: %s", got)
	}
}

// The lines of the scenario that asked for what failed are marked, and no others.
func TestFailedLines(t *testing.T) {
	h := record.History{Scenario: []byte("scenario: x\nphases:\n  - {continuity: no}\nchecks:\n  - continuity: {metric: a}\n  - conservation: {metric: a}\n  - audit: {}\nwaive:\n  - {check: continuity}\n")}
	v := verdict.Verdict{Findings: []verdict.Finding{{Check: "continuity", Outcome: verdict.Fail}, {Check: "continuity", Outcome: verdict.Pass}, {Check: "audit", Outcome: verdict.Pass}}}
	failed := func() (lines []int) {
		for _, l := range newSource(h, v).(sourceView).Lines {
			if l.Failed {
				lines = append(lines, l.Number)
			}
		}
		return lines
	}
	if diff := cmp.Diff([]int{5}, failed()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	v.ChecksFrom = "others.yaml" // then it is not this file that asked
	if lines := failed(); lines != nil {
		t.Errorf("lines %v are marked by the checks of another file", lines)
	}
}

// The four numbers say how each layer differs from the users, and whether that is
// accounted for.
func TestNumbers(t *testing.T) {
	h := killed()
	h.Executions = []record.Execution{}
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Outcome == record.Acked {
			h.Executions = append(h.Executions, record.Execution{Seq: r.Seq, Status: 200, Answered: true})
		}
	}
	for _, c := range []struct {
		outcome    verdict.Outcome
		class, why string
	}{{verdict.Fail, "bad", "unexplained"}, {verdict.Pass, "open", "explained"}} {
		v := judged(h, c.outcome)
		n := endedNumbers(h, v)
		if len(n) != 4 {
			t.Fatalf("%d numbers: %+v", len(n), n)
		}
		for _, k := range []int{1, 3} {
			if n[k].Number != n[0].Number || n[k].Diff != "= users" || n[k].Class != "good" {
				t.Errorf("%+v, want what users have, %s", n[k], n[0].Number)
			}
		}
		if lost := v.Ledgers.Users.RouteAcked - v.Ledgers.Web.Counted; lost < 1 || n[2].Diff != fmt.Sprintf("−%d", lost) || n[2].Class != c.class || n[2].Why != c.why {
			t.Errorf("%v: %+v, want −%d, %s, %s", c.outcome, n[2], lost, c.class, c.why)
		}
	}
}

// A row of zeros says nothing on a page; a number that differs has the difference.
func TestPageRows(t *testing.T) {
	got := pageRows([]ledgerRow{{Name: "all routes", Head: true}, {Name: "retries", Cells: []string{"", "0", ""}}, {Name: "acked (2xx)", Cells: []string{"1,000", "1,001", "", "950"}},
		{Name: "documents", Cells: []string{"", "", "", "12"}}, {Name: "acked, counted, added", Cells: []string{"5", "", "5", "not read"}}})
	want := []ledgerRow{{Name: "all routes", Head: true}, {Name: "acked (2xx)", Cells: []string{"1,000", "1,001 (+1)", "", "950 (−50)"}}, {Name: "documents", Cells: []string{"", "", "", "12"}},
		{Name: "acked, counted, added", Cells: []string{"5", "", "5", "not read"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ledgerRow{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A long journal is cut, and says so.
func TestLongJournal(t *testing.T) {
	events := make([]record.Event, mostMoves+7)
	if j := newJournal(events, nil); len(j.Moves) != mostMoves || j.More != 7 {
		t.Errorf("%d moves, %d more", len(j.Moves), j.More)
	}
}

// What is going on is said in a line; what nobody counts is not said to be owed.
func TestRunningSays(t *testing.T) {
	h := killed()
	counted := picture.Of(h, picture.Counts{Metric: "fullstack.insert", Route: "insert"}).Now()
	for _, c := range []struct {
		s    picture.Snapshot
		head Head
		want string
	}{
		{counted, Head{Scenario: "s", Phase: "one <dies>", PhaseIndex: 1, Phases: 3, Left: 6 * second, Rate: 240.4, P99: 9 * ms, Acked: 9, Refused: 2, Unknown: 1200, Instances: []string{"web-1"}},
			"2/3 one &lt;dies&gt; · 6 s left · owed 5 · 240/s · p99 9.0 ms · 1 instance serving · 2 refused · 1,200 unknown"},
		{counted, Head{Scenario: "s", Phase: "p", Phases: 1, Left: -2 * second}, "1/1 p · its steps take 2 s longer · owed 5"},
		{picture.New(record.Run{}, picture.Counts{}).Now(), Head{Scenario: "s", State: "up", About: "three instances", Elapsed: 34 * second}, "three instances · for 34 s"},
	} {
		if got := string(c.head.sentence(c.s).Sentence); got != c.want {
			t.Errorf("it says\n%s\nwant\n%s", got, c.want)
		}
	}
	parts, err := Running(picture.New(record.Run{}, picture.Counts{}).Now(), Head{Scenario: "s", Error: "port <80> is taken"}).Parts()
	if err != nil || !strings.Contains(string(parts[0].HTML), "port &lt;80&gt; is taken") || strings.Contains(string(parts[2].HTML), "Owed") {
		t.Errorf("%v: %s", err, parts[0].HTML)
	}
}

// While it goes on, the numbers are those at the end of the last interval, and differ by
// what is owed then.
func TestRunningNumbers(t *testing.T) {
	h := killed()
	p := picture.New(h.Run, picture.Counts{Metric: "fullstack.insert", Route: "insert"})
	for _, r := range h.Requests {
		if r.Done < 5*second {
			p.Request(r)
		}
	}
	for i := range h.Series {
		for _, pt := range h.Series[i].Points {
			if pt.At < 5*second {
				p.Sample(pt.At, &collector.Sample{Name: h.Series[i].Name, Labels: h.Series[i].Labels, Meta: &h.Series[i].Meta, Value: pt.Value, Observed: pt.Observed})
			}
		}
	}
	s := p.Now()
	got := runningNumbers(s)
	owed := int64(s.Owed()[s.Whole-1])
	if len(got) != 4 || owed == 0 || got[2].Diff != strings.Replace(signed(-owed), "-", "−", 1) || got[2].Why != "not counted yet" {
		t.Errorf("owed %d; %+v", owed, got)
	}
}
