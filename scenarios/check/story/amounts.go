package story

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// amount tells how many requests are concerned, and of how many; "" where the findings have
// no number that can be added up.
func (t *teller) amount(s *strand) string {
	f := t.v.Findings[s.findings[0]]
	lost, extra := t.sums(s.findings)
	folded := t.has(s, func(f verdict.Finding) bool { return f.Alike > 0 }) // their stretches enclose others
	switch {
	case folded && lost+extra == 0:
		return ""
	case s.cause == diagnose.Late && f.Check == conservation && lost+extra == 0:
		return t.late(s)
	case f.Check == continuity && !slices.Contains(notOfIntervals, s.cause):
		return t.gaps(s)
	case lost+extra == 0 || f.Check == conservation && t.sampled():
		return ""
	case f.Check == conservation && f.Layer == record.LayerWeb || f.Check == shutdown:
		return t.counted(lost, extra)
	case f.Check == audit:
		return t.written(s.cause, lost, extra)
	case f.Check == failures:
		return fmt.Sprintf("%s %s answered with 5xx", share(lost, t.sent(), "request"), was(lost))
	case f.Check == beacons:
		return t.told(s.cause, lost, extra)
	case f.Check == nesting && f.Layer == record.LayerWeb:
		return t.timed(lost, extra)
	case f.Check == parity && f.Lost > 0:
		return fmt.Sprintf("%s %s in one of two metrics and not in the other", words.Times(lost, "count"), choose(lost != 1, "are", "is"))
	case s.cause == verdict.CauseBeginning:
		return fmt.Sprintf("%s that counters had come to by their first scrape %s in no increase", words.Number(lost), choose(lost != 1, "are", "is"))
	case f.Check == requests || f.Check == conservation && f.Layer == record.LayerHTTPD:
		return t.followed(s.cause, lost+extra)
	}
	return ""
}

// notOfIntervals are causes of continuity that are not about intervals in which instances sent nothing.
var notOfIntervals = []string{verdict.CauseFrozen, verdict.CauseReset, verdict.CauseMissingPeriod, verdict.CauseHalfFilled}

// sampled tells whether a metric is declared to be sampled, so that what it counted is an
// estimate.
func (t *teller) sampled() bool {
	return slices.ContainsFunc(script.Promised[script.Conservation](t.s), func(c script.Conservation) bool { return c.SampleRate < 1 })
}

// share writes a part of a whole: "238 of 2,729 inserts (8.7 %)".
func share(part, whole int64, noun string) string {
	if whole < part || whole == 0 {
		return words.Times(part, noun)
	}
	return fmt.Sprintf("%s of %s (%s)", words.Number(part), words.Times(whole, noun), percent(part, whole))
}

// counted is about what a metric lacks or has too much.
func (t *teller) counted(lost, extra int64) string {
	var parts []string
	switch {
	case lost > 1 && lost == t.acked:
		parts = append(parts, fmt.Sprintf("none of %s was ever counted", words.Times(lost, t.noun)))
	case lost > 0:
		parts = append(parts, fmt.Sprintf("%s %s never counted", share(lost, t.acked, t.noun), was(lost)))
	}
	if extra > 0 {
		parts = append(parts, fmt.Sprintf("%s too many %s counted%s", words.Times(extra, t.noun), was(extra), beside(extra, t.acked)))
	}
	return strings.Join(parts, ", and ")
}

// beside compares what is too much with what users had acknowledged.
func beside(extra, acked int64) string {
	switch {
	case acked == 0:
		return ""
	case extra == acked:
		return fmt.Sprintf(", as many as the %s acknowledged", words.Number(acked))
	case extra > acked:
		return fmt.Sprintf(", %s times the %s acknowledged", words.Number(int64(math.Round(float64(extra)/float64(acked)))), words.Number(acked))
	}
	return fmt.Sprintf(", %s of the %s acknowledged", percent(extra, acked), words.Number(acked))
}

// late is about counts that all arrive, and not in time.
func (t *teller) late(s *strand) string {
	most := 0.0
	for _, i := range s.findings {
		most = max(most, t.v.Findings[i].To-t.v.Findings[i].From)
	}
	who, _ := t.who(s.findings)
	text := fmt.Sprintf("counts of %s arrive up to %s late", who, seconds(most))
	if all := script.Promised[script.Conservation](t.s); len(all) == 1 {
		text += fmt.Sprintf(", where max_lag allows %v", all[0].MaxLag)
	}
	return text
}

