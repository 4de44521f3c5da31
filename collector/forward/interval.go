package forward

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"throughline/collector"
)

// history is the last point of each cumulative series, so that what an interval
// brought can be told.
type history struct {
	last  map[string]point
	swept time.Time // in the samples' time
}

type point struct {
	at        time.Time
	value     float64
	histogram *collector.Histogram
}

// forgotten is when a series that nobody ended is taken for ended.
const forgotten = 10 * time.Minute

var errEarlier = errors.New("it is not later than the last of its series, so what its interval brought is not known; Graphite can not have it")

// next remembers a sample and returns the one before it, if there is one and
// something is to be told of the time between.
func (h *history) next(s *collector.Sample) (point, bool, error) {
	key := s.Labels.Key(s.Name)
	last, known := h.last[key]
	switch {
	case s.Stale:
		delete(h.last, key)
		return point{}, false, nil
	case known && !s.At.After(last.at) && s.Observed == 0:
		return point{}, false, nil
	case known && !s.At.After(last.at):
		return point{}, false, errEarlier
	}
	h.last[key] = point{at: s.At, value: s.Value, histogram: s.Histogram}
	if s.At.Sub(h.swept) > forgotten {
		h.sweep(s.At)
	}
	return last, known && s.Observed > 0, nil
}

func (h *history) sweep(now time.Time) {
	h.swept = now
	for key, p := range h.last {
		if now.Sub(p.at) > forgotten {
			delete(h.last, key)
		}
	}
}

// since is what came into a cumulative histogram after it was `before`. One that
// began anew or has other buckets brought all that is in it.
func since(before, now *collector.Histogram) *collector.Histogram {
	if before == nil || before.Schema != now.Schema || before.ZeroThreshold != now.ZeroThreshold || now.Count < before.Count {
		return now
	}
	out := &collector.Histogram{Schema: now.Schema, ZeroThreshold: now.ZeroThreshold, ZeroCount: max(now.ZeroCount-before.ZeroCount, 0),
		Count: now.Count - before.Count, Sum: now.Sum - before.Sum}
	out.Positive = bucketsSince(before.Positive, now.Positive)
	out.Negative = bucketsSince(before.Negative, now.Negative)
	return out
}

func bucketsSince(before, now []collector.Bucket) []collector.Bucket {
	out := make([]collector.Bucket, 0, len(now))
	for _, b := range now {
		if at, found := slices.BinarySearchFunc(before, b.Index, func(x collector.Bucket, i int32) int { return cmp.Compare(x.Index, i) }); found {
			b.Count -= before[at].Count
		}
		if b.Count > 0 {
			out = append(out, b)
		}
	}
	return out
}

// quantile estimates the q-quantile of a histogram as PromQL's
// histogram_quantile does: within a bucket the logarithms are spread evenly, in
// the zero bucket the values. It is NaN if the histogram is empty.
// Source: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
func quantile(q float64, h *collector.Histogram) float64 {
	rank := q * h.Count
	base := math.Exp2(math.Exp2(-float64(h.Schema)))
	last := math.NaN()
	for _, b := range slices.Backward(h.Negative) { // from the lowest
		lower, upper := math.Pow(base, float64(b.Index)), math.Pow(base, float64(b.Index-1)) // of what is negated
		if rank <= b.Count {
			return -geometric(lower, upper, rank/b.Count)
		}
		rank, last = rank-b.Count, -upper
	}
	if h.ZeroCount > 0 {
		lower, upper := -h.ZeroThreshold, h.ZeroThreshold
		switch {
		case len(h.Negative) == 0 && len(h.Positive) > 0:
			lower = 0
		case len(h.Positive) == 0 && len(h.Negative) > 0:
			upper = 0
		}
		if rank <= h.ZeroCount {
			return lower + (upper-lower)*rank/h.ZeroCount
		}
		rank, last = rank-h.ZeroCount, upper
	}
	for _, b := range h.Positive {
		lower, upper := math.Pow(base, float64(b.Index-1)), math.Pow(base, float64(b.Index))
		if rank <= b.Count {
			return geometric(lower, upper, rank/b.Count)
		}
		rank, last = rank-b.Count, upper
	}
	return last // a little was lost in the sums
}

// geometric is the part of the way from one positive number to another.
func geometric(from, to, part float64) float64 { return from * math.Pow(to/from, part) }
