package account

import (
	"slices"
	"testing"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

func TestALossBeforeTheKillIsNoSendBuffer(t *testing.T) {
	// Five requests at 1 s are never counted. The instance is killed in a
	// burst, so that its buffer could have held as many.
	a := Account{Life: record.Lifetime{Instance: "web-1"}, Promise: script.Conservation{ClientWindow: 100 * time.Millisecond, SampleRate: 1}, killed: 6 * time.Second}
	add := func(at time.Duration, n int) {
		for range n {
			a.Acked = append(a.Acked, at)
		}
	}
	add(time.Second, 5)
	add(2500*time.Millisecond, 2)
	add(5950*time.Millisecond, 9)
	a.counted = evidence.Curve{At: []time.Duration{3 * time.Second, 6 * time.Second}, N: []float64{2, 11}}
	for tick := time.Second; tick <= 7*time.Second; tick += time.Second {
		a.ticks = append(a.ticks, tick)
	}
	a.Total, a.Buffer = 11, 9
	e := &evidence.Index{Interval: time.Second}
	a.counted.N[1] = 2
	a.Early = a.beforeKill(e)
	if a.Early != 5 {
		t.Fatalf("missing before the kill: %d, want 5", a.Early)
	}
	if b := a.Book(); b.Lost != 5 || b.Unexplained != 5 {
		t.Errorf("booked %+v", b)
	}
}

func TestOverlapsAreThoseOfASearch(t *testing.T) {
	spans := []weighted{{1, 4, 1}, {2, 3, 2}, {6, 9, 4}, {5, 5, 8}}
	for from := time.Duration(0); from < 11; from++ {
		for to := from; to < 11; to++ {
			var want int64
			for _, s := range spans {
				if s.sent <= to && s.done >= from {
					want += s.n
				}
			}
			if got := newOverlaps(slices.Clone(spans)).touching(from, to); got != want {
				t.Errorf("[%d, %d]: %d, want %d", from, to, got, want)
			}
		}
	}
}
