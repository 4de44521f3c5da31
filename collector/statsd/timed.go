package statsd

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// timed are the lines of a client that wait for their time: those of series
// of which a line had a timestamp. They are added in order when no earlier one
// is taken any more.
type timed struct {
	series   []*series
	lines    map[int64][]heldLine // by the end of their interval, in ns since 1970
	values   int                  // in them
	due      []int64              // ends of intervals of which the series have given no point yet
	released int64                // all points up to then are given, in ns since 1970
}

// heldLine is a line that waits.
type heldLine struct {
	series  *series
	lane    *lane
	measure measure
}

// forever is later than any time.
const forever = math.MaxInt64

// heldTotal is how many times Config.MaxHeld all clients together may hold.
const heldTotal = 10

// end notes that an interval ended at a time, and was not slept through.
func (t *timed) end(at time.Time) {
	if len(t.series) > 0 {
		t.due = append(t.due, at.UnixNano())
	}
}

// place is the end of the interval that a second belongs to, in ns since 1970.
// cl.mu is held.
func (cl *client) place(second int64) (int64, fate) {
	last := cl.end.Add(cl.shared.cfg.OutOfOrder)
	if second > last.Unix() { // and maybe so far off that no time.Duration holds it
		return 0, early
	}
	end := cl.grid.After(time.Unix(second, 0))
	switch {
	case end.After(last):
		return 0, early
	case end.UnixNano() <= cl.timed.released:
		return 0, late
	}
	return end.UnixNano(), accepted
}

// hold keeps a line for the interval that ends at end. cl.mu is held.
func (cl *client) hold(line heldLine, end int64) fate {
	s, t := line.series, &cl.timed
	if end <= s.resumed.UnixNano() && !s.resumed.IsZero() {
		end = cl.grid.After(s.resumed).UnixNano()
	}
	floor := s.floor
	if !s.timed && s.begun && !s.last.IsZero() || !s.timed && s.observed > 0 {
		floor = cl.end.Add(-cl.shared.cfg.Interval).UnixNano()
	}
	n := line.measure.count()
	switch {
	case end <= floor:
		return late
	case line.measure.negative() && s.companions != nil:
		return negativeCount
	case t.values+n > cl.shared.cfg.MaxHeld:
		return heldFull
	case cl.shared.held.Add(int64(n)) > int64(cl.shared.cfg.MaxHeld)*heldTotal:
		cl.shared.held.Add(-int64(n))
		return heldFull
	}
	if !s.timed {
		s.timed, s.floor = true, floor
		t.series = append(t.series, s)
	}
	if t.lines == nil {
		t.lines = map[int64][]heldLine{}
	}
	line.measure.values = slices.Clone(line.measure.values)
	t.lines[end] = append(t.lines[end], line)
	t.values += n
	return held
}

// release adds the held lines of all intervals up to horizon, and appends the
// points of those intervals. cl.mu is held.
func (cl *client) release(horizon int64) {
	t := &cl.timed
	if horizon != forever {
		defer func() { t.released = max(t.released, horizon) }()
	}
	if len(t.series) == 0 {
		return
	}
	ends := slices.Clone(t.due)
	for end := range t.lines {
		ends = append(ends, end)
	}
	slices.Sort(ends)
	for _, end := range slices.Compact(ends) {
		if end > horizon {
			break
		}
		cl.releaseOne(end)
	}
	t.due = slices.DeleteFunc(t.due, func(end int64) bool { return end <= horizon })
}

// releaseOne does release for one interval.
func (cl *client) releaseOne(end int64) {
	t := &cl.timed
	lines := t.lines[end]
	delete(t.lines, end)
	slices.SortStableFunc(lines, func(x, y heldLine) int { return cmp.Compare(x.measure.at, y.measure.at) })
	for i := range lines {
		x := &lines[i]
		n := x.measure.count()
		f := x.series.add(&x.measure, cl.shared)
		tally := &x.lane.tally
		tally.Held--
		tally.book(f)
		if f == accepted {
			tally.Values += uint64(n)
			if x.measure.stamped {
				tally.Timestamped++
			}
		}
		t.values -= n
		cl.shared.held.Add(-int64(n))
	}
	// A point that carries the value forward is for an interval in which the
	// client was looked at, not for one that a flush came too late for.
	regular := slices.Contains(t.due, end)
	at := time.Unix(0, end)
	for _, s := range t.series {
		idle := s.observed == 0 && (!regular || s.last.IsZero() || s.stale)
		if !idle && end > s.floor {
			cl.ready = s.flush(cl.ready, at, at.Add(-cl.shared.cfg.Interval), cl.shared)
		}
	}
	t.released = max(t.released, end)
}

// step is called when the clock was set: what is held is of a time that may
// never come. It is given out up to the present interval, and what is later
// belongs to that one. cl.mu is held.
func (cl *client) step() {
	t, end := &cl.timed, cl.end.UnixNano()
	cl.release(end - 1)
	var later []int64
	for at := range t.lines {
		if at != end {
			later = append(later, at)
		}
	}
	slices.Sort(later)
	for _, at := range later {
		t.lines[end] = append(t.lines[end], t.lines[at]...)
		delete(t.lines, at)
	}
	t.released = 0
	for _, s := range t.series {
		s.floor = 0
	}
}
