package evidence

import (
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
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

// A load balancer that nobody sees may have sent again what was in flight when an instance died: as many as were in flight
// in any one moment of the time in which it did, and none of an instance that lives.
func TestResentByWhoeverIsThere(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	request := func(instance string, sent, done int) record.Request {
		return record.Request{Sent: ms(sent), Done: ms(done), Route: "insert", Instance: instance, Status: 200, Attempts: 1, Outcome: record.Acked}
	}
	h := record.History{Run: record.Run{Platform: record.External},
		Events: []record.Event{
			{At: ms(1), Kind: record.Birth, Instance: "web-1", Role: record.Web}, {At: ms(1), Kind: record.Birth, Instance: "web-2", Role: record.Web},
			{At: ms(1000), Kind: record.Signalled, Instance: "web-2", Role: record.Web, Signal: SigKill},
			{At: ms(1500), Kind: record.Death, Instance: "web-2", Role: record.Web, Code: -1, Signal: SigKill, Expected: true},
		},
		Requests: []record.Request{
			request("web-1", 900, 999),   // before
			request("web-1", 990, 1010),  // alone
			request("web-1", 1100, 1300), // three at 1,250
			request("web-1", 1200, 1300),
			request("web-1", 1250, 1260),
			request("web-2", 1240, 1255),  // its own
			request("web-1", 1501, 1600)}} // after
	for i := range h.Requests {
		h.Requests[i].Seq = uint64(i)
	}
	e := New(h, script.Scenario{Stack: script.Stack{External: &script.External{}}})
	if one, two, all := e.RetriesOn("web-1"), e.RetriesOn("web-2"), e.Retries(); one != 0 || two != 3 || all != 3 {
		t.Errorf("sent again from web-1 %d, from web-2 %d, in all %d; want 0, 3, 3", one, two, all)
	}
	dead, _ := e.LifeOf("web-2")
	if got := e.KilledAt(dead); got != ms(1240) {
		t.Errorf("web-2 lived until %v at least, want until its last answer was asked for at 1.24s", got)
	}
	e = New(h, script.Scenario{})
	if n := e.RetriesOn("web-2"); n != 0 || e.KilledAt(dead) != ms(1000) {
		t.Errorf("in a stack of the run's own %d are sent again, and it died at %v", n, e.KilledAt(dead))
	}
}
