package app

import (
	"sync"
	"time"

	"throughline/app/statsd"
)

// held keeps counts back until they are due. It sends them when it is closed,
// or loses them.
type held struct {
	statsd.Client
	ledger
	due  func(now time.Time) time.Time // never falls
	lose bool                          // what is held when it is closed

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

// lostOnExit holds counts to the end of a window, as a client does that
// aggregates, and forgets the last window.
func lostOnExit(client statsd.Client, _ Config) (defective, error) {
	birth := time.Now()
	windowEnd := func(now time.Time) time.Time {
		return birth.Add(now.Sub(birth).Truncate(holdLost) + holdLost)
	}
	return hold(client, windowEnd, true), nil
}

func late(client statsd.Client, _ Config) (defective, error) {
	return hold(client, func(now time.Time) time.Time { return now.Add(holdLate) }, false), nil
}

func hold(client statsd.Client, due func(time.Time) time.Time, lose bool) *held {
	h := &held{
		Client: client, due: due, lose: lose,
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
		switch {
		case !h.lose:
			h.Client.Count(c.name, c.n)
		case c.name == counted:
			h.book(0, c.n)
		}
	}
	h.queue = nil
	return h.Client.Close()
}
