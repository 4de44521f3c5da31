package account

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// fetched lays out what the end of an instance that is scraped may have taken: what it acknowledged after its last scrape, which is not
// longer ago than client_window if scrapes came as they should. It is asked no more once it was told to end.
//
// web-2 was scraped at 9.2 s and killed at 9.9 s, and acknowledged 31 requests in between: 31. If scrapes failed since 5.2 s, and
// client_window is 2 s, it is what it acknowledged since 7.9 s.
func (a *Account) fetched(e *evidence.Index) {
	l := a.Life
	a.byServer = e.Scenario.MetricsFrom != nil
	a.killed = e.CutAt(l, a.Promise.Metric, a.Promise.Route)
	until := evidence.Forever
	if a.killed != record.Never {
		until = l.Death
	}
	last, failed, ok := e.LastScrape(l.Instance, until)
	a.scrape, a.failed = last, failed
	if a.killed == record.Never {
		return
	}
	began := l.Birth // nothing was told before
	if ok {
		began = last.From
	}
	since := e.HeldSince(l.Instance, a.killed, a.Promise.ClientWindow)
	a.Buffer = a.ackedFrom(max(since, began))
	a.Stalled = a.Buffer
	if began >= since {
		return
	}
	// A scrape should have come since. Where none failed, nobody asked.
	if failed == 0 {
		a.Stalled, a.stall = a.ackedFrom(began), since-began
	} else if stall := e.Stall(began, a.killed); stall >= evidence.LeastStall {
		a.Stalled, a.stall = a.ackedFrom(max(began, since-stall)), stall
	}
}

// lossCause is what the loss at an end is booked to.
func (a *Account) lossCause() string {
	if a.Scraped {
		return verdict.CauseUnscraped
	}
	return verdict.CauseBuffer
}

// LastHeld says where what an end took had been, as a clause of a sentence: "its send buffer".
func (a *Account) LastHeld() string {
	switch {
	case !a.Scraped && a.exported:
		return "what it had not exported yet"
	case !a.Scraped:
		return "its send buffer"
	}
	if a.scrape.To == 0 {
		return "its end before the first scrape"
	}
	return fmt.Sprintf("what came after its last scrape, at %s,", words.Seconds(a.scrape.From))
}

// EndedBy names what took it: "its SIGKILL".
func (a *Account) EndedBy() string {
	if a.Scraped && !a.Life.Killed() {
		return "its end"
	}
	return "its SIGKILL"
}

// outright is a cause that the record states, of an account that is scraped; the zero Diagnosis: it states none.
func (a *Account) outright(e *evidence.Index, open int64) diagnose.Diagnosis {
	if as := e.Overwritten(a.Promise.Metric, a.Life.Instance); open > 0 && len(as) > 0 {
		return a.overwritten(e, as)
	}
	switch {
	case !a.Scraped || open == 0:
		return diagnose.Diagnosis{}
	case a.failed > 0 && open > 0:
		return a.unfetched(e, open)
	case e.Scenario.MetricsFrom != nil && open > 0:
		if d := a.unasked(e, open); d.Cause != "" {
			return d
		}
	}
	if d := a.Alternates(e); d.Cause != "" || open > 0 {
		return d
	}
	return a.fell(e)
}

// overwritten is the diagnosis of an instance all of whose counts are stored as another's.
func (a *Account) overwritten(e *evidence.Index, as []string) diagnose.Diagnosis {
	d := diagnose.Diagnosis{Cause: diagnose.Honored, From: a.ticks[0], To: a.ticks[len(a.ticks)-1]}
	if len(a.Acked) > 0 {
		d.From = a.Acked[0]
	}
	d.Why = "its scrapes were good, and what they brought is stored as that of " + words.Some(quoted(as))
	if from := e.OverwrittenTo(a.Promise.Metric, as[0]); len(as) == 1 && len(from) > 1 {
		d.Why += fmt.Sprintf(", in one series for %s", words.Some(from))
	}
	d.Why += ": an exposed label instance won over its own"
	return d
}

