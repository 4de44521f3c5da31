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

// whereText says of whom a finding is: "web-2 (web)".
func whereText(f verdict.Finding) string {
	where := printable(f.Instance)
	switch {
	case where != "" && f.Layer != "":
		return where + " (" + printable(f.Layer) + ")"
	case where == "":
		return printable(f.Layer)
	}
	return where
}

// worstFirst is the order in which outcomes are told.
var worstFirst = [...]verdict.Outcome{verdict.Fail, verdict.Inconclusive, verdict.Pass}

// byOutcome sorts findings by outcome, and keeps their order otherwise. With a
// name, only those of that check. What is neither pass nor fail is
// inconclusive. What was merely noticed is no outcome, and left out.
func byOutcome(findings []verdict.Finding, name string) map[verdict.Outcome][]verdict.Finding {
	by := map[verdict.Outcome][]verdict.Finding{}
	for _, f := range findings {
		if name != "" && checkName(f) != name {
			continue
		}
		if f.Noticed {
			continue
		}
		o := f.Outcome
		if o != verdict.Pass && o != verdict.Fail {
			o = verdict.Inconclusive
		}
		by[o] = append(by[o], f)
	}
	return by
}

// noticedOf are the findings that no check asked for.
func noticedOf(findings []verdict.Finding) []verdict.Finding {
	var out []verdict.Finding
	for _, f := range findings {
		if f.Noticed {
			out = append(out, f)
		}
	}
	return out
}

func checkName(f verdict.Finding) string {
	if f.Check == "" {
		return "unnamed check"
	}
	return printable(f.Check)
}

func scenarioName(v verdict.Verdict) string {
	if v.Scenario == "" {
		return "unnamed scenario"
	}
	return printable(v.Scenario)
}

// checkNames lists the checks that findings come from, each once, in order,
// those aside that were merely noticed.
func checkNames(findings []verdict.Finding) []string {
	var names []string
	for _, f := range findings {
		if !f.Noticed && !slices.Contains(names, checkName(f)) {
			names = append(names, checkName(f))
		}
	}
	return names
}

// placeText says where and when: "web-2 (web), 14.2–14.9 s".
func placeText(f verdict.Finding) string {
	if where := whereText(f); where != "" {
		return where + ", " + span(f.From, f.To)
	}
	return span(f.From, f.To)
}

// numbersText says how many: "lost 41, give or take 2"; "" where there is nothing
// to say.
func numbersText(f verdict.Finding) string {
	var parts []string
	if f.Lost != 0 {
		parts = append(parts, "lost "+words.Number(f.Lost))
	}
	if f.Extra != 0 {
		parts = append(parts, "extra "+words.Number(f.Extra))
	}
	if f.Bound != 0 {
		parts = append(parts, "give or take "+words.Number(f.Bound))
	}
	return strings.Join(parts, ", ")
}

// causeText says the likely cause: "; likely cause: lost-on-exit, or else …".
func causeText(f verdict.Finding) string {
	if f.Cause == "" {
		return ""
	}
	text := "; likely cause: " + printable(f.Cause)
	if f.RunnerUp != "" {
		text += ", or else " + printable(f.RunnerUp)
	}
	return text
}

// causesOf are the causes of what decided a verdict that is no pass, the weightiest first
// and each once, as far as there is something to say of them. Of one that is open they are
// those that it may be.
func causesOf(v verdict.Verdict) []string {
	var causes []string
	add := func(cause string) {
		if _, known := docs.Find(cause); known && !slices.Contains(causes, cause) {
			causes = append(causes, cause)
		}
	}
	for _, e := range v.Explanations {
		for _, i := range inRange(v, e.Findings) {
			f := v.Findings[i]
			if f.Outcome != v.Outcome || v.Outcome == verdict.Pass {
				continue
			}
			add(f.Cause)
			for _, possible := range f.Possible {
				add(possible)
			}
		}
	}
	return causes
}

// subjectText is what a verdict is on: the scenario, and by what it was judged where
// that is not its own.
func subjectText(v verdict.Verdict) string {
	if v.ChecksFrom == "" {
		return scenarioName(v)
	}
	return scenarioName(v) + " (" + otherChecks(v) + ")"
}

// otherChecks says whose checks a record was judged by; "" for its own.
func otherChecks(v verdict.Verdict) string {
	if v.ChecksFrom == "" {
		return ""
	}
	return "by the checks of " + printable(v.ChecksFrom) + ", not the run's own"
}

// titleOf is a verdict's title, or its outcome where nobody gave it one.
func titleOf(v verdict.Verdict) string {
	if v.Title == "" {
		return "no finding says why"
	}
	return v.Title
}

// midway goes on with a title in the midst of a line.
func midway(title string) string {
	first, rest, _ := strings.Cut(title, " ")
	if lower := strings.ToLower(first); len(first) > 0 && first[:1]+lower[1:] == first && !strings.ContainsAny(first, "-_.0123456789") {
		return strings.TrimSpace(lower + " " + rest)
	}
	return title
}

// counts is what was looked at, as numbers.
func counts(v verdict.Verdict) string {
	text := fmt.Sprintf("%s unexplained; %s looked at, %s missing", words.Number(v.Unexplained),
		words.Times(v.Cells.LookedAt, "cell"), words.Number(v.Cells.Missing))
	if n := len(v.Waived); n > 0 {
		text += fmt.Sprintf("; %s in force", words.Times(n, "waiver"))
	}
	if n := len(noticedOf(v.Findings)); n > 0 {
		text += fmt.Sprintf("; %s noticed that no check asked about", words.Times(n, "thing"))
	}
	return text
}

// sentence is the verdict in one line, beginning with the outcome. It never
// says more than the verdict does.
func sentence(v verdict.Verdict) string {
	by := byOutcome(v.Findings, "")
	counts := counts(v)
	switch v.Outcome {
	case verdict.Pass:
		return fmt.Sprintf("PASS %s: %s; %s", subjectText(v), counts, passText(len(by[verdict.Pass])))
	case verdict.Fail:
		why := "no finding says why"
		if failed := by[verdict.Fail]; len(failed) > 0 {
			why = words.Times(len(failed), "failed finding") + " (" + strings.Join(checkNames(failed), ", ") + ")"
		}
		return fmt.Sprintf("FAIL %s: %s; %s", subjectText(v), counts, why)
	}
	why := "no finding says why"
	if reasons := by[verdict.Inconclusive]; len(reasons) > 0 {
		why = strings.TrimSuffix(printable(reasons[0].Summary), ".")
		if len(reasons) > 1 {
			why += fmt.Sprintf(" (and %s)", words.Times(len(reasons)-1, "more reason"))
		}
	}
	return fmt.Sprintf("INCONCLUSIVE %s: it proves nothing, because %s", subjectText(v), why)
}

func passText(findings int) string {
	if findings == 1 {
		return "1 finding passes"
	}
	return words.Times(findings, "finding") + " pass"
}
