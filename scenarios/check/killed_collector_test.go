package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// killedCollector is the talk in which the collector is killed at 9.0 s, and another one is there at 11.9 s.
func killedCollector() record.History {
	h := faulty("fault: kill-collector, for: 2s", "kill-collector")
	tell(&h, record.Event{At: time.Millisecond, Kind: record.CollectorBegin, ID: "7"})
	tell(&h, record.Event{At: 9050 * time.Millisecond, Kind: record.CollectorEnd, ID: "7", Signal: "SIGKILL", Code: -1, Expected: true})
	tell(&h, record.Event{At: 11900 * time.Millisecond, Kind: record.CollectorBegin, ID: "8"})
	start := record.Series{Name: record.StartTime, Meta: collector.Meta{Type: collector.Gauge}}
	late := record.Series{Name: record.FlushLateness, Meta: collector.Meta{Type: collector.Gauge}}
	for at := worldPhase + 3*time.Second; at < 15*time.Second; at += time.Second {
		switch {
		case at < 9*time.Second:
			start.Points = append(start.Points, record.Point{At: at, Value: 1_700_000_000.001, Observed: 1})
		case at > 12*time.Second:
			start.Points = append(start.Points, record.Point{At: at, Value: 1_700_000_011.9, Observed: 1})
		default:
			continue
		}
		late.Points = append(late.Points, record.Point{At: at, Value: 0.001, Observed: 1})
	}
	h.Series = append(h.Series, start, late)
	return h
}

// ownSeries is the series of a name.
func ownSeries(h *record.History, name string) *record.Series {
	return &h.Series[slices.IndexFunc(h.Series, func(s record.Series) bool { return s.Name == name })]
}

// That the collector was killed the journal and the collectors themselves must show; each that says otherwise is told.
func TestKilledCollectorIsProved(t *testing.T) {
	const step = "fault kill-collector"
	says(t, judged(t, killedCollector()), "efficacy", verdict.Pass,
		"1 step took effect: "+step+" (its process ended by SIGKILL at 9.1 s, another one was there at 11.9 s, and 7 datagrams went nowhere (web-2 7))")
	quiet := killedCollector()
	for i := range quiet.Events {
		quiet.Events[i].Count = 0 // nobody sent anything meanwhile
	}
	says(t, judged(t, quiet), "efficacy", verdict.Pass, "1 step took effect: "+step+" (its process ended by SIGKILL at 9.1 s, another one was there at 11.9 s)")

	event := func(kind record.Kind, nth int, change func(*record.Event)) func(*record.History) {
		return func(h *record.History) {
			for i := range h.Events {
				if h.Events[i].Kind != kind {
					continue
				}
				if nth--; nth == 0 {
					change(&h.Events[i])
				}
			}
		}
	}
	gone := func(e *record.Event) { e.Kind = record.Note }
	for name, c := range map[string]struct {
		change func(*record.History)
		want   string
	}{
		"it did not begin": {event(record.FaultBegin, 1, gone), "the journal does not tell that it began"},
		"it is not over":   {event(record.FaultEnd, 1, gone), "it began at 9.0 s, and the journal does not tell that it was over"},
		"it failed":        {event(record.FaultEnd, 1, func(e *record.Event) { e.Error = "no port" }), "no port"},
		"no end":           {event(record.CollectorEnd, 1, gone), "the journal does not tell that the collector's process ended"},
		"an end before":    {event(record.CollectorEnd, 1, func(e *record.Event) { e.At = 8 * time.Second }), "the journal does not tell that the collector's process ended"},
		"ended by itself":  {event(record.CollectorEnd, 1, func(e *record.Event) { e.Signal, e.Code = "", 3 }), "the collector's process ended otherwise than by SIGKILL (exit status 3)"},
		"asked to end":     {event(record.CollectorEnd, 1, func(e *record.Event) { e.Signal = "SIGTERM" }), "the collector's process ended otherwise than by SIGKILL (SIGTERM)"},
		"no other":         {event(record.CollectorBegin, 2, gone), "the journal does not tell that another collector was started"},
		"the same":         {event(record.CollectorBegin, 2, func(e *record.Event) { e.ID = "7" }), "the collector's process is the same as before (7)"},
		"a flush in between": {func(h *record.History) {
			s := ownSeries(h, record.FlushLateness)
			s.Points[6].At = 10137 * time.Millisecond
		}, "the record has points of the collector of 10.1 s, when there was none"},
		"it says the same":      {func(h *record.History) { s := ownSeries(h, record.StartTime); s.Points[6].Value = s.Points[0].Value }, "the collector does not say that it was started anew: at 1700000000.001 before, at 1700000000.001 after"},
		"it says nothing after": {func(h *record.History) { s := ownSeries(h, record.StartTime); s.Points = s.Points[:6] }, "the collector does not say that it was started anew: at 1700000000.001 before, at 0.000 after"},
		"nothing before":        {func(h *record.History) { s := ownSeries(h, record.StartTime); s.Points = s.Points[6:] }, "the collector does not say that it was started anew: at 0.000 before, at 1700000011.900 after"},
	} {
		h := killedCollector()
		c.change(&h)
		v := judged(t, h)
		if got := said(v, "efficacy", verdict.Inconclusive); len(got) != 1 || got[0] != "the fault did not take effect: "+step+": "+c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if v.Outcome == verdict.Pass {
			t.Errorf("%s: the run passes", name)
		}
	}
}

// A collector that ended although nobody had asked for it leaves a record that proves nothing.
func TestADeadCollectorProvesNothing(t *testing.T) {
	h := talk().make()
	tell(&h, record.Event{At: 9 * time.Second, Kind: record.CollectorEnd, ID: "7", Code: 2})
	v := judged(t, h)
	says(t, v, "harness", verdict.Inconclusive, "the collector's process ended at 9.0 s and nobody had asked for it (exit status 2): what is missing from then on proves nothing")
	if v.Outcome != verdict.Inconclusive {
		t.Errorf("the run is %v", v.Outcome)
	}
}

// What a collector has not heard of since it took the place of another has no points, and lacks none; all else does.
func TestWhoIsNotHeardOfAtAnotherCollector(t *testing.T) {
	for name, c := range map[string]struct {
		fault    string
		from, to time.Duration // in which web-2 has no point, though others have
		lacks    string
	}{
		"while it was away, and after": {"kill-collector", 9 * time.Second, 15 * time.Second, ""},
		"one that was restarted":       {"restart-collector", 9 * time.Second, 15 * time.Second, ""},
		"from before on":               {"kill-collector", 6 * time.Second, 15 * time.Second, "it lacks 2 samples in the midst of their series"}, // those just before the fault are not asked for
		"later on":                     {"kill-collector", 14 * time.Second, 16 * time.Second, "it lacks 2 samples in the midst of their series"},
		"another fault":                {"drop-datagrams", 9 * time.Second, 15 * time.Second, "it lacks 6 samples in the midst of their series"},
	} {
		h := faulty("fault: "+c.fault, c.fault)
		for i := range h.Series {
			if s := &h.Series[i]; s.Name == "fullstack_insert_total" && s.Labels.Get("instance") == "web-2" {
				s.Points = slices.DeleteFunc(slices.Clone(s.Points), func(p record.Point) bool { return p.At > c.from && p.At < c.to })
			}
		}
		got := strings.Join(said(judged(t, h), "record", verdict.Inconclusive), "; ")
		if c.lacks == "" && got != "" || !strings.HasSuffix(got, c.lacks) {
			t.Errorf("%s: %q, want %q", name, got, c.lacks)
		}
	}
}
