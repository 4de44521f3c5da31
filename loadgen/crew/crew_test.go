package crew

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throughline/loadgen"
)

// TestHundredWorkersSendTheOneSchedule: what a hundred send together is what one would have sent, each request once and when it
// is due.
func TestHundredWorkersSendTheOneSchedule(t *testing.T) {
	simulate(t, 100, func(t *testing.T, w *world) {
		crew, rows, s := send(t, w.config, 10*time.Second, nil)
		asPlanned(t, crew, rows, s)
		if s.Missed != "" || s.Acked != s.Requests || s.Lateness.Max > 0 {
			t.Errorf("%d of %d acknowledged, lateness %v; missed: %s", s.Acked, s.Requests, s.Lateness, s.Missed)
		}
		came := map[uint64]bool{}
		for id, at := range w.web.came {
			if n := number(t, id, 100); len(at) != 1 || came[n] || !at[0].Equal(rows[n].Due) {
				t.Errorf("request %d (%s), which was due at %v, came at %v", n, id, rows[n].Due, at)
			} else {
				came[n] = true
			}
		}
		if len(came) != len(rows) || len(rows) < 3000 {
			t.Errorf("%d requests came, and %d are in the ledger", len(came), len(rows))
		}
		if w.journal.begun != 100 || len(w.journal.compared) != 100 || len(w.journal.ended) != 100 {
			t.Errorf("the journal has %d that began, %d with a clock, %d that ended", w.journal.begun, len(w.journal.compared), len(w.journal.ended))
		}
		for n, e := range w.journal.ended {
			if !e.Expected {
				t.Errorf("worker %d: %+v", n, e)
			}
		}
		if stats := crew.Stats(); stats.Sent != s.Requests || stats.Acked != s.Acked || stats.InFlight != 0 {
			t.Errorf("%+v at the end of %+v", stats, s)
		}
	})
}

// TestSkewedClocks: of workers whose clocks are 3 s off and drift by 200 ppm, over a network that takes its time, all times are
// the coordinator's, within the bound that is told: no request came before it was sent, or after it was done, and in the order
// of the merged ledger they came, to within that.
func TestSkewedClocks(t *testing.T) {
	simulate(t, 4, func(t *testing.T, w *world) {
		began := time.Now()
		w.clock = func(n int) func(time.Time) time.Duration {
			sign := time.Duration(1 - 2*(n%2))
			return func(at time.Time) time.Duration {
				elapsed := at.Sub(began)
				return sign*3*time.Second + elapsed + sign*elapsed/5000
			}
		}
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 2))
		w.network.delay = func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(random.ExpFloat64() * float64(2*time.Millisecond))
		}
		w.link = w.network.delay
		w.config.Form = loadgen.Form{Rate: 50}
		crew, rows, s := send(t, w.config, 3*time.Minute, nil)
		asPlanned(t, crew, rows, s)
		var bound time.Duration
		for n, all := range w.journal.compared {
			last := all[len(all)-1]
			// After 3 minutes 200 ppm are 36 ms, which a single exchange at the beginning would be off by.
			if off := last.Offset.Abs() - 3*time.Second; (off-36*time.Millisecond).Abs() > 3*time.Millisecond || last.Exchanges < 700 || last.Bound > 8*time.Millisecond {
				t.Errorf("worker %d: %+v", n, last)
			}
			bound = max(bound, last.Bound)
			for _, c := range all[1:] {
				if c.Bound < all[0].Bound {
					t.Errorf("worker %d: the worst bound became better: %+v", n, all)
				}
			}
		}
		var latest time.Time
		for _, r := range rows {
			at := w.web.came[loadgen.Part{Worker: int(r.Seq%4) + 1, Of: 4}.RequestID("run", r.Seq)][0]
			if at.Before(r.Sent.Add(-bound)) || at.After(r.Done.Add(bound)) {
				t.Fatalf("request %d came %v after it was sent and %v before it was done, by clocks that are within %v", r.Seq, at.Sub(r.Sent), r.Done.Sub(at), bound)
			}
			if r.Lateness() > bound {
				t.Errorf("request %d was sent %v late, by clocks that are within %v", r.Seq, r.Lateness(), bound)
			}
			if r.Sent.Add(bound).Before(latest) {
				t.Errorf("request %d was sent %v before one that was due before it, by clocks that are within %v", r.Seq, latest.Sub(r.Sent), bound)
			}
			latest = r.Sent
		}
	})
}

