package check

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// account is one instance's page of the ledger between users and web: what the
// users know that it executed, and what its metric says.
type account struct {
	life  record.Lifetime
	rule  script.Conservation
	acked []time.Duration // when its requests of the route were acknowledged, in order
	// counted is the metric, cumulative; total its last value. sampled is how
	// many measurements came before the collector scaled them by their sample
	// rates, -1 where it did not say.
	counted curve
	total   int64
	sampled int64
	allowance
	// buffer is the most that the client's send buffer can have taken with it:
	// what was acknowledged from client_window before the SIGKILL on. 0 for
	// an instance that was not killed. stalled is the same when the client's
	// flush timer was late by stall, like the load generator's, or because its
	// CPU was limited.
	killed          time.Duration // when it lost its chance to flush; record.Never
	buffer, stalled int64
	stall           time.Duration
	slowed          time.Duration // see slowed
	early           int64         // missing before the kill, see beforeKill
	// dropped tells that the collector's socket lost datagrams that may have
	// been this instance's.
	dropped bool
	twin    twin
	also    collector.Type // see lookAround
	parts   []int64
	lines   int64 // values of the metric that the collector took
	// failures is how many requests it answered in full, and not with 2xx.
	failures int64
	ticks    []time.Duration // the collector's interval ends while it lived, and the end
	gap      []float64       // acknowledged less counted, at each tick
	late     lateness
	ahead    surplus
	others   []*record.Series // what else the instance sent
}

// books are the accounts of all web instances for one rule.
type books struct {
	rule     script.Conservation
	accounts []account
	all      allowance
	strays   []stray
	// explained are the causes of what is open in the accounts, found when one is asked for.
	explained func() []diagnose.Diagnosis
}

// stray is what was counted for something that is no web instance of the run.
type stray struct {
	instance string
	counted  int64
}

// twin is the other metric that has a value for each of the same requests: the
// timer of a counter, the counter of a timer.
type twin struct {
	kind string // "timer" or "counter"
	n    int64  // how many values the instance sent; -1: no twin is known
}

var noTwin = twin{n: -1}

// newBooks makes the accounts of a counter.
func newBooks(e *evidence, rule script.Conservation) books {
	b := booksOf(e, rule, func(instance string) []*record.Series { return e.counters(instance, rule.Metric) })
	for i := range b.accounts {
		b.accounts[i].lookAround(e)
	}
	return b.explainedBy(e)
}

// explainedBy makes the books ready to be asked for causes.
func (b books) explainedBy(e *evidence) books {
	b.explained = sync.OnceValue(func() []diagnose.Diagnosis { return b.explain(e) })
	return b
}

// booksOf makes the accounts of what an instance's series count.
func booksOf(e *evidence, rule script.Conservation, counted func(instance string) []*record.Series) books {
	widths := newAllowances(e, rule.Route)
	if rule.Status == script.Successes {
		widths = widths.ofSuccesses()
	}
	b := books{rule: rule, all: widths.all()}
	known := map[string]bool{}
	for _, l := range e.lives {
		known[l.Instance] = true
		a := newAccount(e, rule, l, counted(l.Instance))
		a.allowance, a.failures = widths.of(l), widths.failed[l.Instance]
		a.late, a.ahead = a.lateness(e), a.surplus(e)
		b.accounts = append(b.accounts, a)
	}
	for _, instance := range e.senders() {
		if known[instance] {
			continue
		}
		if n := whole(sumOf(counted(instance)).last()); n != 0 {
			b.strays = append(b.strays, stray{instance, n})
		}
	}
	return b
}

func newAccount(e *evidence, rule script.Conservation, l record.Lifetime, counted []*record.Series) account {
	a := account{life: l, rule: rule, acked: e.acked(l.Instance, rule.Route), sampled: -1, twin: noTwin, others: e.pushed[l.Instance]}
	a.counted = sumOf(counted)
	a.total = max(0, whole(a.counted.last()))
	for _, s := range counted {
		for _, p := range s.Points {
			a.lines += int64(p.Observed)
		}
	}
	for _, s := range e.pushed[l.Instance] {
		if s.Meta.StatsD == rule.Metric && strings.HasSuffix(s.Name, sampledSuffix) {
			a.sampled = max(0, a.sampled) + whole(sumOf([]*record.Series{s}).last())
		}
	}
	a.killed = e.killedAt(l)
	if at := a.killed; at != record.Never {
		if stall := e.stall(at-time.Second, at+time.Second); stall >= noticed {
			a.stall = stall
		}
		a.slowed = e.slowed(l.Instance, at, rule.ClientWindow)
		a.stall = max(a.stall, a.slowed)
		since := e.heldSince(l.Instance, at, rule.ClientWindow)
		a.buffer, a.stalled = a.ackedFrom(since), a.ackedFrom(since-a.stall)
	}
	a.dropped = e.dropped(l.Instance)
	a.follow(e)
	a.early = a.beforeKill(e)
	return a
}

// follow compares the two curves at every interval end of the instance's life.
func (a *account) follow(e *evidence) {
	from, to := time.Duration(0), forever
	if a.life.Birth != record.Never {
		from = a.life.Birth
	}
	if a.life.Death != record.Never {
		to = a.life.Death + settle*e.interval
	}
	end := from
	for _, t := range e.ticks {
		if t >= from && t <= to {
			a.ticks = append(a.ticks, t)
		}
		end = max(end, t)
	}
	if len(a.acked) > 0 {
		end = max(end, a.acked[len(a.acked)-1])
	}
	if len(a.ticks) == 0 || a.ticks[len(a.ticks)-1] < end {
		a.ticks = append(a.ticks, end)
	}
	a.gap = make([]float64, len(a.ticks))
	for k, t := range a.ticks {
		a.gap[k] = float64(countUpTo(a.acked, t)) - a.counted.upTo(t)
	}
}

