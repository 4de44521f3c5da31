package crew

import (
	"sync"
	"time"
)

// Exchange is one comparison of a worker's clock with its coordinator's. The four times are those of RFC 5905, section 8.
type Exchange struct {
	Asked    time.Duration // T1, by the worker's clock
	Received time.Duration // T2, by the coordinator's
	Answered time.Duration // T3, by the coordinator's
	Told     time.Duration // T4, by the worker's
}

// Offset is the coordinator's clock less the worker's: ((T2 − T1) + (T3 − T4)) / 2.
func (x Exchange) Offset() time.Duration {
	return ((x.Received - x.Asked) + (x.Answered - x.Told)) / 2
}

// Bound is by how much Offset may be wrong when the exchange was made, whichever way took longer: half the round trip,
// ((T4 − T1) − (T3 − T2)) / 2.
func (x Exchange) Bound() time.Duration {
	return ((x.Told - x.Asked) - (x.Answered - x.Received) + 1) / 2
}

const (
	// drift is by how much two clocks may move apart in each second: 500 µs, the frequency tolerance of RFC 5905 (MAXFREQ,
	// 500 ppm). A crystal is within 100 ppm; a clock that is off by more is broken, and its bound does not hold.
	drift = 500e-6
	// lastExchanges is how many are kept, as the clock filter of RFC 5905, section 10, does.
	lastExchanges = 8
)

// Reckoning gives the coordinator's time for that of a worker, and by how much it may be wrong. The zero value knows nothing.
// Its methods may be called by several goroutines at once.
type Reckoning struct {
	mu    sync.Mutex
	last  []Exchange
	n     int
	worst time.Duration
}

// Add adds an exchange. One that cannot have been, because its answer took longer than all of it, is left out.
func (r *Reckoning) Add(x Exchange) {
	if x.Bound() < 0 || x.Answered < x.Received {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if len(r.last) == lastExchanges {
		r.last = append(r.last[:0], r.last[1:]...)
	}
	r.last = append(r.last, x)
}

// At is the coordinator's time at a time of the worker's, and by how much it may be wrong: by the exchange that leaves the
// least, when the drift since is added to its bound. There must be one.
func (r *Reckoning) At(t time.Duration) (at, bound time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	offset, bound := r.best(t)
	r.worst = max(r.worst, bound)
	return t + offset, bound
}

func (r *Reckoning) best(t time.Duration) (offset, bound time.Duration) {
	for i, x := range r.last {
		since := max(t-x.Asked, x.Told-t)
		if b := x.Bound() + time.Duration(drift*float64(since)); i == 0 || b < bound {
			offset, bound = x.Offset(), b
		}
	}
	return offset, bound
}

// Worst is the greatest bound that At gave, the offset at a time, and how many exchanges there were.
func (r *Reckoning) Worst(t time.Duration) (worst, offset time.Duration, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	offset, _ = r.best(t)
	return r.worst, offset, r.n
}
