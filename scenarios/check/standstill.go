package check

import (
	"slices"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// freeze is a time in which an instance stood still; all did, if none is named.
type freeze struct {
	instance string
	stretch
}

// indexStandstills finds freezes, of which only one is under way at a time, and the
// instances that the host stopped because they had used up their share of CPU.
func (e *evidence) indexStandstills() {
	began := record.Never
	for _, ev := range e.history.Events {
		switch {
		case ev.Fault != script.Freeze:
		case ev.Kind == record.FaultBegin:
			began = ev.At
		case ev.Kind == record.FaultEnd && began != record.Never:
			e.freezes = append(e.freezes, freeze{ev.Instance, stretch{began, ev.At}})
			began = record.Never
		}
	}
	e.throttled = map[string]curve{}
	for _, s := range e.polled[hostStopped] {
		if c := sumOf([]*record.Series{s}); c.last() > 0 {
			e.throttled[s.Labels.Get(labelInstance)] = c
		}
	}
}

// frozen is how long an instance could do nothing, by the freezes that were not
// over at from: who stands still cannot send either.
func (e *evidence) frozen(instance string, from, to time.Duration) time.Duration {
	var sum time.Duration
	for _, f := range e.freezes {
		if (f.instance == "" || f.instance == instance) && f.to > from && f.from < to {
			sum += min(f.to, to) - f.from
		}
	}
	return sum
}

// still is how long an instance could do nothing between from and to: it was frozen,
// or the host stopped it because it had used up its share of CPU. The host tells the
// sum over CPUs, once a second: it cannot have been stopped for longer than that.
func (e *evidence) still(instance string, from, to time.Duration) time.Duration {
	sum := e.frozen(instance, from, to)
	c := e.throttled[instance]
	if from >= to {
		return sum
	}
	after := c.last()
	if k, _ := slices.BinarySearch(c.at, to); k < len(c.at) {
		after = c.n[k]
	}
	stopped := time.Duration(max(0, after-c.upTo(from)) * float64(time.Second))
	return sum + min(stopped, to-from)
}

// heldSince is from when on an instance's client may still hold at t what it got: its
// window before, not counting the time in which the instance stood still.
func (e *evidence) heldSince(instance string, t, window time.Duration) time.Duration {
	since := t - window
	for {
		earlier := t - window - e.still(instance, since, t)
		if earlier >= since {
			return since
		}
		since = earlier
	}
}
