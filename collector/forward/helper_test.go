package forward

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/collector"
)

// patience bounds what is waited for. Nothing takes nearly as long.
const patience = 60 * time.Second

// until waits for something to become true.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// balanced checks the identities of figures.
func balanced(t testing.TB, f Figures) {
	t.Helper()
	if f.In != f.Sent+f.Dropped+uint64(f.Queued) || f.Dropped != f.Full+f.Refused+f.Unsent || f.Queued < 0 {
		t.Errorf("the figures do not balance: %+v", f)
	}
}

// start runs a forwarder; end stops it, and returns its last figures.
func start(t testing.TB, f Forwarder) (end func() Figures) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	ended := false
	end = func() Figures {
		if !ended {
			ended = true
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(patience):
				t.Fatal("Run does not return")
			}
		}
		figures := f.Figures()
		balanced(t, figures)
		if figures.Queued != 0 || figures.Up {
			t.Errorf("after Run the figures are %+v, want nothing queued and not up", figures)
		}
		return figures
	}
	t.Cleanup(func() { end() })
	return end
}

// quick are limits for peers that are away for moments.
func quick() Limits {
	return Limits{RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond}
}

// settled waits until n are sent and nothing waits.
func settled(t testing.TB, f Forwarder, n uint64) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("figures: %+v", f.Figures())
		}
	}()
	until(t, "everything is sent", func() bool {
		x := f.Figures()
		balanced(t, x)
		return x.Sent == n && x.Queued == 0
	})
}

// free is an address on which nobody listens.
func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// program finds a real peer.
func program(t testing.TB, name, where string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed: %s", name, where)
	}
	t.Skipf("SKIPPED, NOTHING PROVED: %s is not installed: %s", name, where)
	return ""
}

// process runs a real peer until the test ends. stop is for peers that are to
// go before that.
func process(t testing.TB, name string, args ...string) (stop func(os.Signal)) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := false
	stop = func(s os.Signal) {
		if !gone {
			gone = true
			_ = cmd.Process.Signal(s)
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		stop(os.Kill)
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s says:\n%s", filepath.Base(name), text)
		}
		log.Close()
	})
	return stop
}

// sample is an observed sample of web-1.
func sample(name string, kind collector.Type, at time.Time, v float64) collector.Sample {
	statsd := strings.ReplaceAll(strings.TrimSuffix(name, "_total"), "_", ".")
	return collector.Sample{Name: name, Labels: collector.NewLabels("instance", "web-1"), At: at, Value: v, Observed: 1,
		Meta: &collector.Meta{Type: kind, Sent: statsd}}
}

func carried(s collector.Sample) collector.Sample {
	s.Observed = 0
	return s
}

func ended(s collector.Sample) collector.Sample {
	s.Stale, s.Observed = true, 0
	return s
}
