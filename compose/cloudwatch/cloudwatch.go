// Package cloudwatch is a metrics service as Amazon's CloudWatch is one: what a
// hypervisor counts of an instance, put together by periods, and told late. It answers
// the operation GetMetricData in the protocol that Amazon's SDKs speak (rpc-v2-cbor).
//
// It is not a cloud, and measures nothing: whoever reads counters of the host tells a
// [Meter], and that has a [Store] keep a sample for each second. Alarms, percentiles,
// expressions and what else CloudWatch can do are not there, and are refused in
// CloudWatch's own words. scenarios/run makes one for a stack that asks for it.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
package cloudwatch

import (
	"math"
	"sync"
	"time"
)

// Resolution is the time of one sample: CloudWatch's StorageResolution of 1, the finest.
const Resolution = time.Second

// kept is how long samples of that resolution are kept.
const kept = 3 * time.Hour

// Metric is one metric of one thing.
type Metric struct {
	Namespace string // "AWS/EC2"
	Name      string // "CPUUtilization"
	// Dimension says whose it is, by one name ("InstanceId") and value ("i-0a1b2c3d4e5f67890").
	Dimension, Value string
}

// Store keeps samples and puts them together. It may be used by several goroutines at once.
type Store struct {
	delay time.Duration // after a period's end it is told
	now   func() time.Time

	mu      sync.Mutex
	samples map[Metric]map[int64]Statistics // by second since 1970
	until   time.Time                       // all is known up to here
	pruned  int64
}

// NewStore makes an empty one, which tells of a period when delay has passed since its end.
func NewStore(delay time.Duration, now func() time.Time) *Store {
	return &Store{delay: delay, now: now, samples: map[Metric]map[int64]Statistics{}, until: time.Unix(0, 0)}
}

// Statistics are what CloudWatch keeps of the samples of some time.
type Statistics struct{ Count, Sum, Min, Max float64 }

// with is both together.
func (s Statistics) with(o Statistics) Statistics {
	switch {
	case s.Count == 0:
		return o
	case o.Count == 0:
		return s
	}
	return Statistics{s.Count + o.Count, s.Sum + o.Sum, math.Min(s.Min, o.Min), math.Max(s.Max, o.Max)}
}

// of gives one of the statistics by its name; ok is false for a name that is none of them.
func (s Statistics) of(name string) (v float64, ok bool) {
	switch name {
	case "Average":
		return s.Sum / s.Count, true
	case "Sum":
		return s.Sum, true
	case "SampleCount":
		return s.Count, true
	case "Minimum":
		return s.Min, true
	case "Maximum":
		return s.Max, true
	}
	return 0, false
}

// Put adds a sample of the second that at is in.
func (s *Store) Put(m Metric, at time.Time, v float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.samples[m]
	if of == nil {
		of = map[int64]Statistics{}
		s.samples[m] = of
	}
	of[at.Unix()] = of[at.Unix()].with(Statistics{1, v, v, v})
}

// Known says that all samples of before at have been put. A period is not told before it is known.
func (s *Store) Known(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = at
	oldest := at.Add(-kept).Unix()
	if oldest < s.pruned+int64(time.Minute/time.Second) {
		return
	}
	s.pruned = oldest
	for m, of := range s.samples {
		for second := range of {
			if second < oldest {
				delete(of, second)
			}
		}
		if len(of) == 0 {
			delete(s.samples, m)
		}
	}
}

// point is what is told of one period.
type point struct {
	at time.Time // its beginning
	Statistics
}

// knownUntil is up to when all is known.
func (s *Store) knownUntil() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until
}

// periods puts the samples of a metric together: those of all periods that begin in [from, to) and end at over at the
// latest, in the order of time. A period without a sample gives none.
func (s *Store) periods(m Metric, period time.Duration, from, to, over time.Time) []point {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.samples[m]
	if len(of) == 0 {
		return nil
	}
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for second := range of {
		first, last = min(first, second), max(last, second)
	}
	long := int64(period / time.Second)
	var all []point
	for begin := align(max(from.Unix(), first-long), long); begin <= last && begin < to.Unix(); begin += long {
		if begin < from.Unix() || time.Unix(begin+long, 0).After(over) {
			continue
		}
		var sum Statistics
		for second := begin; second < begin+long; second++ {
			sum = sum.with(of[second])
		}
		if sum.Count > 0 {
			all = append(all, point{time.Unix(begin, 0).UTC(), sum})
		}
	}
	return all
}

// align rounds a second down to a whole multiple.
func align(second, to int64) int64 { return second - second%to }
