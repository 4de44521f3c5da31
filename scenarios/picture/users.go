package picture

import (
	"math"
	"time"

	"throughline/scenarios/record"
)

// users is what users saw of all routes.
type users struct {
	of    map[string]*bins // requests by outcome, or by class of answer
	waits []*waits         // by bin in which they were due
}

// take counts a request by its outcome, at the time when that was known, and by how long
// it took from when it was due. One that was refused was not served, and took no time.
func (u *users) take(p *Picture, r record.Request, due, done int) {
	what := r.Outcome.String()
	if class := r.Answered(); class != "" {
		what = "answered " + class
	}
	b := u.of[what]
	if b == nil {
		b = p.newBins()
		u.of[what] = b
	}
	b.add(done, 1)
	if r.Outcome == record.Refused {
		return
	}
	for due >= len(u.waits) {
		u.waits = append(u.waits, nil)
	}
	if u.waits[due] == nil {
		u.waits[due] = &waits{}
	}
	u.waits[due].add(r.Done - r.Due)
}

// merge makes one bin of each pair.
func (u *users) merge() {
	merged := make([]*waits, (len(u.waits)+1)/2)
	for i, w := range u.waits {
		merged[i/2] = merged[i/2].plus(w)
	}
	u.waits = merged
}

// The classes of waits: each is a twentieth longer than the one before, from 10 µs to
// five minutes, so that a percentile is off by 2.5 % at most.
const (
	leastWait   = 10 * time.Microsecond
	waitGrowth  = 1.05
	waitClasses = 354
)

// waits counts durations by class.
type waits struct {
	n  uint32
	by [waitClasses]uint32
}

func (w *waits) add(d time.Duration) {
	class := 0
	if d > leastWait {
		class = int(math.Log(float64(d)/float64(leastWait)) / math.Log(waitGrowth))
	}
	w.n++
	w.by[min(class, waitClasses-1)]++
}

func (w *waits) plus(other *waits) *waits {
	if w == nil || other == nil {
		if w == nil {
			return other
		}
		return w
	}
	w.n += other.n
	for i, n := range other.by {
		w.by[i] += n
	}
	return w
}

// percentile is the middle of the class in which the nearest rank is, in milliseconds;
// NaN where nothing was waited for.
func (w *waits) percentile(q float64) float64 {
	if w == nil || w.n == 0 {
		return math.NaN()
	}
	rank := max(1, uint32(math.Ceil(q*float64(w.n))))
	var seen uint32
	for i, n := range w.by {
		if seen += n; seen >= rank {
			return leastWait.Seconds() * 1000 * math.Pow(waitGrowth, float64(i)+0.5)
		}
	}
	return math.NaN()
}
