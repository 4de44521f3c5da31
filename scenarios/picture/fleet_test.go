package picture

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

// scaledRun is one in which users send 10 requests a second, and 30 from 4 s on, and an autoscaler finds out late.
func scaledRun() record.History {
	h := record.History{Run: record.Run{Start: start, Interval: second}}
	decided := func(at time.Duration, had, wanted int) {
		h.Events = append(h.Events, record.Event{At: at, Kind: record.Decided, Decision: &autoscale.Decision{Had: had, Wanted: wanted}})
	}
	decided(2*second, 1, 1)
	decided(6*second, 1, 3)
	decided(8*second, 3, 3)
	h.Events = append(h.Events, record.Event{At: 9 * second, Kind: record.RunEnd})
	for at := 370 * time.Millisecond; at < 9*second; at += second / 10 {
		n := 1
		if at > 4370*time.Millisecond {
			n = 3
		}
		for range n {
			h.Requests = append(h.Requests, record.Request{Route: "insert", Sent: at, Due: at, Done: at + time.Millisecond, Outcome: record.Acked},
				record.Request{Route: "get", Sent: at, Due: at, Done: at + time.Millisecond, Outcome: record.Acked})
		}
	}
	return h
}

var tenEach = &Fleet{Policy: autoscale.Policy{Min: 1, Max: 8, Target: 10, Tolerance: 0.1, Form: autoscale.Sum}, Route: "insert"}

func fleetLines(s Snapshot) map[string][]float64 {
	out := map[string][]float64{}
	for _, l := range s.Layers {
		if l.ID == FleetLayer {
			for _, line := range l.Lines {
				out[line.Name] = line.Values
			}
		}
	}
	return out
}

func TestFleet(t *testing.T) {
	h := scaledRun()
	none := math.NaN()
	want := map[string][]float64{
		"had":    {none, none, 1, 1, 1, 1, 1, 1, 3, 3},
		"wanted": {none, none, 1, 1, 1, 1, 3, 3, 3, 3},
		// Bins end at 0.37 s, 1.37 s, …; what comes in two of them makes a rate, so that a rise is half seen at first.
		"needed": {1, 1, 1, 1, 1, 2, 3, 3, 3, 3},
	}
	counts := Counts{Metric: "a", Fleet: tenEach}
	s := Of(h, counts).Now()
	if diff := cmp.Diff(want, fleetLines(s), exactly); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	live := New(h.Run, counts)
	requests := h.Requests
	for _, e := range h.Events {
		for ; len(requests) > 0 && requests[0].Done <= e.At; requests = requests[1:] {
			live.Request(requests[0])
			live.Now()
		}
		live.Event(e)
	}
	if diff := cmp.Diff(s, live.Now(), exactly); diff != "" {
		t.Errorf("-afterwards +while it went on:\n%s", diff)
	}

	delete(want, "needed")
	if diff := cmp.Diff(want, fleetLines(Of(h, Counts{Metric: "a"}).Now()), exactly); diff != "" {
		t.Errorf("where nobody can tell what is needed (-want +got):\n%s", diff)
	}
	h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == record.Decided })
	if got := fleetLines(Of(h, counts).Now()); len(got) > 0 {
		t.Errorf("without decisions there is %v", got)
	}
}
