package check

import (
	"math"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// resets finds counters of HAProxy that fall. HAProxy begins to count anew when
// it is reloaded or started again, and what an old process still does is in no
// statistics: from then on its numbers are no account of the run. Without a
// birth of a load balancer in the journal nobody has asked for it. A reload that
// is in the journal is no reset: see stitch.
func (b balancer) resets() *verdict.Finding {
	at := record.Never
	var names []string
	for name, all := range b.e.polled {
		if !isBalancers(name) {
			continue
		}
		for _, s := range all {
			if s.Meta.Type != collector.Counter || s.Labels.Get("proxy") != b.frontend && s.Labels.Get("proxy") != b.backend {
				continue
			}
			if fell := falls(s); fell != record.Never {
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
	f := lbFinding(verdict.Fail, "HAProxy's counters fall at %s without a birth of it in the journal (%s): it was reloaded or started again, and its numbers are not compared", words.Seconds(at), words.Some(names))
	if b.born(at) {
		f = lbFinding(verdict.Inconclusive, "HAProxy was started anew and its counters fall at %s (%s): its numbers are not compared", words.Seconds(at), words.Some(names))
	}
	f.From, f.To, f.Cause = at.Seconds(), at.Seconds(), verdict.CauseReset
	return &f
}

// falls is when a counter falls first.
func falls(s *record.Series) time.Duration {
	last := math.Inf(-1)
	for _, p := range s.Points {
		if !counts(p) {
			continue
		}
		if p.Value < last {
			return p.At
		}
		last = p.Value
	}
	return record.Never
}

// born tells whether a load balancer was started under load and before t.
func (b balancer) born(t time.Duration) bool {
	return slices.ContainsFunc(b.e.history.Events, func(ev record.Event) bool {
		return ev.Kind == record.Birth && ev.Role == record.LoadBalancer && ev.At > b.e.begin && ev.At <= t
	})
}
