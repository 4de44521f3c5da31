package app

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throughline/app/statsd"

	"github.com/google/go-cmp/cmp"
)

// defectiveClient wraps a client that sends to socket.
func defectiveClient(t *testing.T, name string, socket *wire) defective {
	t.Helper()
	client, err := statsd.Dial(statsd.Options{Addr: socket.addr()})
	if err != nil {
		t.Fatal(err)
	}
	d, err := findDefect(name)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := d.wrap(client, Config{Instance: "web-2"})
	if err != nil {
		t.Fatal(err)
	}
	return wrong
}

func checkBooked(t *testing.T, d defective, dropped, extra int64) {
	t.Helper()
	if gotDropped, gotExtra := d.booked(); gotDropped != dropped || gotExtra != extra {
		t.Errorf("booked dropped=%d extra=%d, want %d and %d", gotDropped, gotExtra, dropped, extra)
	}
}

func TestDefectsOnTheWire(t *testing.T) {
	const inserts, gets = 103, 7
	tests := []struct {
		name           string
		metric         string
		want           int64
		dropped, extra int64
	}{
		{"counted-twice", counted, 103 + 5, 0, 5},
		{"not-counted", counted, 103 - 4, 4, 0},
		{"forgotten-rate", counted, 10, 93, 0},
		{"renamed-per-instance", "fullstack.insert.web-2", 103, 103, 0},
		{"total-as-counter", counted, 103 * 104 / 2, 0, 103*104/2 - 103},
		{"late", counted, 103, 0, 0}, // all sent at exit
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			socket := listenUDP(t)
			d := defectiveClient(t, test.name, socket)
			var users sync.WaitGroup
			users.Go(func() {
				for range inserts - 1 {
					d.Count(counted, 1)
				}
			})
			users.Go(func() { d.Count(counted, 1) })
			for range gets {
				d.Count("fullstack.get", 1)
				d.Timing("fullstack.get.time", time.Millisecond)
				d.Gauge("fullstack.inflight", 0)
			}
			users.Wait()
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			socket.settle(t)
			want := map[string]int64{test.metric: test.want, "fullstack.get": gets}
			if diff := cmp.Diff(want, socket.counts); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
			if socket.timers["fullstack.get.time"] != gets || len(socket.gauges) != 1 {
				t.Errorf("timers %v, gauges %v", socket.timers, socket.gauges)
			}
			checkBooked(t, d, test.dropped, test.extra)
		})
	}
}

