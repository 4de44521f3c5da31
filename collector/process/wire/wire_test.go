package wire

import (
	"testing"
	"time"
)

// TestTimes: a time comes out as it was by both clocks.
func TestTimes(t *testing.T) {
	began := time.Now()
	sender, receiver := NewClock(began), Tied(began.Round(0), began)
	for name, c := range map[string]struct {
		sent Time
		want time.Duration // since began, by both clocks
	}{
		"after the epoch":         {sender.Tell(began.Add(3 * time.Second)), 3 * time.Second},
		"before it":               {sender.Tell(began.Add(-time.Minute)), -time.Minute},
		"read not quite at once":  {Time{began.Add(3*time.Second).UnixNano() - 70, 3 * time.Second}, 3*time.Second - 70},
		"without monotonic clock": {sender.Tell(began.Add(-5 * time.Second).Round(0)), -5 * time.Second},
	} {
		got := receiver.Hear(c.sent, began.Add(4*time.Second))
		if !got.Round(0).Equal(began.Add(c.want).Round(0)) || got.Sub(began) != c.want {
			t.Errorf("%s: %v, %v after the start; want %v", name, got, got.Sub(began), c.want)
		}
	}
}

// TestSteps: when the wall clock was set, a time that was read after that is told from one that is counted on from before.
func TestSteps(t *testing.T) {
	old := time.Unix(1_700_000_000, 0)
	anew := old.Add(time.Hour)
	for name, c := range map[string]struct{ sent, want time.Time }{
		"counted on":         {old.Add(-60), old.Add(-60)},
		"read anew":          {anew.Add(200), anew.Add(200)},
		"of another machine": {anew.Add(time.Minute), old},
	} {
		if got := meant(c.sent.UnixNano(), old, anew); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
