package diagnose

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// counting makes instances that count each of some requests again, and answer others beside, which
// their timer measures too.
func counting(every int) []Account {
	var accounts []Account
	for i := range 3 {
		a := instance(fmt.Sprintf("web-%d", i+1), uint64(i+110), steady(40), client{period: time.Second, workers: 1})
		n := 0.0
		var was, too float64
		for k := range a.Ticks {
			n = a.Counted[k]
			for r := was + 1; r <= n; r++ {
				if int(r)%every == 0 {
					too++
				}
			}
			was = n
			a.Counted[k] = n + too
		}
		a.Total, a.Open = a.Total+int64(too), a.Open-int64(too)
		var others []time.Duration
		for j, at := range a.Acked {
			if j%4 == i%4 || j%9 == 0 {
				others = append(others, at)
			}
		}
		a.Beside = []Stream{{What: "get", At: others}}
		a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked) + len(others))}
		accounts = append(accounts, a)
	}
	return accounts
}

// A timer that measures another route too is no sign of datagrams that came twice.
func TestATimerOfMoreRoutesIsNoSurplus(t *testing.T) {
	for _, every := range []int{6, 15} {
		for _, d := range explained(t, time.Second, counting(every)...) {
			if d.Cause != Twice {
				t.Errorf("1 in %d: cause %s %v, want %s: %s", every, d.Cause, d.Possible, Twice, d.Why)
			}
		}
	}
}

// Where no timer is known, a line each second at all times shows that none came twice.
func TestDatagramsThatCameTwiceAreMore(t *testing.T) {
	accounts := counting(6)
	for i := range accounts {
		accounts[i].Twin = Twin{}
	}
	for _, d := range explained(t, time.Second, accounts...) {
		if d.Cause == NetTwice {
			t.Errorf("cause %s: %s", d.Cause, d.Why)
		}
	}
	k := newCourt(&Case{Window: time.Second, Interval: time.Second, Accounts: accounts})
	if got := k.tracks[0].cameAgain(); got > -2 {
		t.Errorf("no datagram more than usual: %.1f, want far below 0", got)
	}
}

// What is fewer than a datagram brings is no datagram.
func TestALossSmallerThanADatagramIsNone(t *testing.T) {
	var accounts []Account
	for i := range 3 {
		left := i + 4 // of what is missing at each
		a := instance(fmt.Sprintf("web-%d", i+1), uint64(i+130), steady(40), client{period: time.Second, workers: 1,
			counted: func(_ int, at time.Duration, rnd *rand.Rand) bool {
				if left > 0 && at > 4*time.Second && rnd.IntN(150) == 0 {
					left--
					return false
				}
				return true
			}})
		accounts = append(accounts, a)
	}
	for _, d := range explained(t, time.Second, accounts...) {
		if d.Cause == NetLost {
			t.Errorf("cause %s: %s", d.Cause, d.Why)
		}
	}
	k := newCourt(&Case{Window: time.Second, Interval: time.Second, Accounts: accounts})
	if got := k.tracks[0].wholeDatagram(); got > -2 {
		t.Errorf("less than a datagram: %.1f, want far below 0", got)
	}
	for i := range accounts {
		accounts[i].Open, accounts[i].Total = 45, accounts[i].Total-45+accounts[i].Open
	}
	k = newCourt(&Case{Window: time.Second, Interval: time.Second, Accounts: accounts})
	if got := k.tracks[0].wholeDatagram(); got < -1 {
		t.Errorf("a datagram: %.1f, want about 0", got)
	}
}