// The window of lost-on-exit is real time here: what had time to leave is on
// the wire, the rest is booked, and nothing is in between.
func TestLostOnExitOnTheWire(t *testing.T) {
	socket := listenUDP(t)
	began := time.Now()
	d := defectiveClient(t, "lost-on-exit", socket)
	for range 40 {
		d.Count(counted, 1)
		d.Count("fullstack.get", 1)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	hurried := time.Since(began) < holdLost // else this machine slept through the first window
	socket.settle(t)
	dropped, extra := d.booked()
	if got := socket.counts[counted]; got+dropped != 40 || extra != 0 {
		t.Errorf("on the wire %d, booked dropped=%d extra=%d of 40", got, dropped, extra)
	}
	if hurried && (dropped != 40 || len(socket.counts) != 0) {
		t.Errorf("on the wire %v, booked %d, want all 40 lost", socket.counts, dropped)
	}
}

func TestSilentStartOnTheWire(t *testing.T) {
	socket := listenUDP(t)
	d := defectiveClient(t, "silent-start", socket).(*silent)
	birth := d.until.Add(-silentFor)
	for i := range 10 { // at 0, 1, … 9 s
		d.now = func() time.Time { return birth.Add(time.Duration(i) * time.Second) }
		d.Count(counted, 1)
		d.Gauge(fmt.Sprint("gauge.", i), 1)
		d.Timing("fullstack.insert.time", time.Millisecond)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if socket.counts[counted] != 5 || socket.timers["fullstack.insert.time"] != 5 {
		t.Errorf("on the wire: %v, %v, want 5 of each", socket.counts, socket.timers)
	}
	if len(socket.gauges) != 5 {
		t.Errorf("on the wire: %v, want the gauges 5 to 9", socket.gauges)
	}
	checkBooked(t, d, 5, 0)
}

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

// On a clock that only moves when everything waits, times are exact.
func TestHeldCountsLeaveOnTime(t *testing.T) {
	tests := []struct {
		wrap    func(statsd.Client, Config) (defective, error)
		want    []string
		dropped int64
	}{
		// The last is released by the exit at 6.5 s.
		{late, []string{"4s x:1", "4.5s fullstack.insert:1", "6.2s fullstack.insert:1", "6.5s x:1", "6.5s fullstack.insert:1"}, 0},
		// The end of the window at 6 s is the last.
		{lostOnExit, []string{"2s x:1", "2s fullstack.insert:1", "4s fullstack.insert:1", "6s x:1"}, 1},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := &sent{t0: time.Now()}
			at := func(after time.Duration) { time.Sleep(after - time.Since(s.t0)) }
			d, err := test.wrap(s, Config{})
			if err != nil {
				t.Fatal(err)
			}
			d.Count("x", 1)
			at(500 * time.Millisecond)
			d.Count(counted, 1)
			at(2200 * time.Millisecond)
			d.Count(counted, 1)
			at(5 * time.Second)
			d.Count("x", 1)
			at(6200*time.Millisecond + time.Microsecond)
			d.Count(counted, 1)
			at(6500 * time.Millisecond)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, s.all); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			checkBooked(t, d, test.dropped, 0)
		})
	}
}

func TestSilentStartIsFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sent{t0: time.Now()}
		d, err := silentStart(s, Config{})
		if err != nil {
			t.Fatal(err)
		}
		d.Count(counted, 1)
		time.Sleep(5*time.Second - time.Nanosecond)
		d.Count(counted, 1)
		time.Sleep(time.Nanosecond)
		d.Count(counted, 1)
		if diff := cmp.Diff([]string{"5s fullstack.insert:1"}, s.all); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		checkBooked(t, d, 2, 0)
	})
}

// With every defect the service stays right, and the line in the log explains
// the counter to the last insert.
func TestDefectsLeaveTheServiceRight(t *testing.T) {
	const inserts = 100
	for _, defect := range append(Defects(), Defect{}) {
		t.Run("defect="+defect.Name, func(t *testing.T) {
			t.Parallel()
			socket, words := listenUDP(t), newMemory()
			r := start(t, Config{StatsD: socket.addr(), Instance: "web-2", Defect: defect.Name}, words)
			r.inserts(t, inserts)
			r.stop()
			if err := r.wait(t); err != nil {
				t.Fatal(err)
			}
			socket.settle(t)
			if words.sum() != inserts {
				t.Errorf("%d in the database, want %d", words.sum(), inserts)
			}
			var dropped, extra int64
			if defect.Name != "" {
				dropped, extra = r.log.defectLine(t, defect.Name)
				switch defect.Name {
				case "late", "lost-on-exit", "silent-start": // how much depends on the time this takes
				default:
					if dropped+extra == 0 {
						t.Error("the defect did nothing")
					}
				}
			}
			if got := socket.counts[counted]; got != inserts-dropped+extra {
				t.Errorf("on the wire %d, logged dropped=%d extra=%d of %d", got, dropped, extra, inserts)
			}
		})
	}
}

func TestDefectsAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Defects() {
		if d.Name == "" || d.About == "" || d.wrap == nil || seen[d.Name] {
			t.Errorf("defect %q (%q) is incomplete or twice there", d.Name, d.About)
		}
		seen[d.Name] = true
		if found, err := findDefect(d.Name); err != nil || found.About != d.About {
			t.Errorf("defect %s: found %q, %v", d.Name, found.About, err)
		}
	}
}
