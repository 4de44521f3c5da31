package exam

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Grade says how well a property holds. It follows from the verdicts alone: what failed, what proved nothing, and the
// amount that failed. docs/VALIDATE.md has the rules.
type Grade string

// The grades, best first; the last two are none.
const (
	A           Grade = "A" // it held in every run that asked
	B           Grade = "B" // it held wherever something was proved, and some runs proved nothing of it
	C           Grade = "C" // it failed, by less than one in 1,000
	D           Grade = "D" // it failed, by less than one in 100
	F           Grade = "F" // it failed, by more, or in a way that has no amount
	Undecided   Grade = "?" // it was asked, and no run proved anything of it
	NotExamined Grade = "-" // no run asked
)

// Below these shares of what was looked at, a failure is a C or a D.
const (
	shareOfC = 0.001
	shareOfD = 0.01
)

// property is something that an instrumentation has or lacks.
type property struct {
	name, check string
	meaning     string
	absent      string // why it is not examined where nothing promises it
}

// properties are those that every report has, in its order. What runs find besides has the name of its check.
var properties = []property{
	{"continuity", script.Continuity{}.Kind(), "a point in each interval with traffic, whoever comes and goes", "no metric was named"},
	{"conservation", script.Conservation{}.Kind(), "each request is counted once, in all layers", "no metric was named"},
	{"identity", script.Identity{}.Kind(), "each instance has series of its own, for its own lifetime", "no metric was named"},
	{"shutdown", script.Shutdown{}.Kind(), "who is asked to end loses nothing, and who is killed no more than its client holds", "no scenario ended an instance"},
	{"correlation", script.Correlation{}.Kind(), "users, load balancer and metric have one curve", "no scenario was long enough for the client's window"},
	{"hygiene", script.Hygiene{}.Kind(), "every line is understood, and no instance has too many series", "no scenario asked"},
	{"times", script.Nesting{}.Kind(), "no timer is longer than its users waited", "no timer was named (--timer, or a check nesting)"},
	{"in-flight", script.Gauge{}.Kind(), "the gauge of requests in flight tells the truth and comes back to rest", "no gauge was named (--gauge, or a check gauge)"},
}

// Run is what came of one part.
type Run struct {
	Name     string           `json:"name"`
	About    string           `json:"about"`
	File     string           `json:"scenario"` // the scenario that was run
	Dir      string           `json:"dir"`      // record and report of it
	Outcome  verdict.Outcome  `json:"outcome"`
	Title    string           `json:"title"`
	Sentence string           `json:"sentence"`
	Unrun    string           `json:"not_run,omitempty"` // why there is no verdict
	Seconds  float64          `json:"seconds"`
	Verdict  *verdict.Verdict `json:"-"`
}

// Mark is what the runs say of one property.
type Mark struct {
	Property string          `json:"property"`
	Meaning  string          `json:"meaning"`
	Grade    Grade           `json:"grade"`
	Outcome  verdict.Outcome `json:"outcome"` // inconclusive also where nothing was examined
	// Passed, Failed and Undecided name the runs in which it held, failed, and nothing was proved of it.
	Passed    []string `json:"passed"`
	Failed    []string `json:"failed"`
	Undecided []string `json:"undecided"`
	// Amount of Of is what failed: requests, or intervals of continuity. Of is 0 where the failure has no amount.
	Amount int64  `json:"amount"`
	Of     int64  `json:"of"`
	Unit   string `json:"unit,omitempty"`
	// Because has a sentence for each thing that keeps the property from an A: what failed, or why nothing is proved, or
	// why nobody asked.
	Because []string `json:"because"`
}

// Report is what an examination comes to.
type Report struct {
	Version     int             `json:"version"`
	ToolVersion string          `json:"tool_version"`
	Name        string          `json:"name"`
	Outcome     verdict.Outcome `json:"outcome"`
	Seed        uint64          `json:"seed"`
	Marks       []Mark          `json:"grades"`
	Runs        []Run           `json:"runs"`
	NotExamined []Left          `json:"not_examined"`
	// Causes are the words of all causes that the runs name; throughline explain has each.
	Causes []string `json:"causes"`
}

// Format is the version of the report as JSON.
const Format = 1

