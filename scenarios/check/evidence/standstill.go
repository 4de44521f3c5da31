package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Stretch is the time from one offset in a record to another.
type Stretch struct{ From, To time.Duration }

// freeze is a time in which an instance stood still; all did, if none is named.
type freeze struct {
	instance string
	Stretch
}

// indexStandstills finds freezes, and the instances that the host stopped because they had used up their share of CPU.
func (e *Index) indexStandstills() {
	for _, f := range e.FaultSpans(script.IsFault[script.Freeze]) {
		e.freezes = append(e.freezes, freeze{f.End.Instance, f.Stretch})
	}
	e.throttled = map[string]Curve{}
	for _, s := range e.Polled[record.HostStopped] {
		if c := SumOf([]*record.Series{s}); c.Last() > 0 {
			e.throttled[s.Labels.Get(LabelInstance)] = c
		}
	}
}

// Frozen is how long an instance could do nothing, by the freezes that were not
// over at from: who stands still cannot send either.
func (e *Index) Frozen(instance string, from, to time.Duration) time.Duration {
	var sum time.Duration
	for _, f := range e.freezes {
		if (f.instance == "" || f.instance == instance) && f.To > from && f.From < to {
			sum += min(f.To, to) - f.From
		}
	}
	return sum
}

// Still is how long an instance could do nothing between from and to: it was frozen,
// or the host stopped it because it had used up its share of CPU. The host tells the
// sum over CPUs, once a second: it cannot have been stopped for longer than that.
func (e *Index) Still(instance string, from, to time.Duration) time.Duration {
	sum := e.Frozen(instance, from, to)
	c := e.throttled[instance]
	if from >= to {
		return sum
	}
	after := c.Last()
	if k, _ := slices.BinarySearch(c.At, to); k < len(c.At) {
		after = c.N[k]
	}
	stopped := time.Duration(max(0, after-c.UpTo(from)) * float64(time.Second))
	return sum + min(stopped, to-from)
}

// HeldSince is from when on an instance's client may still hold at t what it got: its
// window before, not counting the time in which the instance stood still. With a window of
// 100 ms, one that was frozen from 6.0 to 9.0 s may hold at 9.05 s what it got since 5.95 s. As
// far as the users' clock may be off (Apart) it is earlier: what it got is in their ledger.
func (e *Index) HeldSince(instance string, t, window time.Duration) time.Duration {
	window += e.apart
	since := t - window
	for {
		earlier := t - window - e.Still(instance, since, t)
		if earlier >= since {
			return since
		}
		since = earlier
	}
}
