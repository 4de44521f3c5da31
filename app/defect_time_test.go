package app

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throughline/app/statsd"

	"github.com/google/go-cmp/cmp"
)

// sent remembers when a count reached the client under a defect.
type sent struct {
	mu  sync.Mutex
	all []string
	t0  time.Time
}

func (s *sent) Count(name string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprintf("%v %s:%d", time.Since(s.t0), name, n))
}
func (s *sent) Gauge(string, float64)        {}
func (s *sent) Timing(string, time.Duration) {}
func (s *sent) Close() error                 { return nil }

// over puts a defect over a client.
func over(t *testing.T, name string, client statsd.Client) (statsd.Client, *harm) {
	t.Helper()
	w := started(t, name)
	wrapped, err := w.client(client)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped, w.harm
}

// On a clock that only moves when everything waits, times are exact.
func TestHeldCountsLeaveOnTime(t *testing.T) {
	tests := []struct {
		name           string
		want           []string
		dropped, extra int64
	}{
		// The last is released by the exit at 6.5 s.
		{"late", []string{"4s x:1", "4.5s fullstack.insert:1", "6.2s fullstack.insert:1", "6.5s x:1", "6.5s fullstack.insert:1"}, 0, 0},
		// The end of the window at 6 s is the last.
		{"lost-on-exit", []string{"2s x:1", "2s fullstack.insert:1", "4s fullstack.insert:1", "6s x:1"}, 1, 0},
		{"last-window-twice", []string{"2s x:1", "2s fullstack.insert:1", "4s fullstack.insert:1", "6s x:1",
			"6.5s fullstack.insert:1", "6.5s fullstack.insert:1"}, 0, 1},
		// The instance was born 0.3 s into a second.
		{"open-window-skipped", []string{"700ms x:1", "700ms fullstack.insert:1", "2.7s fullstack.insert:1", "5.7s x:1"}, 1, 0},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(300 * time.Millisecond)
			s := &sent{t0: time.Now()}
			at := func(after time.Duration) { time.Sleep(after - time.Since(s.t0)) }
			client, booked := over(t, test.name, s)
			client.Count("x", 1)
			at(500 * time.Millisecond)
			client.Count(counted, 1)
			at(2200 * time.Millisecond)
			client.Count(counted, 1)
			at(5 * time.Second)
			client.Count("x", 1)
			at(6200*time.Millisecond + time.Microsecond)
			client.Count(counted, 1)
			at(6500 * time.Millisecond)
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, s.all); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
			checkBooked(t, booked, test.dropped, test.extra)
		})
	}
}

// What is counted at these moments arrives, or does not.
func TestWhenDefectsAreSilent(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name    string
		at      []time.Duration
		want    []string
		dropped int64
	}{
		{"silent-start", []time.Duration{0, 5*time.Second - 1, 5 * time.Second}, []string{"5s fullstack.insert:1"}, 2},
		{"goes-silent", []time.Duration{0, 6*time.Second - 1, 6 * time.Second}, []string{"0s fullstack.insert:1", "5.999999999s fullstack.insert:1"}, 1},
		{"first-window-lost", []time.Duration{400 * ms, 1400*ms - 1, 1400 * ms}, []string{"1.4s fullstack.insert:1"}, 2},
		{"queue-full", []time.Duration{0, 9 * ms, 10 * ms, 11 * ms, 29 * ms},
			[]string{"0s fullstack.insert:1", "10ms fullstack.insert:1", "29ms fullstack.insert:1"}, 2},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := &sent{t0: time.Now()}
			client, booked := over(t, test.name, s)
			for _, at := range test.at {
				time.Sleep(at - time.Since(s.t0))
				client.Count(counted, 1)
			}
			if diff := cmp.Diff(test.want, s.all); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
			checkBooked(t, booked, test.dropped, 0)
		})
	}
}

