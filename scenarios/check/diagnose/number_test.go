package diagnose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/record"
)

// byNumber makes an account of an instance whose client sends when it holds so many, and never else. It lives until end.
func byNumber(name string, seed uint64, number int, perSecond float64, end time.Duration) Account {
	a := instance(name, seed, steady(perSecond), client{period: tenth, workers: 1})
	var sent []time.Duration // when each count came
	a.Acked = a.Acked[:upTo(a.Acked, end)]
	for i := range a.Acked {
		if full := (i/number+1)*number - 1; full < len(a.Acked) {
			sent = append(sent, a.Acked[full])
		}
	}
	var came float64
	for k, at := range a.Ticks {
		a.Sent[k] = upTo(a.Acked, at)
		a.Counted[k] = float64(upTo(sent, at))
		if k > 0 && a.Counted[k] > a.Counted[k-1] || k == 0 && a.Counted[k] > 0 {
			came++
		}
		a.LinesAt[k], a.DatagramsAt[k] = came, came
	}
	a.Total, a.Lines, a.Datagrams = int64(len(sent)), int64(came), int64(came)
	a.Open = int64(len(a.Acked)) - a.Total
	a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
	return a
}

// TestSentByNumber: what no full batch was made of is lost with whoever is ended, and comes late with others; it is one client that
// does so, and one explanation.
func TestSentByNumber(t *testing.T) {
	fleet := func(number int) []Account {
		killed := byNumber("web-1", 1, number, 9, 9*time.Second)
		killed.Life.Death, killed.Killed = 9*time.Second, 9*time.Second
		asked := byNumber("web-2", 2, number, 9, 12*time.Second)
		asked.Life.Signalled, asked.Life.Death, asked.Life.Signal = 12*time.Second, 12100*time.Millisecond, "SIGTERM"
		lives := byNumber("web-3", 3, number, 9, until)
		return []Account{killed, asked, lives, byNumber("web-4", 4, number, 8, until)}
	}
	accounts := fleet(50)
	for i, d := range explained(t, tenth, accounts...) {
		if accounts[i].Open == 0 {
			t.Fatalf("%s lacks none", accounts[i].Instance)
		}
		if d.Cause != LargeBuffer || !strings.Contains(d.Why, "they were 50, or a multiple of it") {
			t.Errorf("%s: cause %s %v: %s", accounts[i].Instance, d.Cause, d.Possible, d.Why)
		}
	}

	// A kill within the window after a batch was full takes that too.
	accounts = fleet(50)
	for i := range accounts[0].Counted {
		accounts[0].Counted[i] = 0
	}
	accounts[0].Acked = accounts[0].Acked[:52]
	accounts[0].Total, accounts[0].Open, accounts[0].Buffer = 0, 52, 5
	if d := explained(t, tenth, accounts...)[0]; d.Cause != LargeBuffer {
		t.Errorf("a full one was taken by the kill: cause %s %v: %s", d.Cause, d.Possible, d.Why)
	}

	for what, spoil := range map[string]func([]Account){
		"one increment is no multiple": func(all []Account) {
			a := &all[3]
			for k := range a.Counted {
				if a.Counted[k] > 0 {
					a.Counted[k]++
				}
			}
			a.Total, a.Open = a.Total+1, a.Open-1
		},
		"a whole batch lacks": func(all []Account) {
			a := &all[2]
			for k := range a.Counted {
				a.Counted[k] = max(0, a.Counted[k]-50)
			}
			a.Total, a.Open = a.Total-50, a.Open+50
		},
		"the collector multiplied them": func(all []Account) {
			for i := range all {
				all[i].Sampled = all[i].Total / 50
			}
		},
	} {
		all := fleet(50)
		spoil(all)
		for _, d := range explained(t, tenth, all...) {
			if strings.Contains(d.Why, "or a multiple of it") {
				t.Errorf("%s, and yet: %s", what, d.Why)
			}
		}
	}
	c := Case{Window: tenth, Interval: time.Second, Accounts: fleet(2)}
	if got := newCourt(&c).number; got != 0 {
		t.Errorf("by %d: twos come of counting twice", got)
	}
}

// TestNumberOfFew: that a few increments are multiples of a small number is chance.
func TestNumberOfFew(t *testing.T) {
	for increments, want := range map[int]int64{3: 0, 12: 0, 13: 3, 30: 3} {
		a := Account{Instance: "web-1", Killed: record.Never, Rate: 1, Sampled: -1, Life: record.Lifetime{Death: record.Never, Signalled: record.Never}}
		for i := range increments {
			for j := range 3 {
				a.Acked = append(a.Acked, time.Duration(i)*time.Second+time.Duration(j)*time.Millisecond)
			}
			a.Ticks = append(a.Ticks, time.Duration(i+1)*time.Second)
			a.Since, a.Sent = append(a.Since, a.Ticks[i]), append(a.Sent, int64(3*i+3))
			a.Counted = append(a.Counted, float64(3*i+3))
		}
		a.Total = int64(3 * increments)
		c := Case{Window: tenth, Interval: time.Second, Accounts: []Account{a}}
		if got := newCourt(&c).number; got != want {
			t.Errorf("%s: by %d, want %d", fmt.Sprint(increments, " increments of 3"), got, want)
		}
	}
}
