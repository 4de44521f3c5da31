package report

import (
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// checks writes what holds, and what is waived.
func (t *text) checks(v verdict.Verdict) {
	t.title("Checks")
	if len(v.Findings) == 0 {
		t.line("  none: nothing was looked at")
	}
	passed := byOutcome(v.Findings, "")[verdict.Pass]
	for _, f := range passed {
		if f.Waived != "" {
			t.finding("WAIVED", colorOf(verdict.Inconclusive), f)
		}
	}
	passed = slices.DeleteFunc(slices.Clone(passed), func(f verdict.Finding) bool { return f.Waived != "" })
	for _, name := range checkNames(passed) {
		t.passed(name, byOutcome(passed, name)[verdict.Pass])
	}
	t.wrapped("  ", counts(v))
}

// notes writes what touches no outcome.
func (t *text) notes(v verdict.Verdict) {
	for _, n := range v.Notes {
		t.wrapped("  note  ", printable(n))
	}
}

// noticed writes what no check asked about, just before the verdict.
func (t *text) noticed(v verdict.Verdict) {
	all := noticedOf(v.Findings)
	for i, f := range all {
		if i == mostFindings {
			t.line(fmt.Sprintf("  and %s noticed, in %s", words.Times(len(all)-i, "more thing"), VerdictFile))
			return
		}
		for k, l := range wrap(printable(f.Summary)+causeText(f), t.Width-8) {
			head := strings.Repeat(" ", 8)
			if k == 0 {
				head = "  " + t.paint(yellow, "NOTE") + "  "
			}
			t.line(head + l)
		}
	}
}

// finding writes one finding that is not simply a pass, in full.
func (t *text) finding(word, color string, f verdict.Finding) {
	head := checkName(f) + " · " + placeText(f)
	if n := numbersText(f); n != "" {
		head += " · " + n
	}
	for i, l := range wrap(head, t.Width-width(word)-4) {
		if i == 0 {
			t.line("  " + t.paint(color, word) + "  " + l)
			continue
		}
		t.line(strings.Repeat(" ", width(word)+4) + l)
	}
	t.wrapped("    ", printable(f.Summary))
	if c := causeText(f); c != "" {
		t.wrapped("    ", strings.TrimPrefix(c, "; "))
	}
}

// passed writes what a check that passed says first, in at most two lines, and
// how many more findings it has.
func (t *text) passed(name string, findings []verdict.Finding) {
	more := ""
	if len(findings) > 1 {
		more = fmt.Sprintf(" (+%s more)", words.Number(len(findings)-1))
	}
	head := padRight(truncate(name, 20), 12) + "  "
	room := t.Width - width(head) - 8
	lines := wrap(printable(findings[0].Summary), room)
	if len(lines) > 2 {
		lines = []string{lines[0], lines[1] + "…"}
	} else if len(lines) == 0 {
		lines = []string{""}
	}
	last := &lines[len(lines)-1]
	*last = truncate(*last, room-width(more)) + more
	for i, l := range lines {
		if i == 0 {
			t.line("  " + t.paint(green, "pass") + "  " + head + l)
			continue
		}
		t.line(strings.Repeat(" ", width(head)+8) + l)
	}
}

// lead writes the outcome, the title and the sentence.
func (t *text) lead(v verdict.Verdict) {
	word := strings.ToUpper(v.Outcome.String())
	t.line("")
	t.marked(word, colorOf(v.Outcome), bold, printable(titleOf(v)))
	t.wrapped("  ", printable(v.Sentence))
}

// marked writes a text behind a colored word, and its further lines below the text.
func (t *text) marked(word, color, textColor, s string) {
	for i, l := range wrap(s, max(20, t.Width-width(word)-2)) {
		if l = t.paint(textColor, l); i == 0 {
			t.line(t.paint(color, word) + "  " + l)
			continue
		}
		t.line(strings.Repeat(" ", width(word)+2) + l)
	}
}

// verdict writes the last lines: the outcome once more, and where to read on.
func (t *text) verdict(v verdict.Verdict) {
	word := strings.ToUpper(v.Outcome.String())
	t.line("")
	for i, l := range wrap(word+" "+subjectText(v)+": "+printable(midway(titleOf(v))), t.Width) {
		if first, rest, ok := strings.Cut(l, " "); ok && i == 0 {
			l = t.paint(colorOf(v.Outcome), first) + " " + rest
		}
		t.line(l)
	}
	if causes := causesOf(v); len(causes) > 0 {
		t.command("what it means and how to repair it:", "throughline explain "+strings.Join(causes, " "))
	}
	if t.folded > 0 && t.More != "" {
		t.command(words.Times(t.folded, "finding")+" folded; to see all:", printable(t.More))
	}
	if v.Outcome != verdict.Pass {
		t.line("what a word of this means: throughline explain WORD")
	}
	if t.Where != "" {
		t.line("report: " + printable(t.Where)) // never wrapped: it is to be copied
	}
}

// command writes a command behind what it is for, or below it; it is never wrapped, as it
// is to be copied.
func (t *text) command(what, command string) {
	if width(what)+1+width(command) <= t.Width {
		t.line(what + " " + command)
		return
	}
	t.line(what)
	t.line(command)
}
