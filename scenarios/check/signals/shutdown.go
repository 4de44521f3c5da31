package signals

import (
	"fmt"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkShutdown = "shutdown"

// Shutdown looks at the instances that were ended: one that was asked to end
// has lost nothing of what it acknowledged, one that was killed no more than it
// acknowledged within its client's window. web-2 acknowledged 812 inserts, 9 of them in the
// 100 ms before its SIGKILL: with 803 counted nothing is wrong, with 802 something is.
type Shutdown struct {
	Promise script.Shutdown
	// What a conservation check declares of the metric; rate 1: it is not sampled.
	Rate, Confidence float64
}

// Judge looks at all instances, or says why it cannot.
func (c Shutdown) Judge(e *evidence.Index) verdict.Result {
	b := account.NewBooks(e, script.Conservation{Metric: c.Promise.Metric, Route: c.Promise.Route, ClientWindow: c.Promise.ClientWindow, MaxLag: account.UsualLag, SampleRate: c.Rate, Confidence: c.Confidence})
	var out []verdict.Finding
	for i := range b.Accounts {
		if a := &b.Accounts[i]; a.Life.Death != record.Never {
			out = append(out, c.ended(a, b))
		}
	}
	if len(out) == 0 {
		out = append(out, c.finding(verdict.Inconclusive, "", "shutdown: no instance was ended, so nothing was looked at"))
	}
	return verdict.Result{Findings: out}
}

func (c Shutdown) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkShutdown, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// ended judges one instance that is gone.
func (c Shutdown) ended(a *account.Account, b account.Books) verdict.Finding {
	n := int64(len(a.Acked))
	lost := max(0, n-a.Total)
	name := a.Life.Instance
	switch {
	case n == 0:
		return c.finding(verdict.Inconclusive, name, "%s %s at %s and had acknowledged no %s: its shutdown had nothing to lose", name, c.howEnded(a), words.Seconds(c.endBegan(a)), c.Promise.Route)
	case c.Rate < 1:
		return c.endedSampled(a, b)
	case a.Sampled >= 0:
		return c.finding(verdict.Inconclusive, name, "%s sends %s sampled: what its shutdown lost cannot be told from what sampling left out", name, c.Promise.Metric)
	}
	f := c.finding(verdict.Pass, name, "%s %s at %s and lost %s of %s that it had acknowledged", name, c.howEnded(a), words.Seconds(c.endBegan(a)), words.Number(lost), words.Times(n, c.Promise.Route))
	f.Lost, f.Bound = lost, a.Buffer
	f.From, f.To = c.endBegan(a).Seconds(), a.Life.Death.Seconds()
	if a.Life.Killed() {
		f.Summary += fmt.Sprintf(", of at most %s: those of its last %s", words.Number(a.Buffer), c.Promise.ClientWindow)
	}
	agents, _ := a.Agents()
	switch {
	case a.Total > n+a.Sum(): // what came too much hides what was lost
		f.Outcome, f.Extra = verdict.Fail, a.Total-n
		d := b.Diagnosis(a)
		account.Blame(&f, d)
		f.Summary += fmt.Sprintf(", but it counted %s more than it had; %s", words.Number(f.Extra), d.Why)
	case agents > 0 && lost > 0 && a.Book().Unexplained == 0:
		f.Summary += ", which the ends of its agents account for"
		return f
	case lost == 0 || a.Early == 0 && lost <= a.Buffer: // what was missing before the kill was in no buffer
		return f
	case a.Dropped:
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: they may have been lost there"
	case a.Early == 0 && a.Life.Killed() && lost <= a.Stalled:
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += fmt.Sprintf("; %s, and with that they fit", a.WhyLate())
	case a.AgentStalled():
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += "; the machine was late when its agent ended, and with that they fit"
	default:
		f.Outcome = verdict.Fail
		d := b.Diagnosis(a)
		account.Blame(&f, d)
		f.Summary += "; " + d.Why
	}
	return f
}

// endedSampled judges one whose client samples as it was told to: what came must
// be what sampling can have made of the requests, less what a kill may have cost.
// What is lost within the width of that interval cannot be seen.
func (c Shutdown) endedSampled(a *account.Account, b account.Books) verdict.Finding {
	n, name := int64(len(a.Acked)), a.Life.Instance
	// As in conservation, the chance of a false alarm is shared out.
	alpha := (1 - c.Confidence) / float64(max(1, len(b.Accounts)))
	lo, hi := max(0, n-a.Buffer), n+a.Sum()
	least, most := account.SampledRange(lo, hi, c.Rate, alpha)
	kept := a.Sampled
	if kept < 0 {
		kept = evidence.Whole(float64(a.Total) * c.Rate)
	}
	f := c.finding(verdict.Pass, name, "%s %s at %s; %s acknowledged at sample rate %g make %s to %s measurements (%g %% confidence for all instances together), and %s came",
		name, c.howEnded(a), words.Seconds(c.endBegan(a)), words.Times(n, c.Promise.Route), c.Rate, words.Number(least), words.Number(most), 100*c.Confidence, words.Number(kept))
	f.Bound = a.SampledWidth(account.Sampling{Lo: lo, Hi: hi, Least: least, Most: most})
	f.From, f.To = c.endBegan(a).Seconds(), a.Life.Death.Seconds()
	switch {
	case kept >= least && kept <= most:
		f.Summary += fmt.Sprintf("; a loss of up to %s could hide in that", words.Number(f.Bound))
	case kept > most:
		f.Outcome, f.Extra = verdict.Fail, max(0, a.Total-n)
		d := b.Diagnosis(a)
		account.Blame(&f, d)
		f.Summary += "; " + d.Why
	case a.Dropped:
		f.Outcome, f.Cause, f.Lost = verdict.Inconclusive, verdict.CauseDropped, max(0, n-a.Total)
		f.Summary += ", but the collector's socket dropped datagrams: they may have been lost there"
	case a.Life.Killed() && c.excused(a, n, kept, alpha):
		f.Outcome, f.Cause, f.Lost = verdict.Inconclusive, verdict.CauseStall, max(0, n-a.Total)
		f.Summary += fmt.Sprintf("; %s, and with that they fit", a.WhyLate())
	default:
		f.Outcome, f.Lost = verdict.Fail, max(0, n-a.Total)
		d := b.Diagnosis(a)
		account.Blame(&f, d)
		f.Summary += "; " + d.Why
	}
	return f
}

// excused tells whether a flush that was late would explain what came.
func (c Shutdown) excused(a *account.Account, n, kept int64, alpha float64) bool {
	least, _ := account.SampledRange(max(0, n-a.Stalled), n+a.Sum(), c.Rate, alpha)
	return kept >= least
}

// howEnded tells what ended an instance.
func (c Shutdown) howEnded(a *account.Account) string {
	if a.Life.Signal == "" && a.Life.Killed() {
		return "died unasked"
	}
	return ending(a.Life)
}

// endBegan is when an instance was asked to end, or died unasked.
func (c Shutdown) endBegan(a *account.Account) time.Duration {
	if a.Life.Signalled != record.Never {
		return a.Life.Signalled
	}
	return a.Life.Death
}

// ending tells how an instance was ended: "got SIGTERM".
func ending(l record.Lifetime) string {
	if l.Signal != "" && l.Signalled != record.Never {
		return "got " + l.Signal
	}
	return "exited"
}
