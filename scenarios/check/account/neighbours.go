package account

import (
	"math"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// What else an instance sent tells a path through the code from a path over the
// network: a defect in the code is of one metric, a lost datagram takes whatever
// is in it.

// findNeighbours looks for what else tells of a counter: its twin is the timer that the
// scenario's nesting check names for the same requests; parts are its series, by
// tags; otherType is another type under which the metric arrived.
func (a *Account) findNeighbours(e *evidence.Index) {
	for _, s := range e.Counts(a.Life.Instance, a.Promise.Metric) {
		a.parts = append(a.parts, evidence.Whole(evidence.SumOf([]*record.Series{s}).Last()))
	}
	counted := collector.Counter
	if e.Timed(a.Promise.Metric) {
		counted = collector.Summary
	}
	for _, s := range e.SeriesOf(a.Life.Instance, a.Promise.Metric) {
		if s.Meta.Type != counted {
			a.otherType = s.Meta.Type
		}
	}
	if counted == collector.Summary {
		a.FindTimerNeighbours(e)
		return
	}
	for _, c := range script.Promised[script.Nesting](e.Scenario) {
		if c.Route != a.Promise.Route {
			continue
		}
		series := e.Timers(a.Life.Instance, c.Web)
		timer := SpectrumOf(series, c.Unit)
		if _, sampled := timer.Sampled(); !sampled && timer.N > 0 {
			a.twin = twin{"timer", evidence.Whole(timer.N), valuesOf(series)}
		}
		return
	}
}

// FindTimerNeighbours finds the twin of a timer: the counter that the scenario's
// conservation check names for the same requests. A counter that is sampled, or
// that never came, is none.
func (a *Account) FindTimerNeighbours(e *evidence.Index) {
	for _, c := range script.Promised[script.Conservation](e.Scenario) {
		if c.Route != a.Promise.Route || c.SampleRate < 1 || c.Metric.Name() == a.Promise.Metric.Name() {
			continue
		}
		if n := evidence.Whole(evidence.SumOf(e.Counters(a.Life.Instance, c.Metric)).Last()); n > 0 {
			a.twin = twin{kind: "counter", n: n}
		}
		return
	}
}

// alias finds the counter of the instance that counts about what the metric
// should. One that stands beside the metric elsewhere is a metric of its own.
func (a *Account) alias(b Books) (name string, count int64) {
	ownRight := map[string]bool{}
	for i := range b.Accounts {
		if len(b.Accounts[i].counted.At) == 0 {
			continue
		}
		for _, s := range b.Accounts[i].others {
			ownRight[s.Meta.Sent] = true
		}
	}
	sums := map[string][]*record.Series{}
	for _, s := range a.others {
		if s.IsCounter() && !ownRight[s.Meta.Sent] {
			sums[s.Meta.Sent] = append(sums[s.Meta.Sent], s)
		}
	}
	n := int64(len(a.Acked))
	nearest := int64(math.MaxInt64)
	for other, series := range sums {
		sum := evidence.Whole(evidence.SumOf(series).Last())
		off := max(sum-n, n-sum)
		if off > max(n/5, a.Sum()+a.Stalled, a.noise()) { // a fifth: a renamed metric may have a second defect
			continue
		}
		if off < nearest || off == nearest && other < name {
			name, count, nearest = other, sum, off
		}
	}
	return name, count
}

// noise is by how much the counts of a sampled metric may be off by chance: four standard
// deviations of the binomial distribution, scaled up by the rate.
func (a *Account) noise() int64 {
	rate := a.Promise.SampleRate
	if rate >= 1 {
		return 0
	}
	return int64(4 * math.Sqrt(float64(len(a.Acked))*(1-rate)/rate))
}
