package report

import (
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

func (t *text) findings(v verdict.Verdict) {
	t.title("Findings")
	if len(v.Findings) == 0 {
		t.line("  none: nothing was looked at")
	}
	by := byOutcome(v.Findings, "")
	for _, o := range worstFirst {
		if o == verdict.Pass {
			break
		}
		for i, f := range by[o] {
			if i == mostFindings {
				t.line(fmt.Sprintf("  and %s with outcome %s in %s", words.Times(len(by[o])-i, "more finding"), o, VerdictFile))
				break
			}
			t.finding(strings.ToUpper(o.String()), colorOf(o), f)
		}
	}
	passed := slices.Clone(by[verdict.Pass])
	for _, f := range passed {
		if f.Waived != "" {
			t.finding("WAIVED", colorOf(verdict.Inconclusive), f)
		}
	}
	passed = slices.DeleteFunc(passed, func(f verdict.Finding) bool { return f.Waived != "" })
	for _, name := range checkNames(passed) {
		t.passed(name, byOutcome(passed, name)[verdict.Pass])
	}
	t.line(fmt.Sprintf("  %s looked at, %s missing", words.Times(v.Cells.LookedAt, "cell"), words.Number(v.Cells.Missing)))
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

func (t *text) verdict(v verdict.Verdict) {
	t.line("")
	lines := wrap(sentence(v), t.Width)
	for i, l := range lines {
		if word, rest, ok := strings.Cut(l, " "); ok && i == 0 {
			l = t.paint(colorOf(v.Outcome), word) + " " + rest
		}
		t.line(l)
	}
	if causes := causesOf(v); len(causes) > 0 {
		what, command := "what it means and how to repair it:", "throughline explain "+strings.Join(causes, " ")
		if width(what)+1+width(command) <= t.Width {
			t.line(what + " " + command)
		} else {
			t.line(what)
			t.line(command) // never wrapped, as it is to be copied
		}
	}
	if v.Outcome != verdict.Pass {
		t.line("what a word of this means: throughline explain WORD")
	}
	if t.Where != "" {
		t.line("report: " + printable(t.Where)) // never wrapped: it is to be copied
	}
}
