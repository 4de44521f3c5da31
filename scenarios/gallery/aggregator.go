package gallery

import (
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// aggregatorEntries are the defects of what stands between instances and graphs:
// agents, aggregators and scrapers of other makes. Each is done to the record of
// a healthy run, whose collector has none of them.
func aggregatorEntries() []Entry {
	of := func(e Entry, name string, instances []string, causes ...string) Entry {
		e.Want = wantCheck(name, causes...).blaming(instances...)
		return e
	}
	return []Entry{
		of(Entry{Name: "gauge-of-the-dead", Fault: "F30", About: "the last gauge of a dead instance stays for ever", Stage: oneKilled(""), Spoil: gaugeOfTheDead}, "gauge", []string{"web-2"}, "frozen-gauge"),
		of(Entry{Name: "zero-filled", Fault: "F31", About: "the counter of a dead instance goes on with zeros", Stage: oneKilled(""), Spoil: zeroFilled}, "identity", []string{"web-2"}, "merged"),
		of(Entry{Name: "expired-counter", Fault: "F32", About: "a counter expires in the midst of a life and begins anew", Stage: undisturbed(""), Spoil: expiredCounter}, "identity", []string{"web-1"}, "reset"),
		of(Entry{Name: "total-counted-again", Fault: "F37", About: "after a failed scrape the whole total is counted again", Stage: undisturbed(""), Spoil: totalCountedAgain}, "conservation", []string{"web-1"}, "burst", "total-counted-again"),
		of(Entry{Name: "random-worker", Fault: "F45", About: "each scrape reaches another of two workers", Stage: undisturbed(""), Spoil: randomWorker}, "identity", []string{"web-1"}, "reset"),
		{Name: "reload-unnoticed", Fault: "F49", About: "the load balancer's counters begin anew, and no reload was asked for", Stage: undisturbed(""), Spoil: reloadUnnoticed,
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Causes: []string{"reset"}}},
		{Name: "removed-server-forgotten", Fault: "F51", About: "the counters of a server go with it when it is removed", Stage: oneKilled(""), Spoil: removedForgotten,
			Want: wantDoubt("conservation", "no server of that name")},
	}
}

// eachSeries calls do for the series of an instance's metric.
func eachSeries(h *record.History, metric, instance string, do func(*record.Series)) {
	for i := range h.Series {
		if s := &h.Series[i]; s.Meta.Sent == metric && s.Labels.Get("instance") == instance && !s.CountsSampled() {
			do(s)
		}
	}
}

// middleOfLoad is a time in the midst of the load.
func middleOfLoad(h *record.History) time.Duration {
	var begin, end time.Duration
	for _, e := range h.Events {
		switch e.Kind {
		case record.LoadBegin:
			begin = e.At
		case record.LoadEnd:
			end = e.At
		}
	}
	return (begin + end) / 2
}

// extend puts points at the interval ends after a series has ended, up to the end
// of the record.
func extend(h *record.History, s *record.Series, next func(last record.Point) record.Point) {
	for i, p := range s.Points {
		if p.Stale {
			s.Points = slices.Clip(s.Points[:i])
			break
		}
	}
	if len(s.Points) == 0 {
		return
	}
	end := h.Events[len(h.Events)-1].At
	for last := s.Points[len(s.Points)-1]; last.At+h.Run.Interval < end; {
		at := last.At + h.Run.Interval
		last = next(last)
		last.At = at
		s.Points = append(s.Points, last)
	}
}

func gaugeOfTheDead(h *record.History) {
	eachSeries(h, "fullstack.inflight", "web-2", func(s *record.Series) {
		extend(h, s, func(last record.Point) record.Point { return last })
	})
	retally(h)
}

func zeroFilled(h *record.History) {
	eachSeries(h, counted, "web-2", func(s *record.Series) {
		extend(h, s, func(last record.Point) record.Point { last.Observed = 1; return last })
	})
	retally(h)
}

func expiredCounter(h *record.History) {
	eachSeries(h, counted, "web-1", func(s *record.Series) { addBefore(s, middleOfLoad(h), -1) })
}

func totalCountedAgain(h *record.History) {
	eachSeries(h, counted, "web-1", func(s *record.Series) { addBefore(s, middleOfLoad(h), 1) })
}

// addBefore adds a counter's value of just before a time to all from then on, so many
// times.
func addBefore(s *record.Series, from time.Duration, times float64) {
	s.Points = slices.Clone(s.Points) // others may have the same
	var before float64
	for i := range s.Points {
		if s.Points[i].At < from {
			before = s.Points[i].Value
		} else {
			s.Points[i].Value += times * before
		}
	}
}

// randomWorker shares the counts out among two workers, three to two, and shows
// each in turn.
func randomWorker(h *record.History) {
	eachSeries(h, counted, "web-1", func(s *record.Series) {
		s.Points = slices.Clone(s.Points)
		for i := range s.Points {
			share := [...]float64{0.6, 0.4}[i%2]
			s.Points[i].Value = float64(int64(s.Points[i].Value * share))
		}
	})
}

func reloadUnnoticed(h *record.History) {
	balancer := record.AllTiers().Of(record.LayerLB)
	for i := range h.Series {
		if s := &h.Series[i]; balancer.Holds(s.Name) && s.Meta.Type == collector.Counter {
			addBefore(s, middleOfLoad(h), -1)
		}
	}
}

func removedForgotten(h *record.History) {
	for _, e := range h.Events {
		if e.Kind != record.Removed {
			continue
		}
		h.Series = slices.DeleteFunc(h.Series, func(s record.Series) bool {
			return strings.HasPrefix(s.Name, record.ServerPrefix) && s.Labels.Get("instance") == e.Instance
		})
	}
	retally(h)
}
