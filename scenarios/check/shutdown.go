package check

import (
	"fmt"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkShutdown = "shutdown"

// shutdown looks at the instances that were ended: one that was asked to end
// has lost nothing of what it acknowledged, one that was killed no more than it
// acknowledged within its client's window.
type shutdown struct {
	rule script.Shutdown
	// What a conservation check declares of the metric; rate 1: it is not sampled.
	rate, confidence float64
}

func (c shutdown) judge(e *evidence) verdict.Result {
	b := newBooks(e, script.Conservation{Metric: c.rule.Metric, Route: c.rule.Route, ClientWindow: c.rule.ClientWindow, MaxLag: usualLag, SampleRate: c.rate, Confidence: c.confidence})
	var out []verdict.Finding
	for i := range b.accounts {
		if a := &b.accounts[i]; a.life.Death != record.Never {
			out = append(out, c.ended(a, b))
		}
	}
	if len(out) == 0 {
		out = append(out, c.finding(verdict.Inconclusive, "", "shutdown: no instance was ended, so nothing was looked at"))
	}
	return verdict.Result{Findings: out}
}

func (c shutdown) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkShutdown, Outcome: o, Layer: verdict.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// ended judges one instance that is gone.
func (c shutdown) ended(a *account, b books) verdict.Finding {
	n := int64(len(a.acked))
	lost := max(0, n-a.total)
	name := a.life.Instance
	switch {
	case n == 0:
		return c.finding(verdict.Inconclusive, name, "%s %s at %s and had acknowledged no %s: its shutdown had nothing to lose", name, c.how(a), words.Seconds(c.at(a)), c.rule.Route)
	case c.rate < 1:
		return c.endedSampled(a, b)
	case a.sampled >= 0:
		return c.finding(verdict.Inconclusive, name, "%s sends %s sampled: what its shutdown lost cannot be told from what sampling left out", name, c.rule.Metric)
	}
	f := c.finding(verdict.Pass, name, "%s %s at %s and lost %s of %s that it had acknowledged", name, c.how(a), words.Seconds(c.at(a)), words.Number(lost), words.Times(n, c.rule.Route))
	f.Lost, f.Bound = lost, a.buffer
	f.From, f.To = c.at(a).Seconds(), a.life.Death.Seconds()
	if a.life.Killed() {
		f.Summary += fmt.Sprintf(", of at most %s: those of its last %s", words.Number(a.buffer), c.rule.ClientWindow)
	}
	switch {
	case a.total > n+a.sum(): // what came too much hides what was lost
		f.Outcome, f.Extra = verdict.Fail, a.total-n
		d := b.diagnosis(a)
		blame(&f, d)
		f.Summary += fmt.Sprintf(", but it counted %s more than it had; %s", words.Number(f.Extra), d.Why)
	case lost == 0 || a.early == 0 && lost <= a.buffer: // what was missing before the kill was in no buffer
		return f
	case a.dropped:
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: they may have been lost there"
	case a.early == 0 && a.life.Killed() && lost <= a.stalled:
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += fmt.Sprintf("; %s, and with that they fit", a.whyLate())
	default:
		f.Outcome = verdict.Fail
		d := b.diagnosis(a)
		blame(&f, d)
		f.Summary += "; " + d.Why
	}
	return f
}

// endedSampled judges one whose client samples as it was told to: what came must
// be what sampling can have made of the requests, less what a kill may have cost.
// What is lost within the width of that interval cannot be seen.
func (c shutdown) endedSampled(a *account, b books) verdict.Finding {
	n, name := int64(len(a.acked)), a.life.Instance
	// As in conservation, the chance of a false alarm is shared out.
	alpha := (1 - c.confidence) / float64(max(1, len(b.accounts)))
	lo, hi := max(0, n-a.buffer), n+a.sum()
	least, most := sampledRange(lo, hi, c.rate, alpha)
	kept := a.sampled
	if kept < 0 {
		kept = whole(float64(a.total) * c.rate)
	}
	f := c.finding(verdict.Pass, name, "%s %s at %s; %s acknowledged at sample rate %g make %s to %s measurements (%g %% confidence for all instances together), and %s came",
		name, c.how(a), words.Seconds(c.at(a)), words.Times(n, c.rule.Route), c.rate, words.Number(least), words.Number(most), 100*c.confidence, words.Number(kept))
	f.Bound = a.sampledWidth(sampling{lo: lo, hi: hi, least: least, most: most})
	f.From, f.To = c.at(a).Seconds(), a.life.Death.Seconds()
	switch {
	case kept >= least && kept <= most:
		f.Summary += fmt.Sprintf("; a loss of up to %s could hide in that", words.Number(f.Bound))
	case kept > most:
		f.Outcome, f.Extra = verdict.Fail, max(0, a.total-n)
		d := b.diagnosis(a)
		blame(&f, d)
		f.Summary += "; " + d.Why
	case a.dropped:
		f.Outcome, f.Cause, f.Lost = verdict.Inconclusive, verdict.CauseDropped, max(0, n-a.total)
		f.Summary += ", but the collector's socket dropped datagrams: they may have been lost there"
	case a.life.Killed() && c.excused(a, n, kept, alpha):
		f.Outcome, f.Cause, f.Lost = verdict.Inconclusive, verdict.CauseStall, max(0, n-a.total)
		f.Summary += fmt.Sprintf("; %s, and with that they fit", a.whyLate())
	default:
		f.Outcome, f.Lost = verdict.Fail, max(0, n-a.total)
		d := b.diagnosis(a)
		blame(&f, d)
		f.Summary += "; " + d.Why
	}
	return f
}

// excused tells whether a flush that was late would explain what came.
func (c shutdown) excused(a *account, n, kept int64, alpha float64) bool {
	least, _ := sampledRange(max(0, n-a.stalled), n+a.sum(), c.rate, alpha)
	return kept >= least
}

// how tells what ended an instance.
func (c shutdown) how(a *account) string {
	if a.life.Signal == "" && a.life.Killed() {
		return "died unasked"
	}
	return ending(a.life)
}

// at is when its end began.
func (c shutdown) at(a *account) time.Duration {
	if a.life.Signalled != record.Never {
		return a.life.Signalled
	}
	return a.life.Death
}

// ending tells how an instance was ended: "got SIGTERM".
func ending(l record.Lifetime) string {
	if l.Signal != "" && l.Signalled != record.Never {
		return "got " + l.Signal
	}
	return "exited"
}
