// Package account holds what instances acknowledged against what a metric counted: one
// [Account] for each instance, the [Allowances] by which the two may differ, and what
// the difference is booked to.
//
// It is no rule and fails nothing: whether a difference is a failure is for the rules
// in tiers and signals to say, which make the [Books]. Why there is one is asked of
// scenarios/check/diagnose, for all instances at once.
package account

import (
	"fmt"
	"sync"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Between names the two layers in a residual of an account: "users→web".
const Between = record.LayerUsers + verdict.Arrow + record.LayerWeb

// Account is what one instance did, held against what its metric says: what
// users had acknowledged by it, beside what was counted.
type Account struct {
	Life    record.Lifetime
	Promise script.Conservation
	Acked   []time.Duration // when its requests of the route were acknowledged, in order
	// counted is the metric, cumulative; Total its last value. Sampled is how
	// many measurements came before the collector scaled them by their sample
	// rates, -1 where it did not say.
	counted evidence.Curve
	Total   int64
	Sampled int64
	Allowance
	// Buffer is the most that the client's send buffer can have taken with it:
	// what was acknowledged from client_window before the SIGKILL on, or before
	// Silent, in which it did nothing. 0 for an instance that was not killed. Stalled is the same when the client's
	// flush timer was late by stall, like the load generator's, or because its
	// CPU was limited.
	killed          time.Duration // when it lost its chance to be counted; record.Never
	Buffer, Stalled int64
	Silent          time.Duration // before the kill, see silence
	stall           time.Duration
	slowed          time.Duration // by how much, because of the CPU
	// heldFor is for how long a count may be held on its way, by the client and then by an agent, for agentLate.
	heldFor, agentLate time.Duration
	agency             agency
	Early              int64 // missing before the kill, see beforeKill
	// Dropped tells that the collector's socket lost datagrams that may have
	// been this instance's.
	Dropped bool
	// Scraped tells that the metric is fetched: whatever ends an instance takes with it what
	// was counted after its last scrape. Buffer is that then.
	Scraped   bool
	scrape    evidence.Scrape // the last good one, before it ended or at all; its zero: none was
	failed    int64           // scrapes that failed after that
	byServer  bool            // it is a server of the user's that scrapes (metrics_from)
	Excused   bool            // they may have failed because the machine was late
	exported  bool            // the metric is pushed by OTLP, so that what an end took had not been exported
	twin      twin
	otherType collector.Type // see findNeighbours
	parts     []int64
	values    evidence.Curve // how many came, each in a line
	// failures is how many requests it answered in full, and not with 2xx.
	failures int64
	ticks    []time.Duration // the collector's interval ends while it lived, and the end
	Gap      []float64       // acknowledged less counted, at each tick
	possible []int64         // how many it can have executed by each tick
	Late     Lateness
	Ahead    Surplus
	others   []*record.Series // what else the instance sent
}

// Books are the accounts of all instances that a route concerns, of one metric and that route.
type Books struct {
	Promise  script.Conservation
	Accounts []Account
	All      Allowance
	Strays   []Stray
	// Explained are the causes of what is open in the accounts, found when one is asked for.
	Explained func() []diagnose.Diagnosis
}

// Stray is what was counted for something that is no web instance of the run.
type Stray struct {
	Instance string
	Counted  int64
}

// twin is the other metric that has a value for each of the same requests: the
// timer of a counter, the counter of a timer.
type twin struct {
	kind string // "timer" or "counter"
	n    int64  // how many values the instance sent; -1: no twin is known
	// came is how many values had come, each by itself; the zero curve: nobody knows when.
	came evidence.Curve
}

var noTwin = twin{n: -1}

// NewBooks makes the accounts of a counter.
func NewBooks(e *evidence.Index, promise script.Conservation) Books {
	b := BooksOf(e, promise, func(instance string) []*record.Series { return e.Counts(instance, promise.Metric) })
	for i := range b.Accounts {
		b.Accounts[i].findNeighbours(e)
	}
	return b.ExplainedBy(e)
}

// ExplainedBy makes the books ready to be asked for causes, which are looked for when the
// first is asked for: it takes long, and most books have nothing open.
func (b Books) ExplainedBy(e *evidence.Index) Books {
	b.Explained = sync.OnceValue(func() []diagnose.Diagnosis { return b.explain(e) })
	return b
}

// BooksOf makes the accounts of anything that an instance's series count: a counter, or the
// values of a timer.
func BooksOf(e *evidence.Index, promise script.Conservation, counted func(instance string) []*record.Series) Books {
	widths := NewAllowances(e, promise.Route)
	if promise.Status == script.Successes {
		widths = widths.ofSuccesses()
	}
	b := Books{Promise: promise, All: widths.All()}
	for _, l := range e.LivesFor(promise.Route) {
		a := newAccount(e, promise, l, counted(l.Instance))
		a.Allowance, a.failures = widths.ForLife(l), widths.failed[l.Instance]
		for _, t := range a.ticks {
			a.possible = append(a.possible, e.SentUpTo(l.Instance, promise.Route, t)+widths.upTo(l, t).Sum())
		}
		a.agency = a.agencyOf(e)
		a.Late, a.Ahead = a.lateness(e), a.surplus(e, widths)
		b.Accounts = append(b.Accounts, a)
	}
	if b.clockOff(e) && premature(e, promise).N > 0 {
		for i := range b.Accounts {
			b.Accounts[i].Ahead = Surplus{} // that is told of the clocks
		}
	}
	for _, instance := range e.Senders() {
		if _, known := e.LifeOf(instance); known || e.Scenario.MetricsFrom != nil && len(e.OverwrittenTo(promise.Metric, instance)) == 0 {
			continue // nor is it ours what else a server of the user's has
		}
		if n := evidence.Whole(evidence.SumOf(counted(instance)).Last()); n != 0 {
			b.Strays = append(b.Strays, Stray{instance, n})
		}
	}
	return b
}

func newAccount(e *evidence.Index, promise script.Conservation, l record.Lifetime, counted []*record.Series) Account {
	a := Account{Life: l, Promise: promise, Acked: e.Acked(l.Instance, promise.Route), Sampled: -1, twin: noTwin, others: e.Pushed[l.Instance]}
	a.agentLate = e.AgentLate(l.Instance)
	a.heldFor = promise.ClientWindow + a.agentLate
	a.counted = evidence.SumOf(counted)
	a.Total = max(0, evidence.Whole(a.counted.Last()))
	a.values = valuesOf(counted)
	for _, s := range e.Pushed[l.Instance] {
		if s.CountsSampled() && e.Is(s, promise.Metric) {
			a.Sampled = max(0, a.Sampled) + evidence.Whole(evidence.SumOf([]*record.Series{s}).Last())
		}
	}
	a.killed = e.KilledAt(l)
	a.exported = !e.OnStatsD(promise.Metric)
	if a.Scraped = e.Scraped(promise.Metric, promise.Route); a.Scraped {
		a.fetched(e)
	} else if at := a.killed; at != record.Never {
		if stall := e.Stall(at-time.Second, at+time.Second); stall >= evidence.LeastStall {
			a.stall = stall
		}
		a.slowed = slowed(e, l.Instance, at, promise.ClientWindow)
		a.stall = max(a.stall, a.slowed)
		a.Silent = silence(e, l.Instance, at)
		since := e.HeldSince(l.Instance, at-a.Silent, promise.ClientWindow)
		a.Buffer, a.Stalled = a.ackedFrom(since), a.ackedFrom(since-a.stall)
	}
	a.Dropped = e.DroppedOf(l.Instance, promise.Metric)
	a.follow(e)
	a.Early = a.beforeKill(e)
	return a
}

// follow compares the two curves at every interval end of the instance's life.
func (a *Account) follow(e *evidence.Index) {
	from, to := time.Duration(0), evidence.Forever
	if a.Life.Birth != record.Never {
		from = a.Life.Birth
	}
	if a.Life.Death != record.Never {
		to = e.Quiet(a.Life) + evidence.Settle*e.Interval
	}
	end := from
	for _, t := range e.Ticks {
		if t >= from && t <= to {
			a.ticks = append(a.ticks, t)
		}
		end = max(end, t)
	}
	if len(a.Acked) > 0 {
		end = max(end, a.Acked[len(a.Acked)-1])
	}
	if len(a.ticks) == 0 || a.ticks[len(a.ticks)-1] < end {
		a.ticks = append(a.ticks, end)
	}
	a.Gap = make([]float64, len(a.ticks))
	for k, t := range a.ticks {
		a.Gap[k] = float64(evidence.CountUpTo(a.Acked, t)) - a.counted.UpTo(t)
	}
}

// ackedFrom counts what was acknowledged at t or later.
func (a *Account) ackedFrom(t time.Duration) int64 {
	return int64(len(a.Acked)) - evidence.CountUpTo(a.Acked, t-1)
}

// slowed is how much longer than its window an instance's client may hold at t what
// it got, because its CPU was limited: what takes so much time of a whole CPU takes
// the longer the smaller its share of one is.
func slowed(e *evidence.Index, instance string, t, window time.Duration) time.Duration {
	share := 0.0
	for _, ev := range e.History.Events {
		if ev.Kind == record.Limited && ev.Instance == instance && ev.At <= t {
			share = ev.CPUs
		}
	}
	if share <= 0 || share >= 1 {
		return 0
	}
	return time.Duration(float64(window)/share) - window
}

// CountedWithin is how many were counted after from and up to to.
func (a *Account) CountedWithin(from, to time.Duration) float64 {
	return a.counted.UpTo(to) - a.counted.UpTo(from)
}

// Cut tells whether an end took the chance from what was counted last to be told: a SIGKILL, or
// any end of an instance that is scraped.
func (a *Account) Cut() bool { return a.killed != record.Never }

// WhyLate tells why a client's flush timer, or a scrape, may have been late.
func (a *Account) WhyLate() string {
	if a.slowed > 0 && a.slowed == a.stall {
		return fmt.Sprintf("its CPU was limited, so that it may have been %s late", a.stall.Round(time.Millisecond))
	}
	if a.byServer {
		return fmt.Sprintf("the server was %s late to ask it", a.stall.Round(time.Millisecond))
	}
	return fmt.Sprintf("the machine was %s late then", a.stall.Round(time.Millisecond))
}
