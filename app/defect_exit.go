package app

import (
	"sync"
	"time"

	"throughline/app/statsd"
)

// Wrong ends: what a client still holds when its process goes.

const (
	holdLost = 2 * time.Second // datadog-go's default aggregation window
	rollUp   = time.Second
	// lameDuck is how long a closed-early instance serves after it was told
	// to stop. With it a stop still ends within 5 s.
	lameDuck = 300 * time.Millisecond

	// The defaults of datadog-go 5.9, see its options.go.
	defaultAggregation = 2 * time.Second
	defaultFlush       = 100 * time.Millisecond
)

func exitDefects() []Defect {
	return []Defect{
		{Name: "lost-on-exit", Entry: "F1", About: "counts wait up to 2 s in a buffer that is not flushed on exit",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return hold(c, l, 0, windowEnd(time.Now(), holdLost))
			})},
		{Name: "long-buffer", Entry: "F2", About: "counts wait up to 2.1 s, not 100 ms: a kill loses more than is declared",
			begin: onOptions(func(_ Config, o *statsd.Options) { o.Aggregation, o.Flush = defaultAggregation, defaultFlush })},
		{Name: "closed-early", Entry: "F3", About: "on SIGTERM the client is closed at once, and requests are served for 300 ms more", begin: closeEarly},
		{Name: "last-window-twice", Entry: "F4", About: "counts leave every 2 s, and the last window leaves twice on exit",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return hold(c, l, 2, windowEnd(time.Now(), holdLost))
			})},
		{Name: "open-window-skipped", Entry: "F5", About: "counts are rolled up by the second, and the flush on exit leaves out the second that is not over",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return hold(c, l, 0, windowEnd(time.Now().Truncate(rollUp), rollUp))
			})},
	}
}

// windowEnd makes counts due at the end of the window they happen in; the
// windows are that long and the first one begins at birth.
func windowEnd(birth time.Time, long time.Duration) func(now time.Time) time.Time {
	return func(now time.Time) time.Time { return birth.Add(now.Sub(birth).Truncate(long) + long) }
}

// held keeps counts back until they are due.
type held struct {
	statsd.Client
	*harm
	due    func(now time.Time) time.Time // never falls
	atExit int64                         // how many times is sent what is held when it is closed

	mu    sync.Mutex
	queue []heldCount // by due time
	wake  chan struct{}
	stop  chan struct{}
	done  chan struct{}
}

type heldCount struct {
	due  time.Time
	name string
	n    int64
}

func hold(client statsd.Client, l *harm, atExit int64, due func(time.Time) time.Time) *held {
	h := &held{
		Client: client, harm: l, due: due, atExit: atExit,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go h.run()
	return h
}

func (h *held) Count(name string, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queue = append(h.queue, heldCount{h.due(time.Now()), name, n})
	if len(h.queue) == 1 {
		select {
		case h.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

// run sends what becomes due until stop is closed.
func (h *held) run() {
	defer close(h.done)
	for {
		var next <-chan time.Time // none while nothing is held
		if wait, some := h.release(time.Now()); some {
			next = time.After(wait)
		}
		select {
		case <-next:
		case <-h.wake:
		case <-h.stop:
			return
		}
	}
}

// release sends what is due and returns how long to wait for the next.
func (h *held) release(now time.Time) (wait time.Duration, some bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.queue) > 0 {
		if first := h.queue[0]; first.due.After(now) {
			return first.due.Sub(now), true
		}
		h.Client.Count(h.queue[0].name, h.queue[0].n)
		h.queue = h.queue[1:]
	}
	return 0, false
}

// Close ends the holding, and then the client under it.
func (h *held) Close() error {
	close(h.stop)
	<-h.done
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.queue {
		for range h.atExit {
			h.Client.Count(c.name, c.n)
		}
		if c.name == counted {
			h.book(h.atExit*c.n, c.n)
		}
	}
	h.queue = nil
	return h.Client.Close()
}

// early is a client that is closed while requests are still served.
type early struct {
	statsd.Client
	*harm
	close  func() error // once; returns the same again
	mu     sync.RWMutex // between counting and closing
	closed bool
}

func closeEarly(_ Config, l *harm) (wrong, error) {
	e := &early{harm: l}
	return wrong{
		client: func(c statsd.Client) (statsd.Client, error) {
			e.Client = c
			e.close = sync.OnceValue(func() error {
				e.mu.Lock()
				defer e.mu.Unlock()
				e.closed = true
				return c.Close()
			})
			return e, nil
		},
		stopping: func() {
			_ = e.close() // told by Close
			time.Sleep(lameDuck)
		},
	}, nil
}

func (e *early) Count(name string, n int64) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	e.Client.Count(name, n)
	if e.closed && name == counted {
		e.book(0, n)
	}
}

func (e *early) Close() error { return e.close() }
