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

// A record that lost or doubled something must prove nothing, and say what.
func TestARecordThatIsNotWhatWasSeen(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, *record.History)
		want  string
	}{
		"a request lost": {func(t *testing.T, h *record.History) { h.Requests = slices.Delete(h.Requests, 100, 103) },
			"the users' ledger lacks 3 rows, as their numbers tell"},
		"a request twice": {func(t *testing.T, h *record.History) { h.Requests = slices.Insert(h.Requests, 100, h.Requests[100]) },
			"the users' ledger has 1 row twice, as their numbers tell"},
		"a sample lost": {func(t *testing.T, h *record.History) {
			s := seriesOf(t, *h, "fullstack_insert_total", "web-1")
			s.Points = slices.Delete(s.Points, 4, 6)
		},
			"it lacks 2 samples in the midst of their series"},
		"a sample twice": {func(t *testing.T, h *record.History) {
			s := seriesOf(t, *h, "fullstack_insert_total", "web-1")
			s.Points = slices.Insert(s.Points, 4, s.Points[4])
		}, "it has 1 sample twice"},
		"a tally that differs": {func(_ *testing.T, h *record.History) {
			tallied(h).Requests += 5
		}, "the runner wrote 4,947 requests and the record has 4,942"},
		"a tally of more executions": {func(_ *testing.T, h *record.History) {
			tallied(h).Executions++
		}, "the runner wrote 4,943 executions and the record has 4,942"},
	} {
		t.Run(name, func(t *testing.T) {
			h := talk().make()
			if v := judged(t, h); v.Outcome != verdict.Pass {
				t.Fatalf("before: %v", v.Outcome)
			}
			c.spoil(t, &h)
			says(t, judged(t, h), "record", verdict.Inconclusive, "the record is not what was seen: "+c.want)
		})
	}
}

// own adds a series that the collector tells of itself, of a poller if one is named: a point for each interval, but
// where the value is negative.
func own(h *record.History, name, poller string, value func(at time.Duration) float64) {
	s := record.Series{Name: name, Meta: collector.Meta{Type: collector.Gauge}}
	if poller != "" {
		s.Labels = collector.NewLabels("poller", poller)
	}
	for at := worldPhase + time.Second; at < 27*time.Second; at += time.Second {
		if v := value(at); v >= 0 {
			s.Points = append(s.Points, record.Point{At: at, Value: v, Observed: 1})
		}
	}
	h.Series = append(h.Series, s)
}

// Whoever was not asked at some time, or came too late to close an interval by himself, lacks no
// sample of it that others have; one series that lacks what those have that are sampled with it does.
func TestSamplesThatNobodyTook(t *testing.T) {
	const prefix, beat = record.CollectorPrefix, worldPhase + 11*time.Second
	always := func(time.Duration) float64 { return 1 }
	but := func(at time.Duration) float64 {
		if at == beat {
			return -1
		}
		return 1
	}
	silent := func(h *record.History) { // web-3 has nothing of one interval
		for i := range h.Series {
			if s := &h.Series[i]; s.Name == "fullstack_insert_total" && s.Labels.Get("instance") == "web-3" {
				s.Points = slices.DeleteFunc(slices.Clone(s.Points), func(p record.Point) bool { return p.At == beat })
			}
		}
	}
	skips := func(late time.Duration) func(at time.Duration) float64 {
		return func(at time.Duration) float64 {
			switch {
			case at == late+time.Second:
				return -1
			case at >= late:
				return 1
			}
			return 0
		}
	}
	const lacks = "the record is not what was seen: it lacks 1 sample in the midst of their series"
	for name, c := range map[string]struct {
		change func(*record.History)
		want   string
	}{
		"a poller that was not there": {func(h *record.History) {
			own(h, prefix+"poll_success", "collector", always)
			own(h, prefix+"poll_success", "haproxy", but)
			own(h, prefix+"poll_duration_seconds", "haproxy", but)
		}, ""},
		"one of two figures of a poller": {func(h *record.History) {
			own(h, prefix+"poll_success", "haproxy", always)
			own(h, prefix+"poll_duration_seconds", "haproxy", but)
		}, lacks},
		"the collector was not looked at": {func(h *record.History) {
			own(h, prefix+"poll_success", "collector", but)
			own(h, prefix+"store_up", "", but)
			own(h, record.FlushLateness, "", always)
		}, ""},
		"a figure that was lost": {func(h *record.History) {
			own(h, prefix+"poll_success", "collector", always)
			own(h, prefix+"store_up", "", but)
		}, lacks},
		"an interval that was skipped": {func(h *record.History) {
			silent(h)
			own(h, prefix+"intervals_skipped_total", "", skips(beat-time.Second))
		}, ""},
		"another one": {func(h *record.History) {
			silent(h)
			own(h, prefix+"intervals_skipped_total", "", skips(beat-5*time.Second))
		}, lacks},
		"none": {silent, lacks},
	} {
		t.Run(name, func(t *testing.T) {
			h := talk().make()
			c.change(&h)
			got := strings.Join(said(judged(t, h), "record", verdict.Inconclusive), "; ")
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// tallied puts the right tally into the journal.
func tallied(h *record.History) *record.Tally {
	tally := &record.Tally{Requests: int64(len(h.Requests)), Executions: int64(len(h.Executions)), Points: points(h)}
	for i := range h.Events {
		if h.Events[i].Kind == record.RunEnd {
			h.Events[i].Tally = tally
		}
	}
	return tally
}

func points(h *record.History) (n int64) {
	for _, s := range h.Series {
		n += int64(len(s.Points))
	}
	return n
}
