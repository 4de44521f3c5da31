package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/app/statsd"
)

// told notes what a client is told, for tests without a clock.
type told struct {
	noted
	closed int
}

func (t *told) Close() error { t.closed++; return nil }

func TestWrappingCount(t *testing.T) {
	to, l := &told{}, &harm{}
	w := &wrapping{Client: to, harm: l, stop: func() {}}
	for _, window := range []int{31, 0, 32, 45, 70, 3} {
		for range window {
			w.Count(counted, 1)
		}
		w.flush()
	}
	w.Count("fullstack.get", 2)
	w.Count(counted, 33)
	if err := w.Close(); err != nil || to.closed != 1 {
		t.Errorf("closed %d times, %v", to.closed, err)
	}
	want := []call{{name: counted, n: 31}, {name: counted, n: 13}, {name: counted, n: 6}, {name: counted, n: 3},
		{name: "fullstack.get", n: 2}, {name: counted, n: 1}}
	if diff := cmp.Diff(want, to.calls, cmp.AllowUnexported(call{})); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	checkBooked(t, l, 5*wrapsAt, 0)
}

func TestStillHeld(t *testing.T) {
	to, l := &told{}, &harm{}
	b := &byNumber{Client: to, harm: l}
	for range 60 { // 120 calls
		b.Timing(timed, time.Millisecond)
		b.Count(counted, 1)
	}
	if len(to.calls) != 2*fullAt || countedIn(to.calls) != fullAt {
		t.Errorf("sent %d calls with %d inserts", len(to.calls), countedIn(to.calls))
	}
	if err := b.Close(); err != nil || to.closed != 1 {
		t.Errorf("closed %d times, %v", to.closed, err)
	}
	checkBooked(t, l, 60-fullAt, 0)
}

// Of requests whose calls belong together, a worker that is replaced takes both.
func TestWorkerTurnover(t *testing.T) {
	to, l := &told{}, &harm{}
	turning := &turnover{Client: to, harm: l, stop: func() {}}
	request := []call{{name: timed, took: time.Millisecond, timer: true}, {name: counted, n: 1}}
	serve := func(n int) {
		for range n {
			turning.served(request)
		}
	}
	serve(160) // 80 each
	turning.flush()
	serve(30) // the last ten of both before they are replaced, and five after
	if err := turning.Close(); err != nil || to.closed != 1 {
		t.Errorf("closed %d times, %v", to.closed, err)
	}
	var counts, times int
	for _, k := range to.calls {
		if k.timer {
			times++
		} else {
			counts++
		}
	}
	if counts != 170 || times != 170 {
		t.Errorf("%d counts and %d times, want 170 of both", counts, times)
	}
	checkBooked(t, l, 20, 0)
}

// A client's window is over on its own.
func TestBatchesLeaveOnTime(t *testing.T) {
	for _, name := range []string{"wrapping-count", "worker-turnover"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, words := listenUDP(t), newMemory()
			r := start(t, Config{StatsD: socket.addr(), Defect: name}, words)
			r.inserts(t, 20)
			for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
				socket.mu.Lock()
				n := socket.counts[counted]
				socket.mu.Unlock()
				if n == 20 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%d of 20 came", n)
				}
			}
			r.stop()
			if err := r.wait(t); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Whole requests go with a worker: the timer lacks what the counter lacks.
func TestTurnoverTakesTimersToo(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr(), Defect: "worker-turnover"}, words)
	r.inserts(t, 3*retiresAfter)
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	dropped, _ := r.log.defectLine(t, "worker-turnover")
	if got := int64(socket.timers[timed]); dropped == 0 || got != 3*retiresAfter-dropped || got != socket.counts[counted] {
		t.Errorf("%d times and %d counts of %d, logged dropped=%d", got, socket.counts[counted], 3*retiresAfter, dropped)
	}
}

func TestProbesCounted(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr(), Defect: "probes-counted"}, words)
	for range 7 {
		if status := r.request(t, "GET", "/healthz"); status != 200 {
			t.Errorf("health: %d", status)
		}
	}
	r.inserts(t, 5)
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if got := socket.counts[counted]; got != 12 {
		t.Errorf("counted %d, want 5 inserts and 7 probes", got)
	}
	if dropped, extra := r.log.defectLine(t, "probes-counted"); dropped != 0 || extra != 7 {
		t.Errorf("logged dropped=%d extra=%d", dropped, extra)
	}
}

// The share is the instance's own.
func TestCacheHitsOnly(t *testing.T) {
	for instance, want := range map[string]int64{"web-1": 20, "web-2": 15, "web-3": 30, "": 30} {
		d, err := findDefect("cache-hits-only")
		if err != nil {
			t.Fatal(err)
		}
		w, err := d.start(Config{Instance: instance})
		if err != nil {
			t.Fatal(err)
		}
		var to told
		client, err := w.client(statsd.Client(&to))
		if err != nil {
			t.Fatal(err)
		}
		client.Count(counted, 60)
		if got := countedIn(to.calls); got != want {
			t.Errorf("%q counts %d of 60, want %d", instance, got, want)
		}
		checkBooked(t, w.harm, 60-want, 0)
	}
}
