package app

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// asked are words that count how often one was looked for, and how often in vain of the database.
type asked struct {
	*memory
	n atomic.Int64
}

func (a *asked) Get(ctx context.Context, name string) (Word, error) {
	if a.n.Add(1)%4 == 0 {
		return Word{}, context.DeadlineExceeded
	}
	return a.memory.Get(ctx, name)
}

// A worker counts each piece of work that was done, also the last before it ends, and none that was not.
func TestWorkIsCounted(t *testing.T) {
	socket, words := listenUDP(t), &asked{memory: newMemory()}
	r := start(t, Config{StatsD: socket.addr(), Instance: "worker-1", WorkEvery: time.Millisecond}, words)
	for deadline := time.Now().Add(10 * time.Second); words.n.Load() < 20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in ten seconds it worked %d times", words.n.Load())
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	n := words.n.Load()
	want := n - n/4
	if got := socket.counts["fullstack.work"]; got != want || int64(socket.timers["fullstack.work.time"]) != want {
		t.Errorf("of %d pieces of work %d were done, %d counted and %d timed", n, want, got, socket.timers["fullstack.work.time"])
	}
}
