package evidence

import (
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// A poll that falls into a reload is answered after it, and bears the time at which
// it was asked: what was under way until the reload had ended may be in no poll.
func TestAPollDuringAReload(t *testing.T) {
	second := time.Second
	e := &Index{Interval: second, Tiers: record.AllTiers(), History: record.History{
		Events: []record.Event{
			{At: 5 * second, Kind: record.FaultBegin, Fault: "reload-lb"}, {At: 5*second + 300*time.Millisecond, Kind: record.FaultEnd, Fault: "reload-lb"}},
		Requests: []record.Request{
			{Sent: 4 * second, Done: 4*second + 1, Attempts: 1}, {Sent: 5*second + 200*time.Millisecond, Done: 6 * second, Attempts: 1}, {Sent: 7 * second, Done: 8 * second, Attempts: 1}},
	}, Polled: map[string][]*record.Series{"haproxy_frontend_req_tot": {{Name: "haproxy_frontend_req_tot", Meta: collector.Meta{Type: collector.Counter},
		Points: []record.Point{{At: 5 * second, Value: 100}, {At: 5*second + 100*time.Millisecond, Value: 3}}}}}}
	e.stitch()
	if got := e.NotPolled(""); got != 1 {
		t.Errorf("%d requests may be in no poll, want 1", got)
	}
}

// Time in which an instance stood still is no lag until it is over for long
// enough, and others are not excused.
func TestFrozen(t *testing.T) {
	e := &Index{History: record.History{Events: []record.Event{
		{At: 5 * time.Second, Kind: record.FaultBegin, Fault: "freeze", Instance: "web-2"},
		{At: 9 * time.Second, Kind: record.FaultEnd, Fault: "freeze", Instance: "web-2"},
	}}}
	e.indexStandstills()
	for _, c := range []struct {
		instance       string
		from, to, want time.Duration
	}{
		{"web-2", 4, 7, 2}, {"web-2", 8, 10, 4}, {"web-2", 9, 11, 0}, {"web-2", 2, 5, 0}, {"web-1", 4, 7, 0},
	} {
		if got := e.Frozen(c.instance, c.from*time.Second, c.to*time.Second); got != c.want*time.Second {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestIntervalEndsContinueInBothDirections(t *testing.T) {
	e := &Index{Interval: time.Second, Ticks: []time.Duration{5137 * time.Millisecond}}
	for at, want := range map[time.Duration]time.Duration{
		0:                       137 * time.Millisecond,
		137 * time.Millisecond:  1137 * time.Millisecond,
		1100 * time.Millisecond: 1137 * time.Millisecond,
		5136 * time.Millisecond: 5137 * time.Millisecond,
		9 * time.Second:         9137 * time.Millisecond,
		-time.Nanosecond:        137 * time.Millisecond,
	} {
		if got := e.FirstTick(at); got != want {
			t.Errorf("after %v: %v, want %v", at, got, want)
		}
	}
}

func TestAStallIsFeltByWhoWaited(t *testing.T) {
	e := &Index{}
	for i := range 5000 { // a request each millisecond, and 700 ms of nothing from 2 s on
		due := time.Duration(i) * time.Millisecond
		late := max(0, 2700*time.Millisecond-due)
		if due < 2*time.Second {
			late = 0
		}
		e.pace = append(e.pace, pace{due, due + late, late})
	}
	e.indexPace()
	for _, c := range []struct{ from, to, want time.Duration }{
		{0, Forever, 701}, {0, 1999, 0}, {2500, 3000, 701}, {2699, 5000, 701}, {2701, 5000, 0}, {0, 2000, 701},
	} {
		to := c.to
		if to != Forever {
			to *= time.Millisecond
		}
		if got := e.Stall(c.from*time.Millisecond, to); got != c.want*time.Millisecond {
			t.Errorf("%d to %d: %v, want %d ms", c.from, c.to, got, c.want)
		}
	}
}
