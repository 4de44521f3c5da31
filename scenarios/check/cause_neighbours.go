package check

import (
	"fmt"
	"math"
	"time"

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

// alike tells whether two differences are of one size, as chance has it: lines of
// two metrics do not share every datagram.
func alike(a, b int64) bool {
	return a > 0 && b > 0 && math.Abs(float64(a-b)) <= 4*math.Sqrt(float64(a+b))
}

// diagnoseEven names a loss that is spread like the requests themselves.
func (a *account) diagnoseEven(lost int64, b books, d diagnosis) diagnosis {
	n := int64(len(a.acked))
	d.cause, d.why = evenLoss(n, a.total)
	half := b.halves()
	switch {
	case a.twin.n >= 0 && b.wholeRequests():
		d.cause, d.runnerUp = causeWorker, causeNetLost
		d.why = fmt.Sprintf("about %s is missing, and the %s of the same requests lacks the very same number: whole requests go unmeasured, as when one of several workers has lost its sender",
			oneIn(n, lost), a.twin.kind)
	case a.twin.n >= 0 && alike(lost, n-a.twin.n):
		d.cause, d.runnerUp = causeNetLost, causeWorker
		d.why = fmt.Sprintf("evenly, about %s is missing, and the %s of the same requests lacks as many (%s): what is lost are datagrams, not counts", oneIn(n, lost), a.twin.kind, number(n-a.twin.n))
	case half.peaks:
		d.runnerUp = d.cause
		d.cause = causeQueue
		d.why = fmt.Sprintf("of the intervals with more requests %.0f %% is missing, of those with fewer %.0f %%: the client's queue is full at the peaks, and drops", 100*half.fast, 100*half.slow)
	case half.close && d.runnerUp == "":
		d.runnerUp = causeQueue
	}
	return d
}

// wholeRequests tells whether timers and counters lack the very same number of
// requests, in every instance that lost some, and whether there are as many as one
// of a plausible number of workers has. Datagrams that are lost take about as many
// of both: just as many by chance, or where each holds whole requests. A kill
// takes what is in the client's buffers, which are not full alike.
func (b books) wholeRequests() bool {
	var acked, lost int64
	for i := range b.accounts {
		a := &b.accounts[i]
		if int64(len(a.acked)) == a.total || a.twin.n < 0 || a.killed != record.Never {
			continue
		}
		if a.twin.n != a.total {
			return false
		}
		acked += int64(len(a.acked))
		lost += int64(len(a.acked)) - a.total
	}
	return lost > 0 && lost*mostWorkers >= acked
}

// mostWorkers is how many workers an instance is thought to have at most: a
// smaller share than one of so many has is lost by datagrams more likely.
const mostWorkers = 16

// diagnoseBurst names a loss of some moments. One that strikes all instances in
// the same moments is not theirs.
func (a *account) diagnoseBurst(b books, d diagnosis) diagnosis {
	d.cause = causeBurst
	d.from, d.to = a.stepped()
	d.why = "they are neither the first nor the last of its life, nor spread over it"
	if b.halves().peaks {
		d.runnerUp = causeQueue
	}
	if n := int64(len(a.acked)); !a.silent(d.from, d.to) {
		if a.twin.n >= 0 && a.twin.n < n && alike(n-a.total, n-a.twin.n) {
			d.cause, d.runnerUp = causeNetLost, causeBurst
			d.why = fmt.Sprintf("some came all the while, and the %s of the same requests lacks as many (%s): what is lost are datagrams, not counts", a.twin.kind, number(n-a.twin.n))
		}
		return d
	}
	others := 0
	for i := range b.accounts {
		other := &b.accounts[i]
		if other.life.Instance == a.life.Instance || len(other.acked) == 0 ||
			countUpTo(other.acked, d.to) == countUpTo(other.acked, d.from) {
			continue // it answered nothing then
		}
		if other.life.Death != record.Never && other.life.Death < d.to {
			continue // what it lost may have gone with it
		}
		if int64(len(other.acked)) <= other.total || !other.silent(d.from, d.to) {
			return d
		}
		others++
	}
	if others > 0 {
		d.cause, d.runnerUp = causeAway, causeBurst
		d.why = fmt.Sprintf("the counts of all %d instances that answered then are missing: nobody received them", others+1)
	}
	return d
}

// silent tells whether next to nothing was counted in an interval between from and
// to, although some was acknowledged in it.
func (a *account) silent(from, to time.Duration) bool {
	for k := 1; k < len(a.ticks); k++ {
		before, end := a.ticks[k-1], a.ticks[k]
		acked := float64(countUpTo(a.acked, end) - countUpTo(a.acked, before))
		if end > from && before < to && acked >= fewest && a.counted.upTo(end)-a.counted.upTo(before) < acked/5 {
			return true // what came belongs to the moments before
		}
	}
	return false
}

// fewest is how many requests an interval must have had for its silence to mean
// something.
const fewest = 5

// unattended finds a stretch without interval ends, and tells whether the loss
// arose in it: no collector was there to end an interval.
func (a *account) unattended(lost int64, d diagnosis) (diagnosis, bool) {
	gone := permanent(a.gap)
	for k := 2; k < len(a.ticks)-1; k++ { // the last tick is the end of the record
		before, end := a.ticks[k-1], a.ticks[k]
		// The last interval before it was cut short.
		if end-before < 3*(a.ticks[1]-a.ticks[0])/2 || gone[k]-gone[k-2] < 0.8*float64(lost) {
			continue
		}
		d.cause, d.from, d.to = causeAway, a.ticks[k-2], end
		d.why = fmt.Sprintf("%s of them between %s and %s, when for a while the collector ended no interval: nobody received them", number(whole(gone[k]-gone[k-2])), seconds(d.from), seconds(end))
		return d, true
	}
	return d, false
}

// diagnoseFirst names the loss of so few counts that no curve tells how they are
// spread: they were the first of their series if every instance lacks as many, or if
// only this counter does and they were missing from its first count on.
func (a *account) diagnoseFirst(lost int64, b books, d diagnosis) (diagnosis, bool) {
	n := int64(len(a.acked))
	if lost > fewFirst || n <= fewAcks || b.onlyTheEndedLost() && (a.fitsExit(lost) || a.fitsKill(lost, true)) {
		return d, false
	}
	d.cause, d.runnerUp = causeFirstLost, causeNotCounted
	d.from, d.to = a.acked[0], a.acked[lost-1]
	switch {
	case b.allLack(lost):
		d.why = "all instances lack as many, however many requests they answered: the first sample of a series is lost"
	case (a.twin.n < 0 || a.twin.n == n) && a.fromTheFirst(lost):
		d.why = "they were missing from its first count on, and no more went missing after: the first sample of a series is lost"
	default:
		return diagnosis{from: a.acked[0], to: a.acked[n-1]}, false
	}
	return d, true
}

// allLack tells whether several instances, and all that answered a good many
// requests, lost the same few.
func (b books) allLack(lost int64) bool {
	same := 0
	for i := range b.accounts {
		a := &b.accounts[i]
		if len(a.acked) <= fewAcks {
			continue
		}
		if int64(len(a.acked))-a.total != lost {
			return false
		}
		same++
	}
	return same > 1
}

// fromTheFirst tells whether the lost ones were missing when the first were counted.
func (a *account) fromTheFirst(lost int64) bool {
	gone := permanent(a.gap)
	for k, t := range a.ticks {
		if a.counted.upTo(t) > 0 {
			return gone[k] >= float64(lost)
		}
	}
	return false
}

// fewFirst is how many counts may be the first sample: a client that aggregates
// puts a few requests into one.
const fewFirst = 3

// diagnoseType names the loss of what came under another type than a counter's.
func (a *account) diagnoseType(d diagnosis) (diagnosis, bool) {
	if a.also == "" {
		return d, false
	}
	d.cause = causeWrongType
	d.why = fmt.Sprintf("%s arrived as a %s too: what is sent as another type is not counted", a.rule.Metric, a.also)
	if len(a.counted.at) == 0 {
		d.why = fmt.Sprintf("%s arrived as a %s: what is sent as another type is not counted", a.rule.Metric, a.also)
	}
	return d, true
}
