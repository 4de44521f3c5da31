package synthetic

import (
	"math"
	"sort"
	"time"
)

// sigmas is how far a sampled count may be off by chance, in standard deviations.
const sigmas = 4

// truth sums up what became of the counts.
func (w *world) truth(d defect) Truth {
	t := Truth{Cause: d.cause, About: w.f.about, Instances: map[string]Amount{}}
	if w.f.also != nil {
		t.Also = w.f.also(w)
	}
	for _, in := range w.instances {
		a := Amount{Due: in.due, Counted: int64(math.Round(in.got.counted)), Late: in.got.late, Hidden: in.unknown}
		if in.killed() {
			a.Hidden += int64(in.ackedSince(in.signalled - w.p.Declared))
		}
		if w.p.Rate1 < 1 {
			a.Hidden += int64(math.Ceil(sigmas * math.Sqrt(float64(in.due)*(1-w.p.Rate1)/w.p.Rate1)))
		}
		t.Instances[in.name] = a
	}
	return t
}

// ackedSince is how many requests of the route were acknowledged since a time.
func (in *instance) ackedSince(t time.Duration) int {
	sort.Slice(in.acked, func(i, k int) bool { return in.acked[i] < in.acked[k] })
	return len(in.acked) - sort.Search(len(in.acked), func(i int) bool { return in.acked[i] >= t })
}
