package report

import (
	"fmt"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// headline is a verdict in one line. Of a failure the title has the cause; else it says what
// the sentence says.
func headline(v verdict.Verdict) string {
	if v.Outcome == verdict.Fail || v.Sentence == "" {
		return inFull(titleOf(v), v.Sentence)
	}
	return v.Sentence
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

// titleOf is a verdict's title, or that there is none.
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