// Summarize comes to the grades of the runs. Its outcome is a failure if one failed, and a pass if all passed.
func Summarize(name string, runs []Run, left []Left) Report {
	r := Report{Version: Format, Name: name, Outcome: verdict.Pass, Runs: runs, NotExamined: left, Causes: []string{}}
	if left == nil {
		r.NotExamined = []Left{}
	}
	if len(runs) == 0 {
		r.Outcome = verdict.Inconclusive
	}
	for i := range runs {
		if v := runs[i].Verdict; v != nil {
			runs[i].Outcome, runs[i].Title, runs[i].Sentence, runs[i].Seconds = v.Outcome, v.Title, v.Sentence, v.Seconds
			for _, e := range v.Explanations {
				if e.Cause != "" && !slices.Contains(r.Causes, e.Cause) {
					r.Causes = append(r.Causes, e.Cause)
				}
			}
		}
		switch {
		case runs[i].Outcome == verdict.Fail:
			r.Outcome = verdict.Fail
		case runs[i].Outcome == verdict.Inconclusive && r.Outcome == verdict.Pass:
			r.Outcome = verdict.Inconclusive
		}
	}
	for _, p := range properties {
		m := markOf(p, runs)
		if m.Grade == NotExamined {
			m.Because = append(m.Because, whyNot(p, left))
		}
		r.Marks = append(r.Marks, m)
	}
	return withOthers(r)
}

// whyNot is why a property was asked of nobody.
func whyNot(p property, left []Left) string {
	if at := slices.IndexFunc(left, func(l Left) bool { return l.What == p.name }); at >= 0 {
		return left[at].Why
	}
	return "no run came to a verdict"
}

// withOthers adds what failed and is none of the properties, each by the name of its check, so that no report is better
// than its runs.
func withOthers(r Report) Report {
	known := func(check string) bool {
		return slices.ContainsFunc(r.Marks, func(m Mark) bool { return m.Property == check }) ||
			slices.ContainsFunc(properties, func(p property) bool { return p.check == check })
	}
	for _, run := range r.Runs {
		if run.Verdict == nil {
			continue
		}
		for _, f := range run.Verdict.Findings {
			if f.Outcome == verdict.Fail && !known(f.Check) {
				r.Marks = append(r.Marks, markOf(property{name: f.Check, check: f.Check, meaning: "throughline explain " + f.Check}, r.Runs))
			}
		}
	}
	return r
}

// markOf comes to the grade of one property.
func markOf(p property, runs []Run) Mark {
	m := Mark{Property: p.name, Meaning: p.meaning, Passed: []string{}, Failed: []string{}, Undecided: []string{}, Because: []string{}}
	var failed []*verdict.Verdict
	for _, run := range runs {
		if run.Verdict == nil {
			continue
		}
		outcome, asked := outcomeOf(p.check, *run.Verdict)
		switch {
		case !asked:
		case outcome == verdict.Fail:
			m.Failed = append(m.Failed, run.Name)
			m.Because = append(m.Because, run.Name+": "+because(p.check, *run.Verdict, verdict.Fail))
			failed = append(failed, run.Verdict)
		case outcome == verdict.Pass:
			m.Passed = append(m.Passed, run.Name)
		default:
			m.Undecided = append(m.Undecided, run.Name)
			m.Because = append(m.Because, run.Name+": "+because(p.check, *run.Verdict, verdict.Inconclusive))
		}
	}
	for _, v := range failed {
		amount, of, unit := amountOf(p.check, *v)
		if m.Unit == "" {
			m.Unit = unit
		}
		if of == 0 || amount == 0 { // one failure without an amount leaves the whole without
			m.Amount, m.Of, m.Unit = 0, 0, ""
			break
		}
		m.Amount, m.Of = m.Amount+amount, m.Of+of
	}
	m.Grade, m.Outcome = graded(m)
	return m
}