// TestLostWorker: what it may have sent is unknown, what was due later is unsent, and the others go on.
func TestLostWorker(t *testing.T) {
	simulate(t, 3, func(t *testing.T, w *world) {
		w.web.hold = 100 * time.Millisecond
		n := 0
		crew, rows, s := send(t, w.config, 2*time.Second, func(*Crew, loadgen.Row) {
			if n++; n == 200 {
				w.staff[1].conn.Close()
			}
		})
		e := w.journal.ended[2]
		if e.Expected || e.At < 200*time.Millisecond || e.At > time.Second || !strings.Contains(e.How, "its connection is gone; its process has ended (worker 2: ") {
			t.Errorf("it ended so: %+v", e)
		}
		if !w.journal.ended[1].Expected || !w.journal.ended[3].Expected {
			t.Errorf("the others ended so: %+v", w.journal.ended)
		}
		var unknown, of [3]uint64
		for _, r := range rows {
			if r.Seq/3 != of[r.Seq%3] {
				t.Fatalf("request %d is after the %d first ones of its worker", r.Seq, of[r.Seq%3])
			}
			of[r.Seq%3]++
			if r.Outcome == loadgen.Unknown {
				unknown[r.Seq%3]++
			}
		}
		if unknown[0]+unknown[2] > 0 || unknown[1] != e.Unknown || e.Unknown == 0 || e.Unknown > 30 {
			t.Errorf("of unknown outcome are %v, and it told of %d", unknown, e.Unknown)
		}
		due := loadgen.DueBy(crew.config.Load.Shape, s.Duration)
		if of[0]+of[1]+of[2]+s.Unsent != due || s.Unsent < 100 || s.Requests != of[0]+of[1]+of[2] {
			t.Errorf("%v rows and %d unsent of %d", of, s.Unsent, due)
		}
		// Nothing that it sent may be in nobody's ledger.
		for id := range w.web.came {
			if number := number(t, id, 3); number/3 >= of[number%3] {
				t.Errorf("request %d came, and has no row", number)
			}
		}
		if want := fmt.Sprintf("worker 2 of 3 was lost: of %d of its requests nobody knows what they came to, and %d were never sent", e.Unknown, s.Unsent); s.Missed != want {
			t.Errorf("missed: %q, want %q", s.Missed, want)
		}
		if stats := crew.Stats(); stats.Unknown != e.Unknown || stats.Sent != s.Requests || stats.InFlight != 0 {
			t.Errorf("%+v at the end of %+v", stats, s)
		}
	})
}

// TestAllWorkersLost: the load goes on with nothing until its time is over.
func TestAllWorkersLost(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world) {
		began := time.Now()
		first := true
		_, _, s := send(t, w.config, 2*time.Second, func(*Crew, loadgen.Row) {
			if first {
				w.staff[0].conn.Close()
				w.staff[1].conn.Close()
			}
			first = false
		})
		if time.Since(began) < 2*time.Second || s.Unsent < 400 || !strings.Contains(s.Missed, "worker 1 of 2 was lost") || !strings.Contains(s.Missed, "worker 2 of 2 was lost") {
			t.Errorf("%+v after %v", s, time.Since(began))
		}
	})
}

// TestSlowLedgerDelaysNothing: while nobody takes rows, requests are sent when they are due.
func TestSlowLedgerDelaysNothing(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world) {
		first := true
		crew, rows, s := send(t, w.config, 6*time.Second, func(*Crew, loadgen.Row) {
			if first {
				time.Sleep(4 * time.Second)
			}
			first = false
		})
		asPlanned(t, crew, rows, s)
		if s.Missed != "" || s.Lateness.Max > 0 {
			t.Errorf("lateness %v, missed: %s", s.Lateness, s.Missed)
		}
	})
}

