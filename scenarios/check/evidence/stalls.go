package evidence

import (
	"cmp"
	"slices"
	"time"
)

// How late the machine was is read off the load generator, which is a process like any
// other: a request that was due at 3.000 s and went out at 3.040 s says that whatever
// was to run between the two may have waited for as long.

// pace is how late the load generator was for one request. indexPace widens
// late to what the machine may have been.
type pace struct{ due, sent, late time.Duration }

// Stall is the longest that the machine let a runnable process wait between
// from and to, as far as the load generator felt it: how late it was for a
// request that was waiting then, and how far its clock may be from the others'.
func (e *Index) Stall(from, to time.Duration) time.Duration {
	// Whoever was waiting at from was due at most the longest delay before.
	earliest := from - e.longestLate
	i, _ := slices.BinarySearchFunc(e.pace, earliest, func(p pace, t time.Duration) int { return CompareTimes(p.due, t) })
	var longest time.Duration
	for i < len(e.pace) && e.pace[i].due <= to {
		if i%paceBlock == 0 && i+paceBlock <= len(e.pace) && e.pace[i].due >= from && e.pace[i+paceBlock-1].due <= to {
			longest = max(longest, e.blockLate[i/paceBlock])
			i += paceBlock
			continue
		}
		if p := e.pace[i]; p.sent >= from {
			longest = max(longest, p.late)
		}
		i++
	}
	return longest + e.apart
}

// paceBlock is how many requests share one entry of Index.blockLate.
const paceBlock = 1024

// LeastStall is from which delay on a request is taken for delayed by a stall, and
// not by a scheduler's everyday work.
const LeastStall = 10 * time.Millisecond

// indexPace orders the requests by their due times. A stall began somewhere
// between the last request that was on time and the first that was not: it is
// taken to have begun as early as it can.
func (e *Index) indexPace() {
	if !slices.IsSortedFunc(e.pace, func(a, b pace) int { return CompareTimes(a.due, b.due) }) {
		slices.SortFunc(e.pace, func(a, b pace) int { return cmp.Or(CompareTimes(a.due, b.due), CompareTimes(a.late, b.late)) })
	}
	lastOnTime := time.Duration(0)
	for i := range e.pace {
		p := &e.pace[i]
		if p.late < LeastStall {
			lastOnTime = p.sent
			continue
		}
		p.late = max(p.late, min(p.sent-lastOnTime, p.late+mostGap))
	}
	for block := range slices.Chunk(e.pace, paceBlock) {
		var top time.Duration
		for _, p := range block {
			top = max(top, p.late)
		}
		e.blockLate = append(e.blockLate, top)
		e.longestLate = max(e.longestLate, top)
	}
}

// mostGap is how much earlier than the first late request a stall can be taken
// to have begun: where requests are rarer than that, they tell nothing.
const mostGap = 250 * time.Millisecond
