package check

import (
	"slices"
	"testing"

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
