package check

import (
	"math"

	"throughline/collector"
	"throughline/scenarios/record"
)

// What else an instance sent tells a path through the code from a path over the
// network: a defect in the code is of one metric, a lost datagram takes whatever
// is in it.

// lookAround finds the neighbours of a counter: its twin is the timer that the
// scenario's nesting check names for the same requests; parts are its series, by
// tags; also is another type under which the metric arrived.
func (a *account) lookAround(e *evidence) {
	for _, s := range e.counters(a.life.Instance, a.rule.Metric) {
		a.parts = append(a.parts, whole(sumOf([]*record.Series{s}).last()))
	}
	for _, s := range a.others {
		if s.Meta.StatsD == a.rule.Metric && s.Meta.Type != collector.Counter {
			a.also = s.Meta.Type
		}
	}
	for _, c := range e.scenario.Checks {
		if c.Nesting == nil || c.Nesting.Route != a.rule.Route {
			continue
		}
		timer := spectrumOf(e.timers(a.life.Instance, c.Nesting.Web), c.Nesting.Unit)
		if _, sampled := timer.sampled(); !sampled && timer.n > 0 {
			a.twin = twin{"timer", whole(timer.n)}
		}
		return
	}
}

// lookAroundTimer finds the twin of a timer: the counter that the scenario's
// conservation check names for the same requests. A counter that is sampled, or
// that never came, is none.
func (a *account) lookAroundTimer(e *evidence) {
	for _, c := range e.scenario.Checks {
		if c.Conservation == nil || c.Conservation.Route != a.rule.Route || c.Conservation.SampleRate < 1 {
			continue
		}
		if n := whole(sumOf(e.counters(a.life.Instance, c.Conservation.Metric)).last()); n > 0 {
			a.twin = twin{"counter", n}
		}
		return
	}
}

// alias finds the counter of the instance that counts about what the metric
// should. One that stands beside the metric elsewhere is a metric of its own.
func (a *account) alias(b books) (name string, count int64) {
	ownRight := map[string]bool{}
	for i := range b.accounts {
		if len(b.accounts[i].counted.at) == 0 {
			continue
		}
		for _, s := range b.accounts[i].others {
			ownRight[s.Meta.StatsD] = true
		}
	}
	sums := map[string][]*record.Series{}
	for _, s := range a.others {
		if isCounter(s) && !ownRight[s.Meta.StatsD] {
			sums[s.Meta.StatsD] = append(sums[s.Meta.StatsD], s)
		}
	}
	n := int64(len(a.acked))
	nearest := int64(math.MaxInt64)
	for other, series := range sums {
		sum := whole(sumOf(series).last())
		off := max(sum-n, n-sum)
		if off > max(n/5, a.sum()+a.stalled) { // a fifth: a renamed metric may have a second defect
			continue
		}
		if off < nearest || off == nearest && other < name {
			name, count, nearest = other, sum, off
		}
	}
	return name, count
}