// TestLateWorkerIsSeen: what one worker sends late is late in the whole, by as much. A clock that stands still has it late.
func TestLateWorkerIsSeen(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world) {
		w.config.Load.MaxInFlight = 1 // of each worker: who waits for an answer cannot send
		w.web.hold = 300 * time.Millisecond
		w.config.Form = loadgen.Form{Rate: 4}
		_, _, s := send(t, w.config, 3*time.Second, nil)
		if s.Late > 0 {
			t.Errorf("late are %d at a rate that can be kept: %s", s.Late, s.Missed)
		}
	})
	simulate(t, 2, func(t *testing.T, w *world) {
		w.config.Load.MaxInFlight = 1
		w.web.hold = 300 * time.Millisecond
		w.config.Form = loadgen.Form{Rate: 8}
		_, _, s := send(t, w.config, 3*time.Second, nil)
		if s.Late < 10 || s.Lateness.Max < 400*time.Millisecond || !strings.Contains(s.Missed, "were sent more than 100ms late") {
			t.Errorf("late are %d, at most %v: %s", s.Late, s.Lateness.Max, s.Missed)
		}
	})
}

// TestBeaconsComeBack: what users tell of their pages is in the ledger of it, too.
func TestBeaconsComeBack(t *testing.T) {
	simulate(t, 3, func(t *testing.T, w *world) {
		var all []loadgen.Beacon
		w.config.Load.Beacons = &loadgen.Beacons{URL: w.web.url + "/rum", Origin: "https://www.example.com", Share: 0.5, Emit: func(b loadgen.Beacon) { all = append(all, b) }}
		_, rows, _ := send(t, w.config, 2*time.Second, nil)
		if n := len(all); n < len(rows)/3 || n > 2*len(rows)/3 {
			t.Fatalf("%d beacons of %d pages", n, len(rows))
		}
		for _, b := range all {
			r := rows[b.Seq]
			if b.Route != r.Route || b.Sent.Before(r.Done) || b.Sent.After(r.Done.Add(time.Second)) || b.Done.Before(b.Sent) {
				t.Errorf("%+v of %+v", b, r)
			}
		}
	})
}

// TestSilence: a worker that is not heard of for 5 s is lost, and one that does not hear of its coordinator sends no more.
func TestSilence(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world) {
		w.config.Start = func(i Invitation) (Started, error) {
			if i.Number == 2 {
				// All that the second worker says is on its way for a minute, from the third second on.
				began := time.Now()
				w.link = func() time.Duration {
					if time.Since(began) > 3*time.Second {
						return time.Minute
					}
					return 0
				}
			}
			return w.start(i)
		}
		_, _, s := send(t, w.config, 20*time.Second, nil)
		e := w.journal.ended[2]
		if e.Expected || e.At < 7*time.Second || e.At > 11*time.Second || !strings.Contains(e.How, "nothing was heard for 5s") {
			t.Errorf("it ended so: %+v", e)
		}
		if !strings.Contains(s.Missed, "worker 2 of 2 was lost") {
			t.Errorf("missed: %s", s.Missed)
		}
		for id, at := range w.web.came {
			if number(t, id, 2)%2 == 1 && at[0].Sub(s.Start) > e.At {
				t.Errorf("%s came at %v, after its worker was lost", id, at[0].Sub(s.Start))
			}
		}
	})
}

// TestWorkerThatTellsWhatCannotBe is lost.
func TestWorkerThatTellsWhatCannotBe(t *testing.T) {
	simulate(t, 1, func(t *testing.T, w *world) {
		l := ledger{part: loadgen.Part{Worker: 2, Of: 3}}
		for _, c := range []struct {
			seq  uint64
			want string
		}{{1, ""}, {7, ""}, {7, "request 7 was told twice"}, {4, ""}, {1, "request 1 was told twice"}, {5, "request 5 is another worker's"}, {13, ""}} {
			if err := l.enter(c.seq); c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("request %d: %v, want %q", c.seq, err, c.want)
			}
		}
		if got := fmt.Sprint(l.missing(0), l.missing(6)); got != "[10] [10 16]" {
			t.Errorf("missing are %s", got)
		}
		first := true
		_, _, s := send(t, w.config, 2*time.Second, func(c *Crew, r loadgen.Row) {
			if first {
				c.seats[0].ledger.low = 1000 // as if all had been told
			}
			first = false
		})
		if e := w.journal.ended[1]; e.Expected || !strings.Contains(e.How, "was told twice; its process has ended (") || !strings.Contains(s.Missed, "worker 1 of 1 was lost") {
			t.Errorf("%+v; missed: %s", e, s.Missed)
		}
	})
}

