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
	named     map[string]int64 // unknown rows that an instance is known to have had
	anonymous overlaps         // rows that anybody may have had
	failed    map[string]int64 // of the named: answered in full, and not with 2xx
	replayed  overlaps         // attempts beyond the first: anybody may have got them
	// Each row once, whoever it may belong to.
	unknown, Replays int64
}

// NewAllowances reads the rows of the routes; without routes, of all.
func NewAllowances(e *evidence.Index, routes ...string) Allowances {
	a := Allowances{e: e, named: map[string]int64{}, failed: map[string]int64{}}
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
			a.named[had] += s.Unknown
			if s.Failed {
				a.failed[had] += s.Unknown
			}
		} else {
			anonymous = append(anonymous, weighted{s.Sent, s.Done, s.Unknown})
		}
	}
	a.anonymous, a.replayed = newOverlaps(anonymous), newOverlaps(replayed)
	return a
}

// Allowance is the width of one upper bound, by what makes it.
type Allowance struct{ Unknown, Replays, Retries int64 }

// Sum is the width of the bound.
func (a Allowance) Sum() int64 { return a.Unknown + a.Replays + a.Retries }

// ForLife is what one instance may have executed beyond what it acknowledged.
func (a Allowances) ForLife(l record.Lifetime) Allowance {
	from, to := time.Duration(0), evidence.Forever
	if l.Birth != record.Never {
		from = l.Birth
	}
	if l.Death != record.Never {
		to = l.Death
	}
	return Allowance{
		Unknown: a.named[l.Instance] + a.anonymous.touching(from, to),
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
	named := map[string]int64{}
	for instance, n := range a.named {
		named[instance] = n - a.failed[instance]
		a.unknown -= a.failed[instance]
	}
	a.named = named
	return a
}
