package sourcetest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"throughline/collector"
)

func of(s collector.Source, m *Memory) Driver {
	return Driver{Source: s, Series: MemorySeries, Count: m.Hit, Bad: func() { m.Hit(-1) }}
}

func TestMemory(t *testing.T) {
	Contract(t, func(_ *testing.T, in collector.Intake) Driver {
		m := NewMemory(in)
		return of(m, m)
	})
}

// broken is a Memory that breaks a law.
type broken struct {
	*Memory
	law     string
	in      collector.Intake
	dropped atomic.Bool
	ran     bool
}

// Append stands before the sink.
func (b *broken) Append(samples ...collector.Sample) error {
	if b.dropped.Load() {
		return nil
	}
	if b.law == lawTimes {
		for i := range samples {
			samples[i].At = samples[i].At.Add(time.Millisecond)
		}
	}
	err := b.in.Sink.Append(samples...)
	if b.law == lawRefused {
		err = nil
	}
	return err
}

func (b *broken) Run(ctx context.Context) error {
	if b.law == lawOnce && b.ran {
		return nil
	}
	b.ran = true
	inner, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	go func() {
		<-ctx.Done()
		b.dropped.Store(b.law == lawLast)
		end()
	}()
	return b.Memory.Run(inner)
}

func (b *broken) Close() error {
	if b.law == lawClosed {
		return nil
	}
	return b.Memory.Close()
}

func (b *broken) Metrics() []collector.Metric {
	metrics := b.Memory.Metrics()
	switch b.law {
	case lawBad:
		metrics[0].Loss = false
	case lawDocumented:
		return nil
	}
	return metrics
}

// forgetful ends the series of whoever it is told of.
type forgetful struct{ *broken }

func (f forgetful) Retire(_ context.Context, instance string) error {
	return f.in.Sink.Append(collector.Sample{Name: MemorySeries, Labels: collector.NewLabels("instance", instance), At: time.Now().Add(time.Hour), Stale: true})
}

// timeless forgets when the points were.
type timeless struct{ collector.Resumer }

func (r timeless) Last(name string, labels collector.Labels) (collector.Sample, bool) {
	last, ok := r.Resumer.Last(name, labels)
	last.At = time.Time{}
	return last, ok
}

// brokenVariable names the law that the source of TestBroken breaks.
const brokenVariable = "THROUGHLINE_BROKEN_SOURCE"

// TestBroken is run by TestTheContractBites, and fails.
func TestBroken(t *testing.T) {
	law := os.Getenv(brokenVariable)
	if law == "" {
		t.Skip("it is to fail: TestTheContractBites runs it")
	}
	Contract(t, func(_ *testing.T, in collector.Intake) Driver {
		b := &broken{law: law, in: in}
		in.Sink = b
		switch law {
		case lawResumed:
			in.Resume = nil
		case lawReplaced:
			in.Resume = timeless{in.Resume}
		}
		b.Memory = NewMemory(in)
		if law == lawRetired {
			return of(forgetful{b}, b.Memory)
		}
		return of(b, b.Memory)
	})
}

// TestTheContractBites: a source that breaks one law is told so, under its name.
func TestTheContractBites(t *testing.T) {
	for _, law := range []string{lawLast, lawTimes, lawBad, lawDocumented, lawOnce, lawClosed, lawRefused, lawResumed, lawReplaced, lawRetired} {
		t.Run(law, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run", "^TestBroken$")
			cmd.Env = append(os.Environ(), brokenVariable+"="+law)
			out, err := cmd.CombinedOutput()
			if want := "--- FAIL: TestBroken/" + strings.ReplaceAll(law, " ", "_"); err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v, want %s in\n%s", err, want, out)
			}
		})
	}
}
