package diagnose

import (
	"math"
	"slices"
	"time"

	"throughline/scenarios/record"
)

// The twin has a curve too: when its values came, beside the same requests. A client that adds
// counts up for seconds often sends the values of a timer soon, so that the twin tells better
// when something was lost than the counter does. It says so only where it lacks some itself:
// whatever struck both must have struck both in the same shape.

// twinTracks lays out the twin of each account, where its values come much sooner than counts do.
func (k *court) twinTracks() {
	usual := k.Window + 50*time.Millisecond + k.Window/10 // that Since leaves a client
	if k.Window < k.Interval/4 {
		return // counts come soon themselves
	}
	all, own := make([]*track, len(k.tracks)), make([]*track, len(k.tracks))
	for i := range k.tracks {
		all[i], own[i] = k.tracks[i].twinTrack(), &k.tracks[i]
	}
	hold := holdOf(all, usual)
	if 2*hold > min(usual, holdOf(own, usual)) {
		return
	}
	c := *k.Case
	c.Window = hold
	for i, v := range all {
		if v == nil {
			continue
		}
		v.Since = v.sooner(usual - hold)
		if taken := v.since(v.Killed - hold); v.Killed != record.Never && v.Buffer <= v.since(v.Killed-k.Window) {
			v.Buffer = min(v.Buffer, taken)
			v.least = max(0, v.wrong-v.Buffer)
		}
		v.bound(0, 0, &c)
		k.tracks[i].timed = v
	}
}

// holdOf is for how long a client holds what some tracks counted, as their curves say: a delay is
// on average half of what it is at most.
func holdOf(all []*track, usual time.Duration) time.Duration {
	const unsure = 20 * time.Millisecond
	return max(2*soonest(all, usual), shortest(all, usual))*5/4 + unsure
}

// soonest is the delay with which the share of values that comes is most nearly the same in
// every interval.
func soonest(all []*track, longest time.Duration) time.Duration {
	best, least := longest, math.Inf(1)
	for delay := 4 * time.Millisecond; delay <= longest; delay += delay / 2 {
		var off float64
		for _, v := range all {
			if v != nil {
				off += v.unsteady(delay)
			}
		}
		if off < least {
			best, least = delay, off
		}
	}
	return best
}

// shortest is for how long a client may hold values at least, so that none is lost at one interval
// end and had come at a later one.
func shortest(all []*track, usual time.Duration) time.Duration {
	for hold := 4 * time.Millisecond; hold < usual; hold += hold / 2 {
		if !slices.ContainsFunc(all, func(v *track) bool { return v != nil && !v.agreesWith(usual-hold) }) {
			return hold
		}
	}
	return usual
}

// agreesWith tells whether values may leave so much sooner than usual.
func (t *track) agreesWith(sooner time.Duration) bool {
	old, due := make([]int64, len(t.Ticks)), slices.Clone(t.Sent)
	for k, since := range t.sooner(sooner) {
		if old[k] = upTo(t.Acked, since); t.Killed != record.Never && t.Ticks[k] >= t.Killed {
			old[k] = 0 // nobody knows what the kill took
		}
	}
	return t.agrees(old, due)
}

// sooner is Since of values that leave so much sooner.
func (t *track) sooner(by time.Duration) []time.Duration {
	out := slices.Clone(t.Since)
	for k, since := range out {
		if since != forever {
			out[k] = min(t.Ticks[k], since+by)
		}
	}
	return out
}

// twinTrack is the twin as a track of its own; nil where nobody knows when its values came.
func (t *track) twinTrack() *track {
	if t.Twin.Kind == "" || len(t.Twin.At) != len(t.Ticks) || t.n == 0 {
		return nil
	}
	a := Account{Instance: t.Instance, Life: t.Life, Killed: t.Killed, Acked: t.Acked, Ticks: t.Ticks, Since: t.Account.Since,
		Counted: t.Twin.At, Sent: t.Sent, Total: t.Twin.N, Rate: 1, Buffer: t.Buffer, Spare: t.Spare, Lines: t.Twin.N, Datagrams: t.Datagrams}
	if a.Open = t.n - t.Twin.N; a.Open <= a.Buffer && a.Open >= -a.Spare {
		a.Open = 0
	}
	v := newTrack(&a)
	return &v
}

// both scores a shape by the counter, and by its twin where that lacks some as well, or has
// some too many: as badly as it fits the worse of the two.
func (t *track) both(score func(t *track) float64) float64 {
	own := score(t)
	if v := t.timed; v != nil && v.surplus == t.surplus && v.Open != 0 {
		return min(own, score(v))
	}
	return own
}
