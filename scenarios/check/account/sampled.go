package account

import (
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// SampledRange is the range of counts that sampling can have made of between lo
// and hi requests, each kept with probability p: outside of it a count has a
// probability under alpha/2 on its side: of 800 requests at p = 0.1 it is 49 to 115 for
// alpha = 0.0001, and not 80 give or take some percent. The test is exact; it is the one that
// the interval of Clopper and Pearson inverts.
// Source: https://doi.org/10.1093/biomet/26.4.404
func SampledRange(lo, hi int64, p, alpha float64) (least, most int64) {
	low := distuv.Binomial{N: float64(lo), P: p}
	least = int64(sort.Search(int(lo), func(n int) bool { return low.CDF(float64(n)) >= alpha/2 }))
	high := distuv.Binomial{N: float64(hi), P: p}
	// The greatest n with P(X ≥ n) ≥ alpha/2.
	most = int64(sort.Search(int(hi), func(n int) bool { return 1-high.CDF(float64(n)) < alpha/2 }))
	return least, most
}

// Sampling is what a declared sample rate can have made of an account.
type Sampling struct {
	Lo, Hi      int64 // requests that may have been counted
	Least, Most int64 // measurements that may have been kept of them
	Kept        int64
	Fits        bool
}

// Sampling compares the measurements that came with what sampling can have made of the
// requests. Of many instances one would miss its interval by chance: the chance of a false
// alarm is shared out among them (Bonferroni).
func (a *Account) Sampling(instances int) Sampling {
	n := int64(len(a.Acked))
	s := Sampling{Lo: max(0, n-a.Buffer), Hi: n + a.Sum(), Kept: a.Sampled}
	s.Least, s.Most = SampledRange(s.Lo, s.Hi, a.Promise.SampleRate, (1-a.Promise.Confidence)/float64(max(1, instances)))
	if s.Kept < 0 {
		s.Kept = evidence.Whole(float64(a.Total) * a.Promise.SampleRate)
	}
	scaled := math.Abs(float64(a.Total)-float64(s.Kept)/a.Promise.SampleRate) <= 1+0.005*float64(a.Total)
	exact := a.Sampled == a.Total && a.Total >= s.Lo && a.Total <= s.Hi
	s.Fits = exact || scaled && s.Kept >= s.Least && s.Kept <= s.Most
	return s
}

// SampledWidth is how far the scaled count may be from the number of acknowledged requests,
// either way, by what sampling, the buffer and unknown outcomes allow.
func (a *Account) SampledWidth(s Sampling) int64 {
	n := int64(len(a.Acked))
	below := float64(n) - float64(s.Least)/a.Promise.SampleRate
	above := float64(s.Most)/a.Promise.SampleRate - float64(n)
	return int64(math.Ceil(max(below, above, float64(s.Hi-s.Lo))))
}

// valuesOf is how many values came for some series, each in a line of its own.
func valuesOf(series []*record.Series) evidence.Curve {
	came := map[time.Duration]float64{}
	for _, s := range series {
		for _, p := range s.Points {
			came[p.At] += float64(p.Observed)
		}
	}
	c := evidence.Curve{At: slices.Sorted(maps.Keys(came))}
	var sum float64
	for _, at := range c.At {
		sum += came[at]
		c.N = append(c.N, sum)
	}
	return c
}
