package diagnose

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Names that break lines break those of all counters, and no line that is cut has a bar in its name.
func TestBrokenNamesAreNotCut(t *testing.T) {
	for _, c := range []struct {
		name  string
		short bool // the bad lines end early
		want  string
	}{
		{"a bar in a name", false, BadLines},
		{"the last line of a datagram ends early", true, Truncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			var accounts []Account
			for i := range 3 {
				a := instance(fmt.Sprintf("web-%d", i+1), uint64(i+90), steady(60), client{period: time.Second / 2, workers: 1,
					arrives: func(_ int, _ time.Duration, rnd *rand.Rand) bool { return rnd.Float64() > 0.2 }})
				a.Bad = a.Open * a.Lines / a.Total * 5 / 4 // those of another counter as well
				if c.short {
					a.Short = a.Bad
				}
				share := float64(a.Open) / float64(len(a.Acked))
				var others []time.Duration
				for j, at := range a.Acked {
					if j%4 == 0 {
						others = append(others, at)
					}
				}
				a.Kin = []Kin{{Acked: others, Total: int64((1 - share) * float64(len(others)))}}
				accounts = append(accounts, a)
			}
			for _, d := range explained(t, time.Second/2, accounts...) {
				if d.Cause != c.want {
					t.Errorf("cause %s %v, want %s: %s", d.Cause, d.Possible, c.want, d.Why)
				}
			}
		})
	}
}
