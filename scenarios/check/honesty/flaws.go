package honesty

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The tool that judges others can lose or double its own rows. Whether it did is
// found here, in three ways: the runner wrote 2,410 requests, and the record has 2,409;
// request 811 is followed by 813; a series with points at 3.1, 4.1 and 6.1 s lacks the one
// at 5.1 s, where others of its source have one.

// flaws lists what shows that the record is not what was seen.
func flaws(e *evidence.Index) []string {
	return slices.Concat(unlikeTally(e), misnumbered(e), offBeat(e))
}

// unlikeTally compares the rows with what the runner says it wrote.
func unlikeTally(e *evidence.Index) (out []string) {
	for _, ev := range e.History.Events {
		if ev.Kind != record.RunEnd || ev.Tally == nil {
			continue
		}
		var points int64
		for i := range e.History.Series {
			points += int64(len(e.History.Series[i].Points))
		}
		for _, part := range []struct {
			what            string
			written, loaded int64
		}{
			{"request", ev.Tally.Requests, e.Users.Requests},
			{"execution", ev.Tally.Executions, int64(len(e.History.Executions))},
			{"passage", ev.Tally.Passages, int64(len(e.History.Passages))},
			{"beacon", ev.Tally.Beacons, int64(len(e.History.Beacons))},
			{"arrival", ev.Tally.Arrivals, int64(len(e.History.Arrivals))},
			{"sample", ev.Tally.Points, points},
		} {
			if part.written != part.loaded {
				out = append(out, fmt.Sprintf("the runner wrote %s and the record has %s", words.Times(part.written, part.what), words.Number(part.loaded)))
			}
		}
	}
	return out
}

// misnumbered looks for requests that are missing or there twice: the load
// generator numbers them from 0 and leaves none out. They are sorted.
func misnumbered(e *evidence.Index) (out []string) {
	var missing, twice int64
	next := uint64(0)
	for i := range e.History.Requests {
		seq := e.History.Requests[i].Seq
		switch {
		case seq < next:
			twice++
		case seq > next:
			missing += int64(seq - next)
		}
		next = max(next, seq+1)
	}
	if missing > 0 {
		out = append(out, fmt.Sprintf("the users' ledger lacks %s, as their numbers tell", words.Times(missing, "row")))
	}
	if twice > 0 {
		out = append(out, fmt.Sprintf("the users' ledger has %s twice, as their numbers tell", words.Times(twice, "row")))
	}
	return out
}

// timesOf are the times of the samples of each source before closing, of which thousands of
// series have the same.
func timesOf(e *evidence.Index, closing time.Duration) map[string]map[time.Duration]struct{} {
	out := map[string]map[time.Duration]struct{}{}
	disturbed := disturbed(e)
	for i := range e.History.Series {
		s := &e.History.Series[i]
		times := out[sourceOf(s)]
		if times == nil {
			times = map[time.Duration]struct{}{}
			out[sourceOf(s)] = times
		}
		for _, p := range s.Points {
			if p.At < closing && !disturbed(p.At) {
				times[p.At] = struct{}{}
			}
		}
	}
	return out
}

// offBeat looks for samples that are missing or there twice. The collector gives
// one for each series in each interval from its first to its last; only an
// interval in which nothing of the same source was kept has none. Its last
// flush and its last polls come when they must, and are left out.
func offBeat(e *evidence.Index) (out []string) {
	closing := evidence.Forever
	for _, ev := range e.History.Events {
		if ev.Kind == record.Quiesced {
			closing = ev.At
		}
	}
	beats := map[string][]time.Duration{}
	for name, times := range timesOf(e, closing) {
		if len(times) == 0 {
			continue
		}
		at := slices.Sorted(maps.Keys(times))
		one := at[:1] // sampled together, though not within a microsecond
		for _, t := range at {
			if t-one[len(one)-1] > e.Interval/4 {
				one = append(one, t)
			}
		}
		beats[name] = one
	}
	away := e.FaultSpans(replacesCollector)
	var missing, twice int64
	for i := range e.History.Series {
		m, t := countOffBeat(&e.History.Series[i], beats[sourceOf(&e.History.Series[i])], away)
		missing, twice = missing+m, twice+t
	}
	if missing > 0 {
		out = append(out, fmt.Sprintf("it lacks %s in the midst of their series", words.Times(missing, "sample")))
	}
	if twice > 0 {
		out = append(out, fmt.Sprintf("it has %s twice", words.Times(twice, "sample")))
	}
	return out
}

// disturbed tells when the rhythm is not the usual one, because the journal knows of a
// fault that disturbs it.
func disturbed(e *evidence.Index) func(at time.Duration) bool {
	spans := e.FaultSpans(disturbs)
	return func(at time.Duration) bool {
		return slices.ContainsFunc(spans, func(f evidence.FaultSpan) bool { return at >= f.From-e.Interval && at <= f.To+e.Interval })
	}
}

// sourceOf tells which series are sampled together: those that are pushed, at the
// ends of intervals, and those of each thing that is polled.
func sourceOf(s *record.Series) string {
	if s.Meta.StatsD != "" {
		return ""
	}
	if strings.HasPrefix(s.Name, record.BeaconFigures) {
		return "rum" // as are the series of the pages themselves
	}
	prefix, _, _ := strings.Cut(s.Name, "_")
	return prefix
}

// replacesCollector tells whether a fault puts another collector in the place of one.
func replacesCollector(fault string) bool {
	return script.IsFault[script.RestartCollector](fault) || script.IsFault[script.KillCollector](fault)
}

// countOffBeat counts the points that a series lacks between beats, and those that
// it has twice. After a staleness marker it may be silent, and so it may at a collector
// that took the place of another, until that hears of it.
func countOffBeat(s *record.Series, beats []time.Duration, away []evidence.FaultSpan) (missing, twice int64) {
	due := -1 // the beat at which a point is due; -1: none is
	last := record.Never
	for i, p := range s.Points {
		if p.At == last {
			twice++
			continue
		}
		last = p.At
		after, _ := slices.BinarySearch(beats, p.At+1)
		at := after - 1
		if due >= 0 && at > due {
			missing += int64(max(0, unheard(beats, at, s.Points[i-1].At, away)-due))
		}
		due = at + 1
		if p.Stale {
			due = -1
		}
	}
	return missing, twice
}

// unheard is the first beat after a point of a series that no collector could give before another had heard of it, or the beat at of
// its next point.
func unheard(beats []time.Duration, at int, after time.Duration, away []evidence.FaultSpan) int {
	for _, f := range away {
		if f.To > after && f.To <= beats[at] {
			first, _ := slices.BinarySearch(beats, f.From)
			return min(at, first)
		}
	}
	return at
}
