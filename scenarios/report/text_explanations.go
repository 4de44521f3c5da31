package report

import (
	"fmt"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// mostOfACause is how many findings of the first cause are written, where not all are.
const mostOfACause = 3

// findings writes what is not a pass, cause by cause. What only follows from a cause is
// folded, and so are all but a few of those that say the same.
func (t *text) findings(v verdict.Verdict) {
	told := map[int]bool{}
	if len(byOutcome(v.Findings, "")[verdict.Pass]) < len(v.Findings)-len(noticedOf(v.Findings)) {
		t.title("Findings")
	}
	for k, e := range v.Explanations {
		own, follow := inRange(v, e.Findings), inRange(v, e.Consequences)
		for _, i := range append(own, follow...) {
			told[i] = true
		}
		t.explanation(v, k, e, own, follow)
	}
	var rest []verdict.Finding
	for i, f := range v.Findings {
		if !told[i] {
			rest = append(rest, f)
		}
	}
	t.unexplained(rest)
}

// inRange leaves out places that the list of findings does not have.
func inRange(v verdict.Verdict, places []int) (in []int) {
	for _, i := range places {
		if i >= 0 && i < len(v.Findings) {
			in = append(in, i)
		}
	}
	return in
}

// explanation writes the k-th cause. The first has its title and sentence at the head of
// the text already.
func (t *text) explanation(v verdict.Verdict, k int, e verdict.Explanation, own, follow []int) {
	outcome := v.Outcome
	if len(own) > 0 {
		outcome = v.Findings[own[0]].Outcome
	}
	word := strings.ToUpper(outcome.String())
	shown := len(own)
	if k > 0 {
		t.marked("  "+word, colorOf(outcome), "", printable(e.Title))
		t.wrapped("    ", strings.TrimSpace(printable(e.Sentence+" "+e.Repair)))
	}
	if !t.All {
		shown = min(shown, mostOfACause)
		if k > 0 {
			shown = 0
		}
	}
	for _, i := range own[:shown] {
		t.finding(word, colorOf(outcome), v.Findings[i])
	}
	if t.All {
		for _, i := range follow {
			t.finding("follows", "", v.Findings[i])
		}
		return
	}
	like := len(own) - shown
	if k > 0 && len(own) == 1 {
		like = 0 // its sentence is the finding's
	}
	t.folded += like + len(follow)
	if text := foldedText(like, len(follow), shown > 0); text != "" {
		t.wrapped("    ", text)
	}
}

// foldedText tells how many findings are not written: "and 2 more like it; 12 findings
// follow from it".
func foldedText(like, follow int, some bool) string {
	var parts []string
	switch {
	case like > 0 && some:
		parts = append(parts, fmt.Sprintf("and %s more like it", words.Number(like)))
	case like > 0:
		parts = append(parts, words.Times(like, "finding")+" "+verb(like, "say", "says")+" so")
	}
	if follow > 0 {
		parts = append(parts, following(follow))
	}
	return strings.Join(parts, "; ")
}

// following tells how many findings follow; "" for none.
func following(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s from it", words.Times(n, "finding"), verb(n, "follow", "follows"))
}

func verb(n int, many, one string) string {
	if n == 1 {
		return one
	}
	return many
}

// unexplained writes findings that no explanation has, the worst first.
func (t *text) unexplained(findings []verdict.Finding) {
	by := byOutcome(findings, "")
	for _, o := range worstFirst {
		if o == verdict.Pass {
			break
		}
		for i, f := range by[o] {
			if i == mostFindings && !t.All {
				t.line(fmt.Sprintf("  and %s with outcome %s in %s", words.Times(len(by[o])-i, "more finding"), o, VerdictFile))
				break
			}
			t.finding(strings.ToUpper(o.String()), colorOf(o), f)
		}
	}
}
