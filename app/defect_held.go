package app

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"throughline/app/statsd"

	"github.com/gin-gonic/gin"
)

// Wrong batches: what clients hold together, and lose together.

const (
	batchedFor   = time.Second
	wrapsAt      = 32
	takesTurns   = 2  // workers
	retiresAfter = 90 // requests of a worker; at the gallery's rate it is not a whole number of batches
	fullAt       = 50 // calls, as datadogpy's max_buffer_size was by default
)

func heldDefects() []Defect {
	return []Defect{
		{Name: "wrapping-count", Entry: "F26", About: "inserts of a second are added up in a counter that begins anew at 32",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				w := &wrapping{Client: c, harm: l}
				w.stop = repeat(batchedFor, w.flush)
				return w
			})},
		{Name: "worker-turnover", Entry: "F1", About: "two workers batch for a second, and each is replaced after 90 requests with what it holds", begin: turningOver},
		{Name: "still-held", Entry: "F1", About: "counts and times leave 50 calls at a time, and the last ones never",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return &byNumber{Client: c, harm: l}
			})},
	}
}

// repeat calls do on the beat until stop, which returns when the last call has.
func repeat(beat time.Duration, do func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	ticker := time.NewTicker(beat)
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticker.C:
				do()
			case <-end:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(end)
		<-ended
	}
}

// wrapping adds inserts up in a number of few bits.
type wrapping struct {
	statsd.Client
	*harm
	stop func()
	mu   sync.Mutex
	n    int64 // below wrapsAt
}

func (w *wrapping) Count(name string, n int64) {
	if name != counted {
		w.Client.Count(name, n)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n += n
	if lost := w.n - w.n%wrapsAt; lost > 0 {
		w.n -= lost
		w.book(0, lost)
	}
}

func (w *wrapping) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n > 0 {
		w.Client.Count(counted, w.n)
	}
	w.n = 0
}

func (w *wrapping) Close() error {
	w.stop()
	w.flush()
	return w.Client.Close()
}

// call is one call of a client, not made yet.
type call struct {
	name  string
	n     int64         // of a counter
	took  time.Duration // of a timer
	timer bool
}

func (k call) on(c statsd.Client) {
	if k.timer {
		c.Timing(k.name, k.took)
	} else {
		c.Count(k.name, k.n)
	}
}

// countedIn adds up the inserts of some calls.
func countedIn(calls []call) int64 {
	var sum int64
	for _, k := range calls {
		if k.name == counted {
			sum += k.n
		}
	}
	return sum
}

// byNumber sends when it holds enough, and never because it is time.
type byNumber struct {
	statsd.Client
	*harm
	mu   sync.Mutex
	held []call
}

func (b *byNumber) Count(name string, n int64) { b.hold(call{name: name, n: n}) }

func (b *byNumber) Timing(name string, d time.Duration) {
	b.hold(call{name: name, took: d, timer: true})
}

func (b *byNumber) hold(k call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held = append(b.held, k); len(b.held) < fullAt {
		return
	}
	for _, k := range b.held {
		k.on(b.Client)
	}
	b.held = nil
}

func (b *byNumber) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book(0, countedIn(b.held))
	b.held = nil
	return b.Client.Close()
}

// turnover is the client and the meter of an app whose requests go to its
// workers in turn. It needs both places: only a route knows which calls are of
// one request, and only a client is closed in the end.
type turnover struct {
	statsd.Client
	*harm
	stop    func()
	turn    atomic.Int64
	workers [takesTurns]worker
}

// worker is one of them. What it is told of a request it gets at once, when the
// request is over.
type worker struct {
	mu     sync.Mutex
	held   []call
	served int // requests since it was born
}

func turningOver(_ Config, l *harm) (wrong, error) {
	t := &turnover{harm: l}
	return wrong{
		client: func(c statsd.Client) (statsd.Client, error) {
			t.Client = c
			t.stop = repeat(batchedFor, t.flush)
			return t, nil
		},
		meter: func(m statsd.Middleware) meter { return turns{m, t} },
	}, nil
}

func (t *turnover) flush() {
	for i := range t.workers {
		w := &t.workers[i]
		w.mu.Lock()
		for _, k := range w.held {
			k.on(t.Client)
		}
		w.held = nil
		w.mu.Unlock()
	}
}

// Close flushes: a worker that is told to end does so, other than one that is
// replaced.
func (t *turnover) Close() error {
	t.stop()
	t.flush()
	return t.Client.Close()
}

// served gives a request's calls to the worker whose turn it is, and replaces
// the worker when it has served enough.
func (t *turnover) served(calls []call) {
	w := &t.workers[t.turn.Add(1)%takesTurns]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = append(w.held, calls...)
	if w.served++; w.served < retiresAfter {
		return
	}
	t.book(0, countedIn(w.held))
	w.held, w.served = nil, 0
}

// turns measures as its Middleware does, and keeps the calls of a request
// together. Increment is the outer one at each route.
type turns struct {
	statsd.Middleware
	to *turnover
}

// ofRequest is where the calls of a request are kept in its gin.Context.
const ofRequest = "defect worker-turnover"

func (t turns) Increment(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		calls := &noted{}
		c.Set(ofRequest, calls)
		statsd.Middleware{Client: calls}.Increment(name)(c)
		t.to.served(calls.calls)
	}
}

func (t turns) Timed(name string) gin.HandlerFunc {
	right := t.Middleware.Timed(name)
	return func(c *gin.Context) {
		kept, _ := c.Get(ofRequest)
		calls, ok := kept.(*noted)
		if !ok { // no Increment is around it
			right(c)
			return
		}
		statsd.Middleware{Client: calls}.Timed(name)(c)
	}
}

// noted is a client that only notes the calls of one request.
type noted struct{ calls []call }

func (n *noted) Count(name string, by int64) { n.calls = append(n.calls, call{name: name, n: by}) }

func (n *noted) Timing(name string, d time.Duration) {
	n.calls = append(n.calls, call{name: name, took: d, timer: true})
}

// Gauge is not for a single request.
func (n *noted) Gauge(string, float64) {}

// Close refuses: nobody has opened it.
func (n *noted) Close() error { return errors.New("the calls of one request: not a client to close") }
