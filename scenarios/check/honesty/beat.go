package honesty

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// timesOf are the times of the samples of each source before closing, of which thousands of
// series have the same.
func timesOf(e *evidence.Index, sources []string, closing time.Duration) map[string]map[time.Duration]struct{} {
	out := map[string]map[time.Duration]struct{}{}
	disturbed := disturbed(e)
	for i := range e.History.Series {
		s := &e.History.Series[i]
		if ownTimes(s) {
			continue
		}
		times := out[sources[i]]
		if times == nil {
			times = map[time.Duration]struct{}{}
			out[sources[i]] = times
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
	beats, sources := map[string][]time.Duration{}, sourcesOf(e)
	for name, times := range timesOf(e, sources, closing) {
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
	for _, source := range []string{statsdSource, ownSource} {
		beats[source] = without(beats[source], skipped(e))
	}
	away := e.FaultSpans(replacesCollector)
	var missing, twice int64
	for i := range e.History.Series {
		if s := &e.History.Series[i]; ownTimes(s) {
			twice += repeated(s)
			continue
		}
		m, t := countOffBeat(&e.History.Series[i], beats[sources[i]], away)
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

// ownTimes tells whether the points of a series come when their source has them, in no rhythm of the collector's.
func ownTimes(s *record.Series) bool {
	return strings.HasPrefix(s.Name, record.CloudWatchPrefix) || strings.HasPrefix(s.Name, record.ScrapeFigures) || s.Meta.Way == collector.ByScrape
}

// repeated counts points that have the time of the one before.
func repeated(s *record.Series) (n int64) {
	for i := 1; i < len(s.Points); i++ {
		if s.Points[i].At == s.Points[i-1].At {
			n++
		}
	}
	return n
}

// disturbed tells when the rhythm is not the usual one, because the journal knows of a
// fault that disturbs it.
func disturbed(e *evidence.Index) func(at time.Duration) bool {
	spans := e.FaultSpans(disturbs)
	return func(at time.Duration) bool {
		return slices.ContainsFunc(spans, func(f evidence.FaultSpan) bool { return at >= f.From-e.Interval && at <= f.To+e.Interval })
	}
}

// The sources that are no poller's: what came over StatsD, and what the collector tells of
// itself with it, at the ends of intervals.
const (
	statsdSource = ""
	ownSource    = "collector"
)

// sourcesOf tells of each series with which others it is sampled: with those that are pushed,
// or with those of one poller. What the collector tells of itself is in part of the one and
// in part of the others; a series of it that names no poller is of the one that looks at the
// collector itself, if it has no other times than that.
func sourcesOf(e *evidence.Index) []string {
	polls := map[time.Duration]bool{}
	for _, s := range e.Polled[record.CollectorPrefix+"poll_success"] {
		if s.Labels.Get("poller") == ownSource {
			for _, p := range s.Points {
				polls[p.At] = true
			}
		}
	}
	out := make([]string, len(e.History.Series))
	for i := range e.History.Series {
		s := &e.History.Series[i]
		poller := s.Labels.Get("poller")
		switch {
		case s.Meta.CameBy() != "" && s.Meta.CameBy() != collector.ByStatsD, strings.HasPrefix(s.Name, record.PushedFigures):
			out[i] = cmp.Or(string(s.Meta.CameBy()), string(collector.ByOTLP))
		case s.Meta.Sent != "":
			out[i] = statsdSource
		case strings.HasPrefix(s.Name, record.BeaconFigures):
			out[i] = "rum" // as are the series of the pages themselves
		case !strings.HasPrefix(s.Name, record.CollectorPrefix):
			out[i], _, _ = strings.Cut(s.Name, "_")
		case poller != "":
			out[i] = "poller " + poller
		case len(s.Labels) == 0 && len(polls) > 0 && !slices.ContainsFunc(s.Points, func(p record.Point) bool { return !polls[p.At] }):
			out[i] = "poller " + ownSource
		default:
			out[i] = ownSource
		}
	}
	return out
}

// skipped are the times for which the collector says that it came too late to close an
// interval by itself: from the end of the one that it closed late to that of the next that it
// closed. Of such an interval only those have samples from whom something came in it.
func skipped(e *evidence.Index) (out []evidence.Stretch) {
	for _, s := range e.Polled[record.CollectorPrefix+"intervals_skipped_total"] {
		for i := 1; i < len(s.Points); i++ {
			if s.Points[i].Value > s.Points[i-1].Value {
				span := evidence.Stretch{From: s.Points[i].At, To: evidence.Forever}
				if i+1 < len(s.Points) {
					span.To = s.Points[i+1].At
				}
				out = append(out, span)
			}
		}
	}
	return out
}

// without leaves out the beats within spans; those at their ends stay.
func without(beats []time.Duration, spans []evidence.Stretch) []time.Duration {
	return slices.DeleteFunc(slices.Clone(beats), func(at time.Duration) bool {
		return slices.ContainsFunc(spans, func(f evidence.Stretch) bool { return f.From < at && at < f.To })
	})
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
