package gallery

import (
	"slices"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// wantDoubt is what must be said when the tool itself has failed.
func wantDoubt(name, words string) Want {
	return Want{Outcome: verdict.Inconclusive, Check: name, Words: words}
}

// verifierEntries are the defects of this tool itself. Each is done to the record of a
// run that was healthy, as the defect would have left it.
func verifierEntries() []Entry {
	return []Entry{
		{Name: "samples-lost", Fault: "F62", About: "the verifier loses one sample in fifty before it writes it down", Spoil: samplesLost, Stage: oneKilled(""),
			Want: wantDoubt("record", "samples in the midst")},
		{Name: "samples-doubled", Fault: "F62", About: "the verifier writes one sample in fifty twice", Spoil: samplesDoubled, Stage: oneKilled(""),
			Want: wantDoubt("record", "samples twice")},
		{Name: "series-lost", Fault: "F62", About: "the verifier never writes one of the series", Spoil: seriesLost, Stage: undisturbed(""),
			Want: wantDoubt("hops", "does not add up")},
		{Name: "rows-lost", Fault: "F62", About: "the verifier loses the end of the users' ledger", Spoil: rowsLost, Stage: oneKilled(""),
			Want: wantDoubt("record", "the runner wrote")},
		{Name: "requests-lost", Fault: "F62", About: "the load generator forgets one request in a hundred", Spoil: requestsLost, Stage: oneKilled(""),
			Want: wantDoubt("record", "users' ledger lacks")},
		{Name: "fault-without-effect", Fault: "F63", About: "the journal tells of a kill, and nobody died", Spoil: nobodyDied, Stage: oneKilled(""),
			Want: wantDoubt("efficacy", "")},
		{Name: "documents-unread", Fault: "F64", About: "the database was not read at the end", Spoil: func(h *record.History) { h.After = nil }, Stage: undisturbed(""),
			Want: wantDoubt("conservation", "")},
		{Name: "statistics-unread", Fault: "F64", About: "the load balancer was never polled", Spoil: unpolled, Stage: undisturbed(""),
			Want: wantDoubt("conservation", "")},
		{Name: "leftover-record", Fault: "F66", About: "points of an earlier run are in the record", Spoil: leftoverPoints, Stage: undisturbed(""),
			Want: wantDoubt("time", "")},
		{Name: "cut-short", Fault: "F64", About: "the runner was killed before it had written everything", Spoil: cutShort, Stage: undisturbed(""),
			Want: wantDoubt("record", "cut short")},
	}
}

// retally lets the runner's tally agree: what was lost was lost before it.
func retally(h *record.History) {
	tally := record.Tally{Requests: int64(len(h.Requests)), Executions: int64(len(h.Executions)), Passages: int64(len(h.Passages))}
	for _, s := range h.Series {
		tally.Points += int64(len(s.Points))
	}
	for i := range h.Events {
		if h.Events[i].Kind == record.RunEnd {
			h.Events[i].Tally = &tally
		}
	}
}

const oneIn = 50

func samplesLost(h *record.History) {
	n := 0
	for i := range h.Series {
		h.Series[i].Points = slices.DeleteFunc(slices.Clone(h.Series[i].Points), func(record.Point) bool { n++; return n%oneIn == 0 })
	}
	retally(h)
}

func samplesDoubled(h *record.History) {
	n := 0
	for i := range h.Series {
		var points []record.Point
		for _, p := range h.Series[i].Points {
			points = append(points, p)
			if n++; n%oneIn == 0 {
				points = append(points, p)
			}
		}
		h.Series[i].Points = points
	}
	retally(h)
}

func seriesLost(h *record.History) {
	h.Series = slices.DeleteFunc(h.Series, func(s record.Series) bool {
		return s.Meta.Sent == "fullstack.get" && s.Labels.Get("instance") == "web-1"
	})
	retally(h)
}

func rowsLost(h *record.History) { h.Requests = h.Requests[:len(h.Requests)*9/10] }

func requestsLost(h *record.History) {
	n := 0
	h.Requests = slices.DeleteFunc(h.Requests, func(record.Request) bool { n++; return n%100 == 0 })
	retally(h)
}

func nobodyDied(h *record.History) {
	h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool {
		return e.Instance == "web-2" && (e.Kind == record.Death || e.Kind == record.Down)
	})
}

func unpolled(h *record.History) {
	h.Series = slices.DeleteFunc(h.Series, func(s record.Series) bool { return len(s.Name) > 7 && s.Name[:7] == "haproxy" })
	retally(h)
}

// leftoverPoints puts points from before the run, and off its rhythm, into the
// counters.
func leftoverPoints(h *record.History) {
	for i := range h.Series {
		s := &h.Series[i]
		if s.Meta.Sent != counted || len(s.Points) == 0 {
			continue
		}
		old := s.Points[0]
		old.At -= 37*h.Run.Interval + h.Run.Interval/3
		s.Points = slices.Insert(slices.Clone(s.Points), 0, old)
	}
	retally(h)
}

func cutShort(h *record.History) {
	h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == record.RunEnd })
}
