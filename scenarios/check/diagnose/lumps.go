package diagnose

import (
	"slices"
	"time"
)

// A client that adds up for seconds sends all that it holds at once, and then nothing for a
// while. Between two such lumps its counts are known better than its window says: what was
// answered well before a lump is in it, and what was sent after it is not.

const (
	// fewestLumps is of how many lumps it is seen that a client sends in lumps.
	fewestLumps = 3
	// oftenLumps is the greatest share of the intervals in which lumps may come.
	oftenLumps = 0.6
)

// sharpen narrows what a client may have sent by each interval end, where its counts come in
// lumps and all that is counted agrees with that.
func (t *track) sharpen(c *Case) {
	if !t.lumpy(c) {
		return
	}
	old, due, since, until := slices.Clone(t.old), slices.Clone(t.due), slices.Clone(t.leftBy), slices.Clone(t.madeBy)
	for k := 1; k < len(t.Ticks); k++ {
		if t.Counted[k] == t.Counted[k-1] {
			old[k], since[k] = max(old[k], old[k-1]), max(since[k], since[k-1])
			due[k], until[k] = due[k-1], max(since[k], until[k-1])
			continue
		}
		since[k] = max(since[k], since[k-1], t.Ticks[k-1]-t.behind(c, k))
		old[k] = max(old[k], old[k-1], upTo(t.Acked, since[k]))
	}
	if t.sharp = t.agrees(old, due); t.sharp {
		t.old, t.due, t.leftBy, t.madeBy = old, due, since, until
	}
}

// behind is how long before the beginning of an interval the latest count was made, at most,
// that came in it as part of a lump: clients that add up hand on to a buffer of their own.
func (t *track) behind(c *Case, k int) time.Duration {
	usual := 50*time.Millisecond + c.Window/10
	late := t.Ticks[k] - c.Window - usual - t.Since[k]
	return usual + 50*time.Millisecond + max(0, late)
}

// lumpy tells whether counts come in few of the intervals in which requests were answered.
func (t *track) lumpy(c *Case) bool {
	if c.Window < 2*c.Interval || t.n == 0 || t.noise > 0 || t.from != nil && t.from.first > 1 {
		return false
	}
	lumps, intervals := 0, 0
	for k := 1; k < len(t.Ticks); k++ {
		if upTo(t.Acked, t.Ticks[k]) == upTo(t.Acked, t.Ticks[k-1]) {
			continue
		}
		intervals++
		if t.Counted[k] > t.Counted[k-1] {
			lumps++
		}
	}
	return lumps >= fewestLumps && float64(lumps) <= oftenLumps*float64(intervals)
}

// agrees tells whether what must be lost by some interval end is lost at all later ones.
func (t *track) agrees(old, due []int64) bool {
	least := make([]float64, len(old))
	for k := range old {
		least[k] = float64(old[k]) - t.Counted[k]
		most := float64(due[k]+t.Spare) - t.Counted[k]
		if t.surplus {
			least[k], most = -most, -least[k]
		}
		for j := range k + 1 {
			if least[j] > most {
				return false
			}
		}
	}
	return true
}