// TestStrangersAreRefused: without the token, without a number that is free, or with another tongue nobody is heard.
func TestStrangersAreRefused(t *testing.T) {
	simulate(t, 1, func(t *testing.T, w *world) {
		crew, err := Assemble(t.Context(), w.config)
		if err != nil {
			t.Fatal(err)
		}
		dial := func() net.Conn {
			conn, err := w.network.dial(t.Context(), "", "coordinator:1")
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}
		for said, want := range map[string]string{
			"throughline-worker/1 1 sesame\n":   "worker 1 is there already, or was lost\n",
			"throughline-worker/1 2 sesame\n":   "there is no worker 2: want 1 to 1\n",
			"throughline-worker/1 0 sesame\n":   "there is no worker 0: want 1 to 1\n",
			"throughline-worker/1 one sesame\n": "it has no number: expected integer\n",
			"throughline-worker/1 1 sesam\n":    "it has not the token\n",
			"throughline-worker/2 1 sesame\n":   "it does not speak throughline-worker/1: have workers and coordinator be of one version\n",
			"GET / HTTP/1.1\n":                  "it does not speak throughline-worker/1: have workers and coordinator be of one version\n",
			strings.Repeat("x", longestLine):    "its first line is longer than 256 bytes\n",
		} {
			conn := dial()
			io.WriteString(conn, said)
			got, _ := io.ReadAll(conn)
			if conn.Close(); string(got) != want {
				t.Errorf("%q is answered with %q, want %q", said, got, want)
			}
		}
		mute := dial() // it says nothing, and is hung up on
		began := time.Now()
		if got, _ := io.ReadAll(mute); string(got) != "read pipe: i/o timeout\n" || time.Since(began) != helloLimit {
			t.Errorf("who says nothing is answered with %q after %v", got, time.Since(began))
		}
		mute.Close()
		if err := (Worker{Number: 1, Token: "wrong"}).Work(t.Context(), dial()); err == nil || !strings.Contains(err.Error(), "it has not the token") {
			t.Errorf("a worker with a wrong token: %v", err)
		}
		if err := crew.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestAssembleRefuses says why there is no crew, and leaves nobody behind.
func TestAssembleRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"workers: 0: want 1 to 100":           func(c *Config) { c.Workers = 0 },
		"workers: 101: want 1 to 100":         func(c *Config) { c.Workers = 101 },
		"sine: swing 400/s is above the mean": func(c *Config) { c.Form.Swing = 400 },
		"routes: none given":                  func(c *Config) { c.Load.Routes = nil },
		"start worker 1: no such thing": func(c *Config) {
			c.Start = func(Invitation) (Started, error) { return nil, fmt.Errorf("no such thing") }
		},
		"start worker 1: its process has ended (worker 1: coordinator ": func(c *Config) {
			start := c.Start
			c.Start = func(i Invitation) (Started, error) { i.Token = "wrong"; return start(i) }
		},
	} {
		simulate(t, 2, func(t *testing.T, w *world) {
			spoil(&w.config)
			if crew, err := Assemble(t.Context(), w.config); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, %v; want %q", crew, err, want)
			}
			for _, one := range w.staff {
				one.End()
			}
			synctest.Wait()
		})
	}
}

// TestWorkerNeedsItsCoordinator: a worker whose coordinator is gone sends no more and ends at once, whatever is under way.
func TestWorkerNeedsItsCoordinator(t *testing.T) {
	simulate(t, 1, func(t *testing.T, w *world) {
		w.web.hold = time.Minute
		crew, err := Assemble(t.Context(), w.config)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() {
			defer close(over)
			crew.Run(ctx, func(loadgen.Row) {})
		}()
		time.Sleep(time.Second)
		if crew.Stats().InFlight == 0 {
			t.Errorf("after a second %+v", crew.Stats())
		}
		now := time.Now()
		crew.seats[0].breakOff(errSilent)
		<-w.staff[0].gone
		if err := w.staff[0].err; err == nil || !strings.Contains(err.Error(), "the connection broke") || !time.Now().Equal(now) {
			t.Errorf("it ended with %v after %v", err, time.Since(now))
		}
		cancel()
		<-over
		if err := crew.Close(); err != nil {
			t.Error(err)
		}
	})
}
