package crew

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"throughline/loadgen"
)

// TestHundredWorkersSendTheOneSchedule: what a hundred send together is what one would have sent, each request once, and none
// later than a schedule may be missed by.
func TestHundredWorkersSendTheOneSchedule(t *testing.T) {
	to, journal := newWeb(t), newNotes()
	crew := assemble(t, testConfig(to, 100, new(workers).start, journal))
	rows, s := sent(t, crew, 2*time.Second, nil)
	asPlanned(t, crew, rows, s)
	if s.Missed != "" || s.Acked != s.Requests {
		t.Errorf("%d of %d acknowledged; missed: %s", s.Acked, s.Requests, s.Missed)
	}
	t.Logf("%d requests, lateness %v", s.Requests, s.Lateness)
	to.mu.Lock()
	defer to.mu.Unlock()
	came := map[uint64]bool{}
	for id, at := range to.came {
		if n := number(t, id, 100); len(at) != 1 || came[n] {
			t.Errorf("request %d (%s) came %d times", n, id, len(at))
		} else {
			came[n] = true
		}
	}
	if len(came) != len(rows) {
		t.Errorf("%d requests came, and %d are in the ledger", len(came), len(rows))
	}
	journal.mu.Lock()
	defer journal.mu.Unlock()
	if journal.begun != 100 || len(journal.compared) != 100 || len(journal.ended) != 100 {
		t.Errorf("the journal has %d that began, %d with a clock, %d that ended", journal.begun, len(journal.compared), len(journal.ended))
	}
	for n, e := range journal.ended {
		if !e.Expected {
			t.Errorf("worker %d: %+v", n, e)
		}
	}
	if stats := crew.Stats(); stats.Sent != s.Requests || stats.Acked != s.Acked || stats.InFlight != 0 {
		t.Errorf("%+v at the end of %+v", stats, s)
	}
}

