package check

import (
	"fmt"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// surplus is by how much a count was ahead of all that can have been executed, and
// when first. No lag makes that: what is missing later was counted twice before.
type surplus struct {
	n  int64
	at time.Duration
}

// surplus looks for it at every point. Where a clock was set, or a client gives its
// counts times of its own, a count may stand before its request.
func (a *account) surplus(e *evidence) (s surplus) {
	if a.rule.SampleRate < 1 || a.sampled >= 0 || e.clockSteps() || e.ownCount("timestamped_lines_total") > 0 {
		return s
	}
	for k, t := range a.counted.at {
		over := whole(a.counted.n[k]) - e.sentUpTo(a.life.Instance, a.rule.Route, t) - a.sum()
		if over > 0 && s.n == 0 {
			s.at = t
		}
		s.n = max(s.n, over)
	}
	return s
}

// judgeSurplus is for an account that agrees in the end. One clock that differs is
// all instances' matter, and that of the check time.
func (a *account) judgeSurplus(e *evidence, b books) *verdict.Finding {
	if a.ahead.n == 0 || len(e.ahead()) > 0 {
		return nil
	}
	f := a.finding(verdict.Fail)
	cause := diagnose.Burst
	for i, d := range b.explained() { // what others have too many of, it had, and lost in a kill
		if b.accounts[i].total > int64(len(b.accounts[i].acked)) && d.Cause != "" {
			cause = d.Cause
		}
	}
	f.Cause, f.Extra, f.From, f.To = cause, a.ahead.n, a.ahead.at.Seconds(), a.ahead.at.Seconds()
	f.Summary = fmt.Sprintf("%s counted %s more than had been sent to it, first at %s, and agrees in the end: as many were lost later", a.life.Instance,
		words.Times(a.ahead.n, a.rule.Route), words.Seconds(a.ahead.at))
	return &f
}

func abs(n int64) int64 { return max(n, -n) }
