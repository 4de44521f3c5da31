package app

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"throughline/app/statsd"

	"github.com/gin-gonic/gin"
)

// Wrong values: timers and gauges.

const (
	timeEvery    = 2 // the talk's own sample rate of a timer is 0.5
	averagedOver = time.Second
	missEvery    = 20
)

func valueDefects() []Defect {
	return []Defect{
		{Name: "sampled-timer", Entry: "F16", Metric: timed, About: "every second time of an insert is sent, without its rate @0.5",
			begin: onTimes(func(nth int64, d time.Duration) (time.Duration, bool) { return d, nth%timeEvery == 0 })},
		{Name: "seconds-as-ms", Entry: "F26", Metric: timed, About: "times of inserts are sent in seconds, as if they were milliseconds",
			begin: onTimes(func(_ int64, d time.Duration) (time.Duration, bool) { return d / 1000, true })},
		{Name: "averaged-timer", Entry: "F40", Metric: timed, About: "of the times of a second's inserts only the average is sent",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return &averaged{Client: c, harm: l, now: time.Now}
			})},
		{Name: "delta-gauge", Entry: "F22", Metric: inFlight, About: "the gauge in flight is sent as +1 and -1, and every 20th -1 is missed", begin: deltas},
		{Name: "shared-gauge", Entry: "F23", Metric: inFlight, About: "twelve workers set the gauge in flight each to their own number: the last one wins",
			begin: func(Config, *harm) (wrong, error) {
				return wrong{meter: func(m statsd.Middleware) meter { return shared{m} }}, nil
			}},
	}
}

// mistimed changes or leaves out the times of inserts.
type mistimed struct {
	statsd.Client
	*harm
	change func(nth int64, d time.Duration) (sent time.Duration, send bool) // nth from 1
	nth    atomic.Int64
}

func onTimes(change func(int64, time.Duration) (time.Duration, bool)) beginning {
	return onClient(func(c statsd.Client, l *harm) statsd.Client {
		return &mistimed{Client: c, harm: l, change: change}
	})
}

func (m *mistimed) Timing(name string, d time.Duration) {
	if name != timed {
		m.Client.Timing(name, d)
		return
	}
	if d, send := m.change(m.nth.Add(1), d); send {
		m.Client.Timing(name, d)
	} else {
		m.book(0, 1)
	}
}

// averaged sends one time for all of a second. It does so when it is told the
// first one of a later second, or when it is closed.
type averaged struct {
	statsd.Client
	*harm
	now    func() time.Time
	mu     sync.Mutex
	second time.Time
	sum    time.Duration
	n      int64
}

func (a *averaged) Timing(name string, d time.Duration) {
	if name != timed {
		a.Client.Timing(name, d)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if second := a.now().Truncate(averagedOver); !second.Equal(a.second) {
		a.send()
		a.second = second
	}
	a.sum += d
	a.n++
}

// send is called with the lock.
func (a *averaged) send() {
	if a.n == 0 {
		return
	}
	a.Client.Timing(timed, a.sum/time.Duration(a.n))
	a.book(1, a.n)
	a.sum, a.n = 0, 0
}

func (a *averaged) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.send()
	return a.Client.Close()
}

// delta sends the changes of a gauge where it should send the gauge.
type delta struct {
	beside
	*harm
	tags string // as a field

	mu   sync.Mutex // lines leave in their order
	last float64
	down int64
}

func deltas(c Config, l *harm) (wrong, error) {
	return wrong{client: func(client statsd.Client) (statsd.Client, error) {
		b, err := connectBeside(client, c.StatsD)
		return &delta{beside: b, harm: l, tags: tagField(c.Tags)}, err
	}}, nil
}

func (d *delta) Gauge(name string, value float64) {
	if name != inFlight {
		d.Client.Gauge(name, value)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	change := value - d.last
	d.last = value
	if change < 0 {
		if d.down++; d.down%missEvery == 0 {
			d.book(0, 1)
			return
		}
	}
	d.send(fmt.Sprintf("%s:%+g|g%s", name, change, d.tags))
}

// sharers are so many that a gauge of one of them is too low for the few requests too that
// were in flight for an interval and longer, when each is given up after two seconds.
const sharers = 12

// shared has a gauge in flight for each worker, all of one name. Requests go to
// the workers in turn.
type shared struct{ statsd.Middleware }

func (s shared) InFlight(name string) gin.HandlerFunc {
	var own [sharers]gin.HandlerFunc
	for i := range own {
		own[i] = s.Middleware.InFlight(name)
	}
	var nth atomic.Int64
	return func(c *gin.Context) { own[nth.Add(1)%sharers](c) }
}