func TestSilentInstancesSendNothingAtAll(t *testing.T) {
	for _, name := range []string{"silent-start", "goes-silent", "never-speaks"} {
		socket := listenUDP(t)
		p := defective(t, name, socket)
		s := p.client.(*silent)
		for i := range 10 { // at 0, 1, … 9 s
			s.now = func() time.Time { return s.birth.Add(time.Duration(i) * time.Second) }
			s.Count(counted, 1)
			s.Gauge(fmt.Sprint("gauge.", i), 1)
			s.Timing(timed, time.Millisecond)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		socket.settle(t)
		want := map[string]int{"silent-start": 5, "goes-silent": 6, "never-speaks": 0}[name]
		if len(socket.gauges) != want || socket.timers[timed] != want || socket.counts[counted] != int64(want) {
			t.Errorf("%s: on the wire: %v, %v, %v, want %d of each", name, socket.counts, socket.timers, socket.gauges, want)
		}
		checkBooked(t, p.wrong.harm, int64(10-want), 0)
	}
}

func TestNeverSpeaksGoesByNumber(t *testing.T) {
	d, err := findDefect("never-speaks")
	if err != nil {
		t.Fatal(err)
	}
	for instance, speaks := range map[string]bool{"web-1": true, "web-2": false, "web-17": true, "web-40": false, "web": false, "": false} {
		w, err := d.start(Config{Instance: instance})
		if err != nil {
			t.Fatal(err)
		}
		s := &sent{t0: time.Now()}
		client, err := w.client(s)
		if err != nil {
			t.Fatal(err)
		}
		client.Count(counted, 1)
		if got := len(s.all) == 1; got != speaks {
			t.Errorf("%q: speaks %v, want %v", instance, got, speaks)
		}
	}
}

// stopwatch is a socket that remembers when inserts left.
type stopwatch struct {
	mu   sync.Mutex
	t0   time.Time
	left []time.Duration
}

func (s *stopwatch) Write(datagram []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(string(datagram), counted+":") {
		s.left = append(s.left, time.Since(s.t0))
	}
	return len(datagram), nil
}

func (s *stopwatch) Close() error { return nil }

func (s *stopwatch) all() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// The client itself is set up wrongly: how long counts wait in it is what a
// SIGKILL loses.
func TestClientsThatBufferLong(t *testing.T) {
	tests := []struct {
		name  string
		left  []time.Duration
		after time.Duration // at most
	}{
		{"", []time.Duration{40 * time.Millisecond, 1040 * time.Millisecond, 3200 * time.Millisecond}, 40 * time.Millisecond},
		{"long-buffer", []time.Duration{2 * time.Second, 4 * time.Second}, 100 * time.Millisecond},
		{"flush-every-3s", []time.Duration{3 * time.Second, 6 * time.Second}, 40 * time.Millisecond},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			var o statsd.Options
			if test.name != "" {
				started(t, test.name).options(&o)
			}
			socket := &stopwatch{t0: time.Now()}
			client, err := statsd.New(socket, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range []time.Duration{1, 1001, 3170} {
				time.Sleep(at*time.Millisecond - time.Since(socket.t0))
				client.Count(counted, 1)
			}
			time.Sleep(6200*time.Millisecond - time.Since(socket.t0))
			left := socket.all()
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			if len(left) != len(test.left) {
				t.Fatalf("%s: left at %v, want %v", test.name, left, test.left)
			}
			for i, at := range left {
				if late := at - test.left[i]; late < 0 || late > test.after {
					t.Errorf("%s: left at %v, want %v to %v", test.name, at, test.left[i], test.left[i]+test.after)
				}
			}
		})
	}
}

// What is in flight when the client is closed is served, stored, and never
// counted.
func TestClosedEarlyMissesWhatIsInFlight(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr(), Defect: "closed-early"}, words)
	r.inserts(t, 5)
	entered, proceed := make(chan struct{}), make(chan struct{})
	words.onEnter(func() { close(entered); <-proceed })
	status := make(chan int, 1)
	go func() { status <- r.request(t, "POST", "/insert/slow") }()
	<-entered
	r.stop()
	r.awaitRefusal(t) // which comes after the client is closed
	close(proceed)
	if got := <-status; got != 200 {
		t.Errorf("the request in flight got %d", got)
	}
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if dropped, extra := r.log.defectLine(t, "closed-early"); socket.counts[counted] != 5 || words.sum() != 6 || dropped != 1 || extra != 0 {
		t.Errorf("counted %d of %d, logged dropped=%d extra=%d", socket.counts[counted], words.sum(), dropped, extra)
	}
}

func TestRenamedNeedsAName(t *testing.T) {
	_, err := newParts(Config{StatsD: listenUDP(t).addr(), Log: io.Discard, Defect: "renamed-per-instance"})
	if err == nil || err.Error() != "defect renamed-per-instance: INSTANCE is not set, and the name is made of it" {
		t.Errorf("got %v", err)
	}
}