func quoted(names []string) (out []string) {
	for _, n := range names {
		out = append(out, fmt.Sprintf("%q", n))
	}
	return out
}

// Overwritten tells whether an instance of the books is stored as this one, and they tell of it.
func (b *Books) Overwritten(e *evidence.Index, as string) bool {
	return slices.ContainsFunc(e.OverwrittenTo(b.Promise.Metric, as), func(from string) bool {
		return slices.ContainsFunc(b.Accounts, func(a Account) bool { return a.Life.Instance == from && a.unexplained(len(b.Accounts)) > 0 })
	})
}

// unfetched is the diagnosis of a loss that is no more than what was acknowledged since scrapes began to fail.
func (a *Account) unfetched(e *evidence.Index, open int64) diagnose.Diagnosis {
	began := time.Duration(0)
	if a.scrape.To > 0 {
		began = a.scrape.From
	}
	if open > a.ackedFrom(began) {
		return diagnose.Diagnosis{}
	}
	neglected := e.Neglected(a.Life)
	a.Excused = neglected || a.failedLate(e)
	d := diagnose.Diagnosis{Cause: diagnose.ScrapeFailed, From: began, To: a.ticks[len(a.ticks)-1]}
	if a.scrape.To > 0 {
		d.Why = fmt.Sprintf("%s failed since the last good one at %s, and nothing that it counted since then was told", words.Times(a.failed, "scrape"), words.Seconds(began))
	} else {
		d.Why = fmt.Sprintf("all %s failed, so nothing that it counted was told", words.Times(a.failed, "scrape"))
	}
	switch {
	case neglected:
		d.Why += ", and the server asked it less than half as often as it does"
	case a.Excused:
		d.Why += ", but the machine was late itself then"
	}
	return d
}

// unasked is the diagnosis of a loss that is no more than what was acknowledged since a server of the user's asked last: it is the server's.
func (a *Account) unasked(e *evidence.Index, open int64) diagnose.Diagnosis {
	last := a.ticks[len(a.ticks)-1]
	if open > a.ackedFrom(a.scrape.From) || last-a.scrape.To <= a.Promise.ClientWindow {
		return diagnose.Diagnosis{}
	}
	a.Excused = true
	d := diagnose.Diagnosis{Cause: diagnose.ScrapeFailed, From: a.scrape.From, To: last, Why: "no scrape of the server's ever asked it"}
	if a.scrape.To > 0 {
		d.Why = fmt.Sprintf("the server asked it last at %s", words.Seconds(a.scrape.From))
	}
	return d
}

// failedLate tells whether the machine was so late after the last good scrape that one may have failed by that.
func (a *Account) failedLate(e *evidence.Index) bool {
	end := a.ticks[len(a.ticks)-1]
	if a.killed != record.Never {
		end = a.killed
	}
	stall, late := e.Delays(max(a.scrape.From, end-2*a.Promise.ClientWindow), end)
	return max(stall, late) > TooLate(a.Promise.ClientWindow)
}

// fell is the diagnosis of a count that is too high by what it had before it fell: increase() adds that again. Whether it began anew or is one
// of several is not known.
func (a *Account) fell(e *evidence.Index) diagnose.Diagnosis {
	for _, s := range e.Counters(a.Life.Instance, a.Promise.Metric) {
		last := 0.0
		for _, p := range s.Points {
			if s.Scraped() && p.HasNumber() && p.Value < last {
				return diagnose.Diagnosis{Cause: verdict.CauseReset, From: p.At, To: p.At, Why: fmt.Sprintf("its count falls, first at %s, and what it had before is counted again", words.Seconds(p.At))}
			}
			if p.HasNumber() {
				last = p.Value
			}
		}
	}
	return diagnose.Diagnosis{}
}
