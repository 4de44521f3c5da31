package cloudwatch

import (
	"math"
	"time"
)

// longestReading is how much time one reading may stand for. What a counter did before it is not known.
const longestReading = 10 * time.Second

// Meter makes samples of what counters say at some moments. It is for one goroutine.
type Meter struct {
	store *Store
	last  map[Metric]reading
}

// reading is what a counter said.
type reading struct {
	at    time.Time
	total float64
	// used is how much it grew in the second that at is in, up to at; whole: since that second began.
	used  float64
	whole bool
}

// NewMeter makes one that has read nothing yet.
func NewMeter(store *Store) *Meter { return &Meter{store, map[Metric]reading{}} }

// Usage is told what a counter of seconds of use came to at a moment. For each second over which it was read
// it makes a sample: the growth per second, times scale. What grew between two readings is spread evenly over the time
// between them, so that it is the same in all whether they come in time or not. It tells whether the counter's
// past was known.
func (m *Meter) Usage(of Metric, at time.Time, total, scale float64) bool {
	last, known := m.since(of, at, total)
	if !known {
		m.last[of] = reading{at: at, total: total, whole: at.Equal(at.Truncate(Resolution))}
		return false
	}
	if !at.After(last.at) {
		return true
	}
	rate := (total - last.total) / at.Sub(last.at).Seconds()
	next := reading{at: at, total: total, used: last.used, whole: last.whole}
	for from := last.at; from.Before(at); {
		second := from.Truncate(Resolution)
		end := second.Add(Resolution)
		if end.After(at) {
			next.used += rate * at.Sub(from).Seconds()
			break
		}
		next.used += rate * end.Sub(from).Seconds()
		if next.whole {
			m.store.Put(of, second, next.used*scale/Resolution.Seconds())
		}
		next.used, next.whole = 0, true
		from = end
	}
	m.last[of] = next
	return true
}

// Count is told what a counter of events came to at a moment. The events since the last reading are a sample of the
// second in the middle between the two.
func (m *Meter) Count(of Metric, at time.Time, total float64) {
	last, known := m.since(of, at, total)
	m.last[of] = reading{at: at, total: total}
	if known {
		m.store.Put(of, last.at.Add(at.Sub(last.at)/2), total-last.total)
	}
}

// since is the last reading of a counter, if it tells anything of what the counter did since.
func (m *Meter) since(of Metric, at time.Time, total float64) (last reading, known bool) {
	last, known = m.last[of]
	return last, known && total >= last.total && at.Sub(last.at) <= longestReading && !math.IsNaN(total)
}

// Forget is told that nobody read the counter, or that it is gone. What it did since its last reading is in no sample.
func (m *Meter) Forget(of Metric) { delete(m.last, of) }
