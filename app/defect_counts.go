package app

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"throughline/app/statsd"
)

// Wrong numbers: how often and how much is counted.

const (
	doubleEvery  = 20
	skipEvery    = 25
	sampleEvery  = 10
	workers      = 4
	queueRoom    = 1 // a call more in one queueEmptied is dropped
	queueEmptied = 10 * time.Millisecond
)

func countDefects() []Defect {
	return []Defect{
		{Name: "counted-twice", Entry: "F26", About: "every 20th insert is counted twice", begin: tamper(func(n int64) int64 {
			if n%doubleEvery == 0 {
				return 2
			}
			return 1
		})},
		{Name: "double-instrumented", Entry: "F26", About: "the handler and its middleware both count: each insert counts two",
			begin: tamper(func(int64) int64 { return 2 })},
		{Name: "not-counted", Entry: "F26", About: "every 25th insert is not counted", begin: tamper(func(n int64) int64 {
			if n%skipEvery == 0 {
				return 0
			}
			return 1
		})},
		{Name: "first-sample-lost", Entry: "F17", About: "the first insert of an instance is not counted", begin: tamper(func(n int64) int64 {
			if n == 1 {
				return 0
			}
			return 1
		})},
		{Name: "forgotten-rate", Entry: "F15", About: "one insert in ten is sent, without its rate @0.1", begin: tamper(func(n int64) int64 {
			if n%sampleEvery == 0 {
				return 1
			}
			return 0
		})},
		{Name: "total-as-counter", Entry: "F19", About: "each insert adds the total so far to the counter",
			begin: tamper(func(n int64) int64 { return n })},
		{Name: "renamed-per-instance", Entry: "F20", About: "inserts are counted as fullstack.insert.<instance>", begin: renamed},
		{Name: "silent-worker", Entry: "F6", About: "one of four workers has lost its sender: a quarter of all requests is neither counted nor timed",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return &forked{Client: c, harm: l, calls: map[string]int64{}}
			})},
		{Name: "queue-full", Entry: "F11", About: "the client's queue takes one count in 10 ms and drops the others",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return &queue{Client: c, harm: l, now: time.Now}
			})},
		{Name: "get-counted", Entry: "F26", About: "the counter of inserts counts the requests of /get too",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client { return &both{c, l} })},
		{Name: "probes-counted", Entry: "F57", About: "requests of /healthz are counted as inserts", begin: countProbes},
		{Name: "cache-hits-only", Entry: "F26", About: "only hits of a cache are counted: one insert in 2, 3 or 4, by the instance's number", begin: hitsOnly},
	}
}

// tampered sends a wrong number, or under a wrong name.
type tampered struct {
	statsd.Client
	*harm
	name   string                // under which inserts are sent
	change func(nth int64) int64 // what is sent for the nth insert, from 1
	nth    atomic.Int64
}

func tamper(change func(nth int64) int64) beginning {
	return onClient(func(c statsd.Client, l *harm) statsd.Client {
		return &tampered{Client: c, harm: l, name: counted, change: change}
	})
}

func renamed(c Config, l *harm) (wrong, error) {
	if c.Instance == "" {
		return wrong{}, errors.New("INSTANCE is not set, and the name is made of it")
	}
	return wrong{client: func(client statsd.Client) (statsd.Client, error) {
		return &tampered{Client: client, harm: l, name: counted + "." + c.Instance, change: func(int64) int64 { return 1 }}, nil
	}}, nil
}

func (t *tampered) Count(name string, n int64) {
	if name != counted {
		t.Client.Count(name, n)
		return
	}
	for range n {
		sent := t.change(t.nth.Add(1))
		if sent != 0 {
			t.Client.Count(t.name, sent)
		}
		if t.name != counted {
			sent = 0 // of this counter
		}
		t.book(sent, 1)
	}
}

// forked is the client of a server that forked its workers: the sender of one
// of them did not survive. Requests go to the workers in turn.
type forked struct {
	statsd.Client
	*harm
	mu    sync.Mutex
	calls map[string]int64 // by metric
}

// silent tells whether this call of a metric is made by the worker that has
// lost its sender.
func (f *forked) silent(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[name]++
	return f.calls[name]%workers == 0
}

func (f *forked) Count(name string, n int64) {
	if !f.silent(name) {
		f.Client.Count(name, n)
	} else if name == counted {
		f.book(0, n)
	}
}

func (f *forked) Timing(name string, d time.Duration) {
	if !f.silent(name) {
		f.Client.Timing(name, d)
	}
}

// queue has little room for counts, and is emptied on the beat.
type queue struct {
	statsd.Client
	*harm
	now  func() time.Time
	mu   sync.Mutex
	beat time.Time
	used int
}

func (q *queue) Count(name string, n int64) {
	if q.takes() {
		q.Client.Count(name, n)
	} else if name == counted {
		q.book(0, n)
	}
}

func (q *queue) takes() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if beat := q.now().Truncate(queueEmptied); !beat.Equal(q.beat) {
		q.beat, q.used = beat, 0
	}
	q.used++
	return q.used <= queueRoom
}

// both counts two routes in one.
type both struct {
	statsd.Client
	*harm
}

func (b *both) Count(name string, n int64) {
	b.Client.Count(name, n)
	if name == "fullstack.get" {
		b.Client.Count(counted, n)
		b.book(n, 0)
	}
}

// countProbes needs two places: only the outermost handler sees every request,
// and it has to have the client.
func countProbes(_ Config, l *harm) (wrong, error) {
	var client statsd.Client
	return wrong{
		client: func(c statsd.Client) (statsd.Client, error) {
			client = c
			return c, nil
		},
		handler: func(right http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/healthz" {
					client.Count(counted, 1)
					l.book(1, 0)
				}
				right.ServeHTTP(w, r)
			})
		},
	}, nil
}

// hitsOnly has a cache in each instance that helps it more or less.
func hitsOnly(c Config, l *harm) (wrong, error) {
	every := 2 + int64(numberOf(c.Instance)%3)
	return tamper(func(n int64) int64 {
		if n%every == 0 {
			return 1
		}
		return 0
	})(c, l)
}
