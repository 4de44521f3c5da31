package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
)

// FirstTick is the first interval end after t. Interval ends are those of the
// collector, continued in both directions: also an interval in which the
// collector stored nothing is one.
func (e *Index) FirstTick(t time.Duration) time.Duration {
	phase := time.Duration(0)
	if len(e.Ticks) > 0 {
		phase = e.Ticks[0] % e.Interval
	}
	end := t - t%e.Interval + phase
	for end <= t {
		end += e.Interval
	}
	for end-e.Interval > t {
		end -= e.Interval
	}
	return end
}

// SentUpTo counts the acknowledged requests of an instance that had been sent
// by t: more cannot have been counted by then.
func (e *Index) SentUpTo(instance, route string, t time.Duration) int64 {
	key := RowKey{instance, route}
	if e.sentAt == nil {
		e.sentAt = map[RowKey][]time.Duration{}
		for i := range e.History.Requests {
			r := &e.History.Requests[i]
			if r.Outcome == record.Acked && r.Instance != "" {
				k := RowKey{r.Instance, r.Route}
				if e.sentAt[k] == nil {
					e.sentAt[k] = make([]time.Duration, 0, len(e.Users.AckedAt[k]))
				}
				e.sentAt[k] = append(e.sentAt[k], r.Sent)
			}
		}
		for _, at := range e.sentAt {
			slices.Sort(at)
		}
	}
	return CountUpTo(e.sentAt[key], t)
}

// Durations is the users' times of an instance's acknowledged requests of a route,
// from sent to done, sorted, in seconds.
func (e *Index) Durations(instance, route string) []float64 {
	if e.times == nil {
		e.times = map[RowKey][]float64{}
		for i := range e.History.Requests {
			if r := &e.History.Requests[i]; r.Outcome == record.Acked && r.Instance != "" {
				key := RowKey{r.Instance, r.Route}
				if e.times[key] == nil {
					e.times[key] = make([]float64, 0, len(e.Users.AckedAt[key]))
				}
				e.times[key] = append(e.times[key], (r.Done - r.Sent).Seconds())
			}
		}
		for _, t := range e.times {
			slices.Sort(t)
		}
	}
	return e.times[RowKey{instance, route}]
}