// settle is for how many intervals the last counts of an instance are followed
// after its death; what comes later still is in the total. As many before a
// SIGKILL tell what was missing already.
const settle = 5

// ackedFrom counts what was acknowledged at t or later.
func (a *account) ackedFrom(t time.Duration) int64 {
	return int64(len(a.acked)) - countUpTo(a.acked, t-1)
}

// killedAt is when the instance lost its chance to flush; Never if it had it.
// The harness notes its own SIGKILL just before it sends it. A death that
// nobody asked for is noticed only afterwards: the last answer is the last sign
// of life.
func (e *evidence) killedAt(l record.Lifetime) time.Duration {
	switch {
	case !l.Killed():
		return record.Never
	case l.Signal == sigKill && l.Signalled != record.Never:
		return l.Signalled
	}
	at := l.Death
	for _, route := range e.users.routes {
		if acked := e.acked(l.Instance, route); len(acked) > 0 {
			at = min(at, acked[len(acked)-1])
		}
	}
	return at
}

const sigKill = "SIGKILL"

// slowed is how much longer than its window an instance's client may hold at t what
// it got, because its CPU was limited: what takes so much time of a whole CPU takes
// the longer the smaller its share of one is.
func (e *evidence) slowed(instance string, t, window time.Duration) time.Duration {
	share := 0.0
	for _, ev := range e.history.Events {
		if ev.Kind == record.Limited && ev.Instance == instance && ev.At <= t {
			share = ev.CPUs
		}
	}
	if share <= 0 || share >= 1 {
		return 0
	}
	return time.Duration(float64(window)/share) - window
}

// whyLate tells why a client's flush timer may have been late.
func (a *account) whyLate() string {
	if a.slowed > 0 && a.slowed == a.stall {
		return fmt.Sprintf("its CPU was limited, so that it may have been %s late", a.stall.Round(time.Millisecond))
	}
	return fmt.Sprintf("the machine was %s late then", a.stall.Round(time.Millisecond))
}

// dropped tells whether the collector's socket, or a relay before it, lost
// datagrams that may have been the instance's.
func (e *evidence) dropped(instance string) bool {
	for _, ev := range e.history.Events {
		if ev.Kind == record.Trouble && (ev.About == aboutCollector || ev.About == aboutRelay) && ev.Count > 0 && (ev.Instance == instance || ev.Instance == "") {
			return true
		}
	}
	return false
}

// whole is a count; what is beyond mostWhole stays there, so that it is neither
// taken for nothing nor too large to be added up.
func whole(v float64) int64 {
	if math.IsNaN(v) {
		return 0
	}
	return int64(math.Round(min(max(v, -mostWhole), mostWhole)))
}

// mostWhole is up to where a float tells whole numbers apart.
const mostWhole = 1 << 53

// booking is where the difference of an account goes.
type booking struct {
	lost, extra int64 // acknowledged and not counted; counted and not acknowledged
	residuals   []verdict.Residual
	unexplained int64 // of lost or extra
}

// book explains the difference between users and web, cause by cause, each up
// to its bound; what remains is unexplained.
func (a *account) book() booking {
	b := booking{lost: max(0, int64(len(a.acked))-a.total), extra: max(0, a.total-int64(len(a.acked)))}
	left := b.lost + b.extra
	enter := func(cause string, n, bound int64) {
		n = min(left, n)
		if n <= 0 {
			return
		}
		left -= n
		r := verdict.Residual{Between: verdict.UsersWeb, Instance: a.life.Instance, Cause: cause, Bound: bound}
		if b.lost > 0 {
			r.Lost = n
		} else {
			r.Extra = n
		}
		b.residuals = append(b.residuals, r)
	}
	if b.lost > 0 {
		enter(verdict.CauseBuffer, min(a.buffer, b.lost-a.early), a.buffer)
	} else {
		enter(verdict.CauseUnknown, a.unknown, a.unknown)
		enter(verdict.CauseReplay, a.replays, a.replays)
		enter(verdict.CauseRetry, a.retries, a.retries)
	}
	b.unexplained = left
	return b
}

// beforeKill is how many acknowledged requests were uncounted before a SIGKILL
// although they were too old for the client's buffer, at each of the last
// interval ends: the buffer at the kill cannot be blamed for them. A lag does
// not excuse them, because a SIGKILL takes what lags behind as well.
func (a *account) beforeKill(e *evidence) int64 {
	if a.killed == record.Never {
		return 0
	}
	var missing, looked int64
	for k := len(a.ticks) - 1; k >= 0 && a.ticks[k] > a.killed-settle*e.interval; k-- {
		t := a.ticks[k]
		if t > a.killed {
			continue
		}
		oldest := e.heldSince(a.life.Instance, t, a.rule.ClientWindow)
		stall, flush := e.delays(oldest-time.Second, t+time.Second)
		m := max(0, countUpTo(a.acked, oldest-max(stall, flush, a.slowed))-whole(math.Ceil(a.counted.upTo(t))))
		if looked == 0 || m < missing {
			missing = m
		}
		looked++
	}
	if looked < 2 {
		return 0
	}
	return missing
}
