package account

import (
	"cmp"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// Allowances is how often requests of some routes may have been executed beyond
// what was acknowledged: the widths of the upper bounds. None of them is a
// tolerance; each counts rows of the users' ledger or of HAProxy's. Three requests without an
// answer of which the log says that web-2 had two widen the bound of web-2 by 3, those of all
// others by 1, and that of all together by 3.
type Allowances struct {
	e         *evidence.Index
	named     map[string]overlaps // unknown rows that an instance is known to have had
	anonymous overlaps            // rows that anybody may have had
	failed    map[string]int64    // of the named: answered in full, and not with 2xx
	answered  map[string]overlaps // the named without the failed
	replayed  overlaps            // attempts beyond the first: anybody may have got them
	// Each row once, whoever it may belong to.
	unknown, Replays int64
}

// NewAllowances reads the rows of the routes; without routes, of all.
func NewAllowances(e *evidence.Index, routes ...string) Allowances {
	a := Allowances{e: e, failed: map[string]int64{}}
	named, answered := map[string][]weighted{}, map[string][]weighted{}
	var anonymous, replayed []weighted
	for _, s := range e.Users.Spans {
		if !evidence.Wanted(routes, s.Key.Route) {
			continue
		}
		a.unknown += s.Unknown
		a.Replays += s.Replays
		if s.Replays > 0 {
			replayed = append(replayed, weighted{s.Sent, s.Done, s.Replays})
		}
		if s.Unknown == 0 {
			continue
		}
		if had := cmp.Or(s.Key.Instance, s.Had); had != "" {
			row := weighted{s.Sent, s.Done, s.Unknown}
			named[had] = append(named[had], row)
			if s.Failed {
				a.failed[had] += s.Unknown
			} else {
				answered[had] = append(answered[had], row)
			}
		} else {
			row := weighted{s.Sent, s.Done, s.Unknown}
			if e.BeforeBalancer(s.Sent, s.Done) {
				row.done = evidence.Forever // whoever is there when it arrives may have had it
			}
			anonymous = append(anonymous, row)
		}
	}
	a.anonymous, a.replayed = newOverlaps(anonymous), newOverlaps(replayed)
	a.named, a.answered = overlapsOf(named), overlapsOf(answered)
	return a
}

func overlapsOf(rows map[string][]weighted) map[string]overlaps {
	out := make(map[string]overlaps, len(rows))
	for instance, of := range rows {
		out[instance] = newOverlaps(of)
	}
	return out
}

// Allowance is the width of one upper bound, by what makes it.
type Allowance struct{ Unknown, Replays, Retries int64 }

// Sum is the width of the bound.
func (a Allowance) Sum() int64 { return a.Unknown + a.Replays + a.Retries }

// ForLife is what one instance may have executed beyond what it acknowledged.
func (a Allowances) ForLife(l record.Lifetime) Allowance { return a.upTo(l, evidence.Forever) }

// upTo is what one instance may have executed beyond what it acknowledged by t: of
// requests that had been sent by then. When retries were is not known: all of them.
func (a Allowances) upTo(l record.Lifetime, t time.Duration) Allowance {
	from, to := time.Duration(0), evidence.Forever
	if l.Birth != record.Never {
		from = l.Birth
	}
	if l.Death != record.Never {
		to = l.Death
	}
	to = min(to, t)
	return Allowance{
		Unknown: a.named[l.Instance].touching(0, t) + a.anonymous.touching(from, to),
		Replays: a.replayed.touching(from, to),
		Retries: a.e.RetriesOn(l.Instance),
	}
}

// All is what the instances together may have executed beyond what was
// acknowledged, each row counted once.
func (a Allowances) All() Allowance {
	return Allowance{Unknown: a.unknown, Replays: a.Replays, Retries: a.e.Retries()}
}

// ofSuccesses leaves out the rows that failed, for a metric that counts successes only: an
// answer other than 2xx is an outcome as good as any then, and widens nothing.
func (a Allowances) ofSuccesses() Allowances {
	for _, n := range a.failed {
		a.unknown -= n
	}
	a.named = a.answered
	return a
}
