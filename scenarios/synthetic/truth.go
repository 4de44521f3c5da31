package synthetic

import (
	"math"
	"slices"
	"sort"
	"time"
)

// sigmas is how far a sampled count may be off by chance, in standard deviations.
const sigmas = 4

// truth sums up what became of the counts.
func (w *world) truth(cause string) Truth {
	t := Truth{Cause: cause, About: w.f.about, Instances: map[string]Amount{}}
	if w.f.also != nil {
		t.Also = w.f.also(w)
	}
	for _, in := range w.instances {
		acked := int64(len(in.acked))
		a := Amount{Due: in.due, Counted: int64(math.Round(in.got.counted)), Late: in.got.late, Least: acked, Most: acked + in.unknown}
		if w.p.Only2xx { // then what was answered as a failure cannot be counted
			a.Most -= in.failed
		}
		if in.killed() {
			a.Buffer = int64(in.ackedSince(in.signalled - w.p.Declared))
			a.Least -= a.Buffer
		}
		if w.p.Rate1 < 1 {
			noise := int64(math.Ceil(sigmas * math.Sqrt(float64(in.due)*(1-w.p.Rate1)/w.p.Rate1)))
			a.Least, a.Most = a.Least-noise, a.Most+noise
		}
		t.Instances[in.name] = a
	}
	t.Also = append(t.Also, w.alike(t)...)
	slices.Sort(t.Also)
	t.Also = slices.DeleteFunc(slices.Compact(t.Also), func(c string) bool { return c == t.Cause })
	return t
}

// ackedSince is how many requests of the route were acknowledged since a time.
func (in *instance) ackedSince(t time.Duration) int {
	sort.Slice(in.acked, func(i, k int) bool { return in.acked[i] < in.acked[k] })
	return len(in.acked) - sort.Search(len(in.acked), func(i int) bool { return in.acked[i] >= t })
}
