package check

import (
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

func TestClocks(t *testing.T) {
	gauge := func(h *record.History, name string, value float64) {
		h.Series = append(h.Series, record.Series{Name: name, Meta: collector.Meta{Type: collector.Gauge}, Points: []record.Point{{At: 10 * time.Second, Value: value, Observed: 1}}})
	}
	for _, c := range []struct {
		name    string
		change  func(*testing.T, *record.History)
		outcome verdict.Outcome
		cause   string
		want    string
	}{
		{"healthy", func(_ *testing.T, h *record.History) { gauge(h, record.FlushLateness, 0.0123) }, verdict.Pass, "", "one clock for all: 27 intervals of the collector ended at most 12.3ms late, nothing was answered before it was sent or counted before it was asked for"},
		{"the clock was set", func(_ *testing.T, h *record.History) { gauge(h, record.ClockSteps, 2) }, verdict.Inconclusive, "clock-set", "the wall clock was set 2 times in this run: intervals before and after do not fit together"},
		{"samples not kept", func(_ *testing.T, h *record.History) { gauge(h, "throughline_collector_append_errors_total", 1) }, verdict.Inconclusive, "collector-dropped", "the collector could not keep the samples of 1 flush: what they held is missing in the record"},
		{"a late flush", func(_ *testing.T, h *record.History) { gauge(h, record.FlushLateness, 1.4) }, verdict.Inconclusive, "late", "the collector ended an interval 1.4 s late, longer than the interval itself: what arrived when is uncertain by that much"},
		{"answered before sent", func(_ *testing.T, h *record.History) { h.Requests[7].Done = h.Requests[7].Sent - time.Millisecond }, verdict.Inconclusive, "clock-set", "the users' clock went back: of 1 request the end comes before the beginning, the first was sent 174.857µs after it was due and done -1ms after it was sent"},
		{"off the grid", func(t *testing.T, h *record.History) {
			s := seriesOf(t, *h, "fullstack_insert_total", "web-3")
			s.Points[5].At += 300 * time.Millisecond
		}, verdict.Inconclusive, "clock-set", "interval ends of the collector do not fit: 1 no whole number of intervals apart from the others, 0 after the end of the record, the first at 8.437s"},
		{"rounded to microseconds", func(t *testing.T, h *record.History) {
			s := seriesOf(t, *h, "fullstack_insert_total", "web-3")
			s.Points[5].At += time.Microsecond
		}, verdict.Pass, "", "one clock for all: 28 intervals of the collector ended at most 0s late, nothing was answered before it was sent or counted before it was asked for"},
		{"after the end", func(t *testing.T, h *record.History) {
			s := seriesOf(t, *h, "fullstack_insert_total", "web-3")
			last := s.Points[len(s.Points)-1]
			last.At += 9 * time.Second
			s.Points = append(s.Points, last)
		}, verdict.Inconclusive, "clock-set", "interval ends of the collector do not fit: 0 no whole number of intervals apart from the others, 1 after the end of the record, the first at 38.137s"},
		{"counted before it was sent", func(_ *testing.T, h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Name == "fullstack_insert_total" {
					for k := range s.Points {
						s.Points[k].At -= 2 * time.Second
					}
				}
			}
		}, verdict.Inconclusive, "clock-set", "fullstack.insert: 295 counts stood in the record at 17.1 s that were sent only later, the last 1.987s later: the clocks of users and collector differ"},
		{"too many is no matter of clocks", func(_ *testing.T, h *record.History) { shift(*h, "fullstack_insert_total", "web-3", 5*time.Second, 40) }, verdict.Pass, "", "one clock for all: 27 intervals of the collector ended at most 0s late, nothing was answered before it was sent or counted before it was asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := talk().make()
			c.change(t, &h)
			v := judged(t, h)
			var got []verdict.Finding
			for _, f := range v.Findings {
				if f.Check == "time" {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Cause != c.cause || got[0].Summary != c.want {
				t.Errorf("%+v\nwant %v %s %s", got, c.outcome, c.cause, c.want)
			}
			if c.outcome == verdict.Inconclusive && v.Outcome == verdict.Pass {
				t.Error("the run passes")
			}
		})
	}
}
