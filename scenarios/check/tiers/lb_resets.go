package tiers

import (
	"math"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// balancerReset finds counters of HAProxy that fall. HAProxy begins to count anew when
// it is reloaded or started again, and what an old process still does is in no
// statistics: from then on its numbers do not tell of the run. Without a
// birth of a load balancer in the journal nobody has asked for it. A reload that
// is in the journal is no reset: see stitch.
func (c Comparison) balancerReset(b evidence.Balancer) *verdict.Finding {
	at := record.Never
	var names []string
	for name, all := range b.Index.Polled {
		if !c.To.Holds(name) {
			continue
		}
		for _, s := range all {
			if s.Meta.Type != collector.Counter || !b.Carries(s) {
				continue
			}
			if fell := firstFall(s); fell != record.Never {
				names = append(names, name)
				if at == record.Never || fell < at {
					at = fell
				}
			}
		}
	}
	if at == record.Never {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	f := c.finding(verdict.Fail, "HAProxy's counters fall at %s without a birth of it in the journal (%s): it was reloaded or started again, and its numbers are not compared", words.Seconds(at), words.Some(names))
	if bornBy(b, at) {
		f = c.finding(verdict.Inconclusive, "HAProxy was started anew and its counters fall at %s (%s): its numbers are not compared", words.Seconds(at), words.Some(names))
	}
	f.From, f.To, f.Cause = at.Seconds(), at.Seconds(), verdict.CauseReset
	return &f
}

// firstFall is when a counter falls first.
func firstFall(s *record.Series) time.Duration {
	last := math.Inf(-1)
	for _, p := range s.Points {
		if !p.HasNumber() {
			continue
		}
		if p.Value < last {
			return p.At
		}
		last = p.Value
	}
	return record.Never
}

// bornBy tells whether a load balancer was started under load and before t.
func bornBy(b evidence.Balancer, t time.Duration) bool {
	return slices.ContainsFunc(b.Index.History.Events, func(ev record.Event) bool {
		return ev.Kind == record.Birth && ev.Role == record.LoadBalancer && ev.At > b.Index.Begin && ev.At <= t
	})
}
