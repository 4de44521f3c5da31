package exam_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/exam"
)

// said is a verdict in which checks came to outcomes, as "check outcome"; lost is what no cause explains.
func said(outcome verdict.Outcome, lost int64, findings ...string) *verdict.Verdict {
	v := &verdict.Verdict{Outcome: outcome, Title: "the title", Cells: verdict.Cells{LookedAt: 2000, Missing: lost},
		LedgerEntries: []verdict.Ledger{{Layer: "users", Counts: map[string]int64{"acked": 99999}}, {Layer: "users", Route: "order", Counts: map[string]int64{"acked": 2000}},
			{Layer: "users", Route: "order", Instance: "web-1", Counts: map[string]int64{"acked": 2000}}}}
	if lost > 0 {
		v.Residuals = []verdict.Residual{{Between: "users→web", Instance: "web-1", Cause: "unexplained", Lost: lost}, {Between: "users→web", Cause: "client-buffer-at-sigkill", Lost: 500},
			{Between: "users→db", Cause: "unexplained", Lost: 700}}
	}
	for _, f := range findings {
		check, word, _ := strings.Cut(f, " ")
		of := verdict.Finding{Check: check, Summary: "because of " + check}
		if err := of.Outcome.UnmarshalText([]byte(word)); err != nil {
			panic(err)
		}
		v.Findings = append(v.Findings, of)
	}
	return v
}

func mark(t *testing.T, r exam.Report, property string) exam.Mark {
	t.Helper()
	at := slices.IndexFunc(r.Marks, func(m exam.Mark) bool { return m.Property == property })
	if at < 0 {
		t.Fatalf("no property %s in %v", property, r.Marks)
	}
	return r.Marks[at]
}

const pass, fail, open = verdict.Pass, verdict.Fail, verdict.Inconclusive

// Grades follow from what the verdicts say of a check, and from the amount.
func TestGrades(t *testing.T) {
	for what, c := range map[string]struct {
		runs    []*verdict.Verdict
		grade   exam.Grade
		outcome verdict.Outcome // of all
	}{
		"held":                          {[]*verdict.Verdict{said(pass, 0, "conservation pass"), said(pass, 0, "conservation pass", "gauge pass")}, exam.A, pass},
		"held where asked":              {[]*verdict.Verdict{said(pass, 0, "conservation pass"), said(pass, 0, "gauge pass")}, exam.A, pass},
		"one proves nothing of it":      {[]*verdict.Verdict{said(pass, 0, "conservation pass"), said(open, 0, "conservation inconclusive")}, exam.B, open},
		"one run is in doubt":           {[]*verdict.Verdict{said(pass, 0, "conservation pass"), said(open, 0, "conservation pass", "harness inconclusive")}, exam.B, open},
		"another check is in doubt":     {[]*verdict.Verdict{said(open, 0, "conservation pass", "correlation inconclusive")}, exam.A, open},
		"all prove nothing":             {[]*verdict.Verdict{said(open, 0, "conservation pass", "harness inconclusive")}, exam.Undecided, open},
		"nobody asked":                  {[]*verdict.Verdict{said(pass, 0, "gauge pass")}, exam.NotExamined, pass},
		"nothing was run":               {nil, exam.NotExamined, open},
		"one in 2,000":                  {[]*verdict.Verdict{said(fail, 1, "conservation fail", "conservation pass")}, exam.C, fail},
		"one in 1,000":                  {[]*verdict.Verdict{said(fail, 2, "conservation fail")}, exam.D, fail},
		"19 in 2,000":                   {[]*verdict.Verdict{said(fail, 19, "conservation fail")}, exam.D, fail},
		"one in 100":                    {[]*verdict.Verdict{said(fail, 20, "conservation fail")}, exam.F, fail},
		"it failed without an amount":   {[]*verdict.Verdict{said(fail, 0, "conservation fail")}, exam.F, fail},
		"one failure has no amount":     {[]*verdict.Verdict{said(fail, 1, "conservation fail"), said(fail, 0, "conservation fail")}, exam.F, fail},
		"a failure and a doubt":         {[]*verdict.Verdict{said(fail, 1, "conservation fail"), said(open, 0, "conservation inconclusive")}, exam.C, fail},
		"it failed in a void record":    {[]*verdict.Verdict{said(open, 5, "conservation fail", "record inconclusive")}, exam.Undecided, open},
		"it passes where others failed": {[]*verdict.Verdict{said(fail, 0, "conservation pass", "gauge fail")}, exam.A, fail},
	} {
		var runs []exam.Run
		for i, v := range c.runs {
			runs = append(runs, exam.Run{Name: string(rune('a' + i)), Verdict: v})
		}
		r := exam.Summarize("shop", runs, nil)
		if m := mark(t, r, "conservation"); m.Grade != c.grade || r.Outcome != c.outcome {
			t.Errorf("%s: %s and %v, want %s and %v: %+v", what, m.Grade, r.Outcome, c.grade, c.outcome, m)
		} else if m.Grade != exam.A && len(m.Because) == 0 {
			t.Errorf("%s: %s, and nobody knows why", what, m.Grade)
		}
	}
}

// What failed and is no property of its own has a grade all the same: no report is better than its runs.
func TestOthersAreGraded(t *testing.T) {
	r := exam.Summarize("shop", []exam.Run{{Name: "kill", Verdict: said(fail, 0, "conservation pass", "requests fail", "requests fail")}}, nil)
	if m := mark(t, r, "requests"); m.Grade != exam.F || len(r.Marks) != 9 {
		t.Errorf("%+v", r.Marks)
	}
}

// A run that could not be run leaves the whole open, and says nothing of any property.
func TestUnrun(t *testing.T) {
	r := exam.Summarize("shop", []exam.Run{{Name: "kill", Unrun: "no HAProxy"}, {Name: "steady", Verdict: said(pass, 0, "conservation pass")}}, nil)
	if m := mark(t, r, "conservation"); r.Outcome != open || m.Grade != exam.A || len(m.Passed) != 1 {
		t.Errorf("%v, %+v", r.Outcome, m)
	}
}

// Amounts are those of continuity's intervals, and of shutdown's findings.
func TestAmounts(t *testing.T) {
	v := said(fail, 4, "continuity fail", "shutdown fail", "shutdown fail", "shutdown pass")
	for i := range v.Findings {
		v.Findings[i].Lost = 3
	}
	r := exam.Summarize("shop", []exam.Run{{Name: "kill", Verdict: v}}, nil)
	if m := mark(t, r, "continuity"); m.Amount != 4 || m.Of != 2000 || m.Unit != "intervals" {
		t.Errorf("%+v", m)
	}
	if m := mark(t, r, "shutdown"); m.Amount != 6 || m.Of != 2000 || m.Unit != "requests" {
		t.Errorf("%+v", m)
	}
}

// docs/VALIDATE.md has each grade and each property.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/VALIDATE.md")
	if err != nil {
		t.Fatal(err)
	}
	var grades, properties []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-F?-])` \\|").FindAllStringSubmatch(string(page), -1) {
		grades = append(grades, m[1])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]{3,})` \\|").FindAllStringSubmatch(string(page), -1) {
		properties = append(properties, m[1])
	}
	if want := []string{"A", "B", "C", "D", "F", "?", "-"}; !slices.Equal(grades, want) {
		t.Errorf("the page has the grades %v, want %v", grades, want)
	}
	var want []string
	for _, m := range exam.Summarize("x", nil, nil).Marks {
		want = append(want, m.Property)
	}
	if !slices.Equal(properties, want) {
		t.Errorf("the page has the properties %v, want %v", properties, want)
	}
}