// gaps is about intervals without a point.
func (t *teller) gaps(s *strand) string {
	most, n := 0.0, 0
	for _, i := range s.findings {
		most = max(most, t.v.Findings[i].To-t.v.Findings[i].From)
		n++
	}
	text := fmt.Sprintf("there is a gap of %s", seconds(most))
	if n > 1 {
		text = fmt.Sprintf("there are %d gaps of up to %s", n, seconds(most))
	}
	if all := script.Promised[script.Continuity](t.s); len(all) == 1 && all[0].Metric != "" {
		text = fmt.Sprintf("%s in %s, where max_gap allows %v", text, all[0].Metric, all[0].MaxGap)
	}
	return text
}

// written is about what the database lacks or has too much.
func (t *teller) written(cause string, lost, extra int64) string {
	acked := t.writes()
	switch {
	case lost > 0:
		return fmt.Sprintf("%s %s acknowledged and %s not in the database", share(lost, acked, "write"), was(lost), choose(lost != 1, "are", "is"))
	case cause == verdict.CauseForeignWrites:
		return fmt.Sprintf("%s %s in the database that no user of this run sent", words.Times(extra, "write"), choose(extra != 1, "are", "is"))
	}
	return fmt.Sprintf("%s too many %s in the database%s", words.Times(extra, "write"), choose(extra != 1, "are", "is"), beside(extra, acked))
}

// writes is how many requests that write users had acknowledged.
func (t *teller) writes() (n int64) {
	for i := range t.h.Requests {
		r := &t.h.Requests[i]
		if r.Outcome == record.Acked && t.s.Stack.Routes()[r.Route].Writes {
			n++
		}
	}
	return n
}

// sent is how many requests there were of the routes whose failures are counted; 0: of each
// check others.
func (t *teller) sent() (n int64) {
	all := script.Promised[script.Failures](t.s)
	if len(all) != 1 {
		return 0
	}
	for i := range t.h.Requests {
		if all[0].Route == "" || all[0].Route == t.h.Requests[i].Route {
			n++
		}
	}
	return n
}

// timed is about values that a timer lacks or has too much.
func (t *teller) timed(lost, extra int64) string {
	metric := "the timer"
	if all := script.Promised[script.Nesting](t.s); len(all) == 1 && all[0].Web != "" {
		metric = string(all[0].Web)
	}
	if lost > 0 {
		return fmt.Sprintf("%s %s no value in %s", share(lost, t.acked, t.noun), choose(lost != 1, "have", "has"), metric)
	}
	return fmt.Sprintf("%s too many %s in %s", words.Times(extra, "value"), choose(extra != 1, "are", "is"), metric)
}

// told is about beacons of pages.
func (t *teller) told(cause string, lost, extra int64) string {
	of := fmt.Sprintf(" beside the %s that the collector took", words.Number(int64(len(t.h.Arrivals))-extra))
	switch cause {
	case verdict.CauseBeaconTwice:
		return fmt.Sprintf("%s came of pages that had told already,%s", words.Times(extra, "beacon"), of)
	case verdict.CauseBeaconForeign:
		return fmt.Sprintf("%s came that no page of this run sent,%s", words.Times(extra, "beacon"), of)
	case verdict.CauseBeaconEarly:
		return fmt.Sprintf("%s told before their pages were there,%s", words.Times(extra, "beacon"), of)
	case verdict.CauseBeaconRefused:
		return fmt.Sprintf("%s %s never taken, and %s came", words.Times(lost, "beacon"), was(lost), words.Number(int64(len(t.h.Arrivals))))
	}
	return ""
}

// followed is about requests that were followed by their ids.
func (t *teller) followed(cause string, n int64) string {
	of := words.Times(n, "request")
	users := fmt.Sprintf("beside the %s that users sent", words.Number(int64(len(t.h.Requests))))
	switch cause {
	case verdict.CauseForeign:
		return fmt.Sprintf("%s came that no user of this run sent, %s", of, users)
	case verdict.CauseReplay:
		return fmt.Sprintf("%s came to the load balancer again, %s", of, users)
	case verdict.CauseRetry:
		return fmt.Sprintf("the load balancer sent %s again, %s", of, users)
	case verdict.CauseElsewhere:
		return fmt.Sprintf("%s %s acknowledged, and the load balancer saw no instance answer", of, was(n))
	case verdict.CauseHTTPD:
		return fmt.Sprintf("%s %s answered for users, and the httpd before the instance logged otherwise", of, was(n))
	case verdict.CauseOther:
		return fmt.Sprintf("%s %s answered by another instance than users saw", of, was(n))
	case verdict.CauseExecuted:
		return fmt.Sprintf("%s %s refused as users know it, and executed as the load balancer saw it", of, was(n))
	}
	return ""
}
