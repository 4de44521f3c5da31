package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// findingsView are the findings of a verdict, by cause.
type findingsView struct {
	Causes  []causeView
	Noticed []findingView
	Passed  []findingView
	Looked  string   // "23 findings pass"
	Notes   []string // what touches no outcome
	Running bool     // there is no verdict yet
	spans   []string
}

// causeView is what one cause did, or what one check found where none is known.
type causeView struct {
	ID, Outcome, Title, Sentence, Repair string
	Cause                                string
	Diagnosis                            template.HTML // of the cause, where one is known
	Findings                             []findingView // the weightiest first
	Consequences                         []findingView
}

type findingView struct {
	ID, Outcome, Check, Where, Span, Numbers, Summary, Cause, Waived, Instance string

	Link template.URL // to its stretch of time: "#t=1.2,3.4"; empty: it is of the whole run
}

// newFindings puts findings under their causes: as the verdict explains them, and what
// it does not explain by the causes and checks of the findings themselves.
func newFindings(v verdict.Verdict) findingsView {
	var out findingsView
	told := map[int]bool{}
	view := func(i int) findingView {
		told[i] = true
		f := newFinding(i, v.Findings[i])
		if anchor := strings.TrimPrefix(string(f.Link), "#"); anchor != "" && !slices.Contains(out.spans, anchor) {
			out.spans = append(out.spans, anchor)
		}
		return f
	}
	views := func(indices []int) (all []findingView) {
		for _, i := range indices {
			if i >= 0 && i < len(v.Findings) && !told[i] {
				all = append(all, view(i))
			}
		}
		return all
	}
	for _, e := range explanationsOf(v) {
		c := causeView{ID: fmt.Sprintf("cause-%d", len(out.Causes)+1), Cause: printable(e.Cause), Title: printable(e.Title),
			Sentence: printable(e.Sentence), Repair: printable(e.Repair), Findings: views(e.Findings), Consequences: views(e.Consequences)}
		if len(c.Findings) == 0 {
			continue
		}
		c.Outcome = c.Findings[0].Outcome
		if d, known := docs.Find(e.Cause); known {
			c.Diagnosis = markdown(d.Markdown)
		}
		out.Causes = append(out.Causes, c)
	}
	for i, f := range v.Findings {
		switch {
		case told[i]:
		case f.Noticed:
			out.Noticed = append(out.Noticed, view(i))
		default:
			out.Passed = append(out.Passed, view(i))
		}
	}
	out.Looked = passedText(len(out.Passed))
	for _, n := range v.Notes {
		out.Notes = append(out.Notes, printable(n))
	}
	return out
}

func passedText(n int) string {
	switch n {
	case 0:
		return "nothing passed"
	case 1:
		return "1 finding passes"
	}
	return words.Times(n, "finding") + " pass"
}

// explanationsOf are those of the verdict; then, for findings that are no pass and that
// none of them tells, one for each cause, or check where there is no cause.
func explanationsOf(v verdict.Verdict) []verdict.Explanation {
	all := slices.Clone(v.Explanations)
	told := map[int]bool{}
	for _, e := range all {
		for _, i := range slices.Concat(e.Findings, e.Consequences) {
			told[i] = true
		}
	}
	at := map[string]int{}
	for _, outcome := range worstFirst[:2] {
		for i, f := range v.Findings {
			if told[i] || f.Noticed || f.Outcome == verdict.Pass || (f.Outcome == verdict.Fail) != (outcome == verdict.Fail) {
				continue
			}
			key := cmp.Or(f.Cause, f.Check)
			k, known := at[key]
			if !known {
				k = len(all)
				at[key] = k
				all = append(all, verdict.Explanation{Cause: f.Cause, Title: cmp.Or(key, checkName(f))})
			}
			all[k].Findings = append(all[k].Findings, i)
		}
	}
	return all
}

func newFinding(i int, f verdict.Finding) findingView {
	outcome := outcomeOf(f).String()
	if f.Noticed {
		outcome = "noticed"
	}
	view := findingView{ID: fmt.Sprintf("finding-%d", i+1), Outcome: outcome, Check: checkName(f), Where: whereText(f),
		Span: span(f.From, f.To), Numbers: numbersText(f), Summary: printable(f.Summary), Waived: printable(f.Waived), Instance: printable(f.Instance),
		Cause: strings.TrimPrefix(causeText(f), "; likely cause: ")}
	if (f.From != 0 || f.To != 0) && isFinite(f.From) && isFinite(f.To) {
		view.Link = template.URL(fmt.Sprintf("#t=%.1f,%.1f", f.From, f.To)) //nolint:gosec // two numbers
	}
	return view
}

// outcomeOf is a finding's outcome; what is neither pass nor fail is inconclusive.
func outcomeOf(f verdict.Finding) verdict.Outcome {
	if f.Outcome != verdict.Pass && f.Outcome != verdict.Fail {
		return verdict.Inconclusive
	}
	return f.Outcome
}