// TestSkewedClocks: of workers whose clocks are 3 s off and drift by 200 ppm, all times are the coordinator's, within the bound
// that is told: no request came before it was sent, or after it was done.
func TestSkewedClocks(t *testing.T) {
	to, journal := newWeb(t), newNotes()
	began := time.Now()
	skewed := &workers{clock: func(n int) func(time.Time) time.Duration {
		sign := float64(1 - 2*(n%2))
		return func(at time.Time) time.Duration {
			elapsed := at.Sub(began)
			return time.Duration(sign*float64(3*time.Second)) + elapsed + time.Duration(sign*200e-6*float64(elapsed))
		}
	}}
	crew := assemble(t, testConfig(to, 4, skewed.start, journal))
	rows, s := sent(t, crew, 4*time.Second, nil)
	asPlanned(t, crew, rows, s)
	bounds := map[int]time.Duration{}
	for n, all := range journal.compared {
		last := all[len(all)-1]
		bounds[n] = last.Bound
		// Each began with the crew, at 3 s or −3 s.
		if off := last.Offset.Abs() - 3*time.Second; off.Abs() > time.Second || last.Exchanges < firstExchanges+10 {
			t.Errorf("worker %d: %+v", n, last)
		}
		t.Logf("worker %d: %+v", n, last)
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	for _, r := range rows {
		worker := int(r.Seq%4) + 1
		at := to.came[loadgen.Part{Worker: worker, Of: 4}.RequestID("run", r.Seq)][0]
		if bound := bounds[worker]; at.Before(r.Sent.Add(-bound)) || at.After(r.Done.Add(bound)) {
			t.Errorf("request %d came %v after it was sent and %v before it was done, by a clock that is within %v", r.Seq, at.Sub(r.Sent), r.Done.Sub(at), bound)
		}
		if r.Lateness() > time.Second {
			t.Errorf("request %d was sent %v late", r.Seq, r.Lateness())
		}
	}
}

// TestLostWorker: what it may have sent is unknown, what was due later is unsent, and the others go on.
func TestLostWorker(t *testing.T) {
	to, journal, staff := newWeb(t), newNotes(), new(workers)
	crew := assemble(t, testConfig(to, 3, staff.start, journal))
	n := 0
	rows, s := sent(t, crew, 2*time.Second, func(loadgen.Row) {
		if n++; n == 200 {
			staff.all[1].conn.Close()
		}
	})
	e := journal.ended[2]
	if e.Expected || e.At < 200*time.Millisecond || e.At > time.Second || !strings.Contains(e.How, "its connection is gone; its process has ended (worker 2: ") {
		t.Errorf("it ended so: %+v", e)
	}
	if !journal.ended[1].Expected || !journal.ended[3].Expected {
		t.Errorf("the others ended so: %+v", journal.ended)
	}
	var unknown, of [3]uint64
	for _, r := range rows {
		of[r.Seq%3]++
		if r.Outcome == loadgen.Unknown {
			unknown[r.Seq%3]++
		}
	}
	if unknown[0]+unknown[2] > 0 || unknown[1] != e.Unknown {
		t.Errorf("of unknown outcome are %v, and it told of %d", unknown, e.Unknown)
	}
	due := loadgen.DueBy(crew.config.Load.Shape, s.Duration)
	if of[0]+of[2]+of[1]+s.Unsent != due || s.Unsent == 0 || of[0] != of[2] && of[0] != of[2]+1 {
		t.Errorf("%v rows and %d unsent of %d", of, s.Unsent, due)
	}
	// None of the other's may be in nobody's ledger.
	for id := range to.came {
		if number := number(t, id, 3); number%3 == 1 && number/3 >= of[1] {
			t.Errorf("request %d came, and has no row", number)
		}
	}
	if want := fmt.Sprintf("worker 2 of 3 was lost: of %d of its requests nobody knows what they came to, and %d were never sent", e.Unknown, s.Unsent); !strings.Contains(s.Missed, want) {
		t.Errorf("missed: %q, want %q", s.Missed, want)
	}
}

// TestAllWorkersLost: the load goes on with nothing until its time is over.
func TestAllWorkersLost(t *testing.T) {
	to, staff := newWeb(t), new(workers)
	crew := assemble(t, testConfig(to, 2, staff.start, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	staff.all[0].conn.Close()
	staff.all[1].conn.Close()
	s, err := crew.Run(ctx, func(loadgen.Row) {})
	if err != nil || ctx.Err() == nil || s.Unsent == 0 || !strings.Contains(s.Missed, "worker 1 of 2 was lost") || !strings.Contains(s.Missed, "worker 2 of 2 was lost") {
		t.Errorf("%+v, %v, %v", s, err, ctx.Err())
	}
}

// TestSlowLedgerDelaysNothing: while nobody takes rows, requests are sent when they are due.
func TestSlowLedgerDelaysNothing(t *testing.T) {
	to := newWeb(t)
	crew := assemble(t, testConfig(to, 2, new(workers).start, nil))
	first := true
	rows, s := sent(t, crew, 2*time.Second, func(loadgen.Row) {
		if first {
			time.Sleep(1500 * time.Millisecond) // longer than a request may be late
			first = false
		}
	})
	asPlanned(t, crew, rows, s)
	if s.Missed != "" {
		t.Errorf("missed: %s", s.Missed)
	}
}

// TestStrangersAreRefused: without the token, without a number that is free, or with another tongue nobody is heard.
func TestStrangersAreRefused(t *testing.T) {
	to := newWeb(t)
	crew := assemble(t, testConfig(to, 1, new(workers).start, nil))
	for said, want := range map[string]string{
		"throughline-worker/1 1 sesame\n":         "worker 1 is there already, or was lost\n",
		"throughline-worker/1 2 sesame\n":         "there is no worker 2: want 1 to 1\n",
		"throughline-worker/1 0 sesame\n":         "there is no worker 0: want 1 to 1\n",
		"throughline-worker/1 one sesame\n":       "it has no number: expected integer\n",
		"throughline-worker/1 1 sesam\n":          "it has not the token\n",
		"throughline-worker/2 1 sesame\n":         "it does not speak throughline-worker/1: have workers and coordinator be of one version\n",
		"GET / HTTP/1.1\n":                        "it does not speak throughline-worker/1: have workers and coordinator be of one version\n",
		strings.Repeat("x", longestLine+1) + "\n": "its first line is longer than 256 bytes\n",
	} {
		conn, err := net.Dial("tcp", crew.listen.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, said)
		got, _ := io.ReadAll(conn)
		if conn.Close(); string(got) != want {
			t.Errorf("%q is answered with %q, want %q", said, got, want)
		}
	}
	if err := (Worker{Number: 1, Token: "wrong"}).Work(t.Context(), dial(t, crew)); err == nil || !strings.Contains(err.Error(), "it has not the token") {
		t.Errorf("a worker with a wrong token: %v", err)
	}
}

func dial(t testing.TB, crew *Crew) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", crew.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestAssembleRefuses says why there is no crew, and leaves nobody behind.
func TestAssembleRefuses(t *testing.T) {
	to := newWeb(t)
	for want, spoil := range map[string]func(*Config){
		"workers: 0: want 1 to 100":           func(c *Config) { c.Workers = 0 },
		"workers: 101: want 1 to 100":         func(c *Config) { c.Workers = 101 },
		"sine: swing 400/s is above the mean": func(c *Config) { c.Form.Swing = 400 },
		"routes: none given":                  func(c *Config) { c.Load.Routes = nil },
		"listen for workers":                  func(c *Config) { c.Listen = "127.0.0.1:nowhere" },
		"start worker 1: no such thing":       func(c *Config) { c.Start = func(Invitation) (Started, error) { return nil, fmt.Errorf("no such thing") } },
		"start worker 1: its process has ended (worker 1: coordinator ": func(c *Config) {
			start := c.Start
			c.Start = func(i Invitation) (Started, error) { i.Token = "wrong"; return start(i) }
		},
	} {
		c := testConfig(to, 2, new(workers).start, nil)
		spoil(&c)
		if crew, err := Assemble(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", crew, err, want)
		}
	}
}

// TestWorkerNeedsItsCoordinator: a worker whose coordinator is gone sends no more and ends at once, whatever is under way.
func TestWorkerNeedsItsCoordinator(t *testing.T) {
	to, staff := newWeb(t), new(workers)
	to.hold = make(chan struct{})
	defer close(to.hold)
	crew, err := Assemble(t.Context(), testConfig(to, 1, staff.start, nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		crew.Run(ctx, func(loadgen.Row) {})
	}()
	for crew.Stats().Sent == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	crew.seats[0].dismiss(errSilent)
	<-staff.all[0].gone
	if err := staff.all[0].err; err == nil || !strings.Contains(err.Error(), "the connection broke") {
		t.Errorf("it ended with %v", err)
	}
	cancel()
	<-over
	if err := crew.Close(); err != nil {
		t.Error(err)
	}
}
