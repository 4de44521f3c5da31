package report

import (
	"slices"
	"strings"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

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
