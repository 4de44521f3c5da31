package synthetic

import "time"

// call is a call of an instance's StatsD client.
type call struct {
	at     time.Duration
	metric metric
	n      float64 // what is counted, or milliseconds
	rate   float64 // as it is sent on the wire
	bad    bool    // its line makes no sense to the collector
}

// metric is a name with its type.
type metric uint8

const (
	inserts metric = iota
	gets
	tops
	insertTime
	getTime
	dbTime
	renamedInserts // counts the same under another name
	gaugedInserts  // the same name as a gauge
	metrics
)

// timer tells whether a metric is a timer.
func (m metric) timer() bool { return m == insertTime || m == getTime || m == dbTime }

// faults are where a defect reaches into the simulation. What is nil stays right.
type faults struct {
	about string

	// The application. count is what an execution adds to the counter; without it
	// the inserts that succeed count one.
	count   func(*worker, execution) int
	untimed func(*worker, execution) bool // the timers do not see the execution
	change  func(*worker, *call) bool     // the counter's call is sent like this; false: not at all
	sampled float64                       // lots are drawn for the counter, and the rate is not sent

	// The client.
	client func(*instance) Client                     // what it really does
	later  func(*worker, call) time.Duration          // a call comes to the client so much later
	keep   func(*worker, []call) []call               // which calls ever leave, in the order of time
	exit   func(*worker, call, time.Duration) int     // how many times what is held at SIGTERM leaves; for what would have left when
	leaves func(*worker, call, time.Duration) leaving // overrides when a call leaves
	// recycle: a worker is replaced after so many executions; 0: never.
	recycle int

	// The way to the collector.
	datagrams func(*instance, *datagram) int // how many copies of it arrive
	foreign   func(*world, *instance) []time.Duration

	// declare gives the client_window that was measured of what was kept; nil: the
	// one that was drawn.
	declare   func() time.Duration
	restarted bool // the collector is, by a step: what comes meanwhile is lost
	// punctual, of a defect that is about when counts arrive and not whether: how
	// much later than the declared window the scenario lets them come. 0: of another.
	punctual time.Duration
	// also are other causes that the record cannot exclude; see Truth.Also.
	also func(*world) []string
}

// leaving is when a call's line leaves for the collector, if ever.
type leaving struct {
	at    time.Duration
	never bool
}

// measure has a worker call its client for an execution.
func (w *world) measure(x *worker, e execution) {
	every := w.p.Recycle
	if w.f.recycle > 0 {
		every = w.f.recycle
	}
	if x.executions++; every > 0 && x.executions%every == 0 {
		x.recycled = append(x.recycled, e.at)
	}
	n := 0
	if e.route == insert && e.ok() {
		n = 1
	}
	if w.f.count != nil {
		n = w.f.count(x, e)
	}
	for range n {
		w.count(x, e)
	}
	if n < 0 { // so many at once
		x.nth++
		x.calls = append(x.calls, call{at: e.at, metric: inserts, n: float64(-n), rate: 1})
	}
	if !e.ok() || e.route == health {
		return
	}
	if w.p.Others && e.route != insert {
		x.calls = append(x.calls, call{at: e.at, metric: map[string]metric{get: gets, top: tops}[e.route], n: 1, rate: 1})
	}
	if !w.p.Timers || w.f.untimed != nil && w.f.untimed(x, e) {
		return
	}
	ms := float64(e.took) / 1e6
	switch e.route {
	case insert:
		x.calls = append(x.calls, call{at: e.at, metric: insertTime, n: ms * 0.7, rate: 1})
	case get:
		x.calls = append(x.calls, call{at: e.at, metric: getTime, n: ms * 0.7, rate: 1})
	}
	x.calls = append(x.calls, call{at: e.at, metric: dbTime, n: ms * 0.4, rate: 1})
}

// count calls the client for one count.
func (w *world) count(x *worker, e execution) {
	x.nth++
	c := call{at: e.at, metric: inserts, n: 1, rate: 1}
	if w.p.Rate1 < 1 {
		if !chance(x.rnd, w.p.Rate1) {
			return
		}
		c.rate = w.p.Rate1
	}
	if w.f.sampled > 0 && !chance(x.rnd, w.f.sampled) {
		return
	}
	if w.f.change != nil && !w.f.change(x, &c) {
		return
	}
	x.calls = append(x.calls, c)
}
