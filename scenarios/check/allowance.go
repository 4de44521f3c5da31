package check

import (
	"cmp"
	"time"

	"throughline/scenarios/record"
)

// allowances is how often requests of some routes may have been executed beyond
// what was acknowledged: the widths of the upper bounds. None of them is a
// tolerance; each counts rows of the users' ledger or of HAProxy's.
type allowances struct {
	e         *evidence
	named     map[string]int64 // unknown rows that an instance is known to have had
	anonymous overlaps         // rows that anybody may have had
	failed    map[string]int64 // of the named: answered in full, and not with 2xx
	replayed  overlaps         // attempts beyond the first: anybody may have got them
	// Each row once, whoever it may belong to.
	unknown, replays int64
}

// newAllowances reads the rows of the routes; without routes, of all.
func newAllowances(e *evidence, routes ...string) allowances {
	a := allowances{e: e, named: map[string]int64{}, failed: map[string]int64{}}
	var anonymous, replayed []weighted
	for _, s := range e.users.spans {
		if !wanted(routes, s.key.route) {
			continue
		}
		a.unknown += s.unknown
		a.replays += s.replays
		if s.replays > 0 {
			replayed = append(replayed, weighted{s.sent, s.done, s.replays})
		}
		if s.unknown == 0 {
			continue
		}
		if had := cmp.Or(s.key.instance, s.had); had != "" {
			a.named[had] += s.unknown
			if s.failed {
				a.failed[had] += s.unknown
			}
		} else {
			anonymous = append(anonymous, weighted{s.sent, s.done, s.unknown})
		}
	}
	a.anonymous, a.replayed = newOverlaps(anonymous), newOverlaps(replayed)
	return a
}

// allowance is the width of one upper bound, by what makes it.
type allowance struct{ unknown, replays, retries int64 }

func (a allowance) sum() int64 { return a.unknown + a.replays + a.retries }

// of is what one instance may have executed beyond what it acknowledged.
func (a allowances) of(l record.Lifetime) allowance {
	from, to := time.Duration(0), forever
	if l.Birth != record.Never {
		from = l.Birth
	}
	if l.Death != record.Never {
		to = l.Death
	}
	return allowance{
		unknown: a.named[l.Instance] + a.anonymous.touching(from, to),
		replays: a.replayed.touching(from, to),
		retries: a.e.retriesOn(l.Instance),
	}
}

// all is what the instances together may have executed beyond what was
// acknowledged, each row counted once.
func (a allowances) all() allowance {
	return allowance{unknown: a.unknown, replays: a.replays, retries: a.e.retries()}
}

// ofSuccesses is the same where what failed does not count: an answer other than
// 2xx is an outcome as good as any then, and widens nothing.
func (a allowances) ofSuccesses() allowances {
	named := map[string]int64{}
	for instance, n := range a.named {
		named[instance] = n - a.failed[instance]
		a.unknown -= a.failed[instance]
	}
	a.named = named
	return a
}