// graded is the rule of the grades.
func graded(m Mark) (Grade, verdict.Outcome) {
	switch {
	case len(m.Failed) > 0:
		share := 1.0
		if m.Of > 0 {
			share = float64(m.Amount) / float64(m.Of)
		}
		switch {
		case share < shareOfC:
			return C, verdict.Fail
		case share < shareOfD:
			return D, verdict.Fail
		}
		return F, verdict.Fail
	case len(m.Passed) == 0 && len(m.Undecided) == 0:
		return NotExamined, verdict.Inconclusive
	case len(m.Passed) == 0:
		return Undecided, verdict.Inconclusive
	case len(m.Undecided) > 0:
		return B, verdict.Pass
	}
	return A, verdict.Pass
}

// outcomeOf is what a verdict says of a check; asked: it says anything. A verdict that proves nothing as a whole proves
// nothing of any check, and one whose run is in doubt lets no check pass.
func outcomeOf(check string, v verdict.Verdict) (o verdict.Outcome, asked bool) {
	o = verdict.Pass
	for _, f := range v.Findings {
		if f.Check != check || f.Noticed {
			continue
		}
		asked = true
		switch {
		case f.Outcome == verdict.Fail:
			o = verdict.Fail
		case f.Outcome == verdict.Inconclusive && o == verdict.Pass:
			o = verdict.Inconclusive
		}
	}
	switch {
	case !asked:
		return verdict.Inconclusive, false
	case o == verdict.Fail && v.Outcome != verdict.Fail, o == verdict.Pass && doubted(v):
		return verdict.Inconclusive, true
	}
	return o, true
}

// doubted tells whether the run is in doubt, and not one of its checks.
func doubted(v verdict.Verdict) bool {
	return slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool {
		return f.Outcome == verdict.Inconclusive && !f.Noticed && !slices.Contains(script.CheckKinds(), f.Check)
	})
}

// because is why a check failed or proved nothing: the explanation that has its finding, else the finding.
func because(check string, v verdict.Verdict, o verdict.Outcome) string {
	of := func(i int) bool {
		return i >= 0 && i < len(v.Findings) && v.Findings[i].Check == check && v.Findings[i].Outcome == o
	}
	for _, e := range v.Explanations {
		if slices.ContainsFunc(slices.Concat(e.Findings, e.Consequences), of) {
			return sentence(e.Title)
		}
	}
	for i, f := range v.Findings {
		if of(i) {
			return sentence(f.Summary)
		}
	}
	for i, f := range v.Findings { // the run is in doubt, and the check is not
		if f.Outcome == verdict.Inconclusive && !slices.Contains(script.CheckKinds(), f.Check) {
			for _, e := range v.Explanations {
				if slices.Contains(e.Findings, i) {
					return "the run is in doubt: " + midway(e.Title)
				}
			}
			return "the run is in doubt: " + midway(f.Summary)
		}
	}
	return sentence(v.Title)
}

// midway is a title in the midst of a sentence.
func midway(s string) string {
	s = sentence(s)
	if s == "" || len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func sentence(s string) string { return strings.TrimRight(s, ". ") }

// amountOf is how much of what a check looked at failed, and in which unit; 0 where it has no amount.
func amountOf(check string, v verdict.Verdict) (amount, of int64, unit string) {
	switch check {
	case script.Continuity{}.Kind():
		return v.Cells.Missing, v.Cells.LookedAt, "intervals"
	case script.Conservation{}.Kind():
		for _, r := range v.Residuals {
			if r.Cause == unexplained && r.Between == verdict.Between(record.LayerUsers, record.LayerWeb) {
				amount += r.Lost + r.Extra
			}
		}
	case script.Shutdown{}.Kind():
		for _, f := range v.Findings {
			if f.Check == check && f.Outcome == verdict.Fail {
				amount += f.Lost + f.Extra
			}
		}
	default:
		return 0, 0, ""
	}
	return amount, countedRequests(v), "requests"
}

// unexplained is the cause of a residual that has none.
const unexplained = "unexplained"

// countedRequests is how many requests were acknowledged that a metric is to count.
func countedRequests(v verdict.Verdict) (n int64) {
	for _, e := range v.LedgerEntries {
		if e.Layer == record.LayerUsers && e.Instance == "" && e.Route != "" {
			n += e.Counts[acked]
		}
	}
	return n
}

const acked = "acked"

// String is the mark in one line.
func (m Mark) String() string {
	return fmt.Sprintf("%s %s", m.Grade, cmp.Or(m.Property, m.Meaning))
}
