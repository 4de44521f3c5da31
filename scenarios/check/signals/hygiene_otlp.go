package signals

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// pushedFigures begins the names of the collector's figures of what came by OTLP.
const pushedFigures = record.PushedFigures

// pushedLosses are those that must stay at 0.
var pushedLosses = []figureLoss{
	{"otlp_bad_requests_total", "request of OTLP", verdict.CauseRefusedPoints, "could not be read"},
	{"otlp_refused_points_total", "point of OTLP", verdict.CauseRefusedPoints, "was refused"},
}

// pushedKinds tells of each kind of the collector's findings of OTLP which cause it is, and what it says of a metric (%s) and
// of what the finding names beside it.
var pushedKinds = map[string]struct {
	cause string
	says  func(metric, other string) string
}{
	"two_writers": {verdict.CauseTwoWriters, func(metric, _ string) string {
		return fmt.Sprintf("sends %s with two starts that alternate, as two processes do that do not say which they are: a backend that keeps one value for both loses counts", metric)
	}},
	"shared_resource": {verdict.CauseSharedResource, func(_, other string) string {
		return fmt.Sprintf("says that it is the same resource as %s: a backend writes what both send into one series", other)
	}},
	"value_fell": {verdict.CauseValueFell, func(metric, _ string) string {
		return fmt.Sprintf("sends cumulative values of %s that fall, with the same start: a backend cannot tell a new beginning from an error", metric)
	}},
	"buckets_fell": {verdict.CauseValueFell, func(metric, _ string) string {
		return fmt.Sprintf("sends buckets of %s that fall while its values grow, with the same start", metric)
	}},
	"start_missing": {verdict.CauseStartMissing, func(metric, _ string) string {
		return fmt.Sprintf("does not say since when it counts %s: what it counted before its first point is lost, and a restart cannot be told", metric)
	}},
	"start_moves": {verdict.CauseStartMoves, func(metric, _ string) string {
		return fmt.Sprintf("sends cumulative values of %s that go on, each with another start: a backend counts all of them again", metric)
	}},
	"wrong_temporality": {verdict.CauseTemporality, func(metric, other string) string {
		if other == "delta" {
			return fmt.Sprintf("says that %s is delta, and all its points begin at one time, as cumulative ones do: a backend adds them up", metric)
		}
		return fmt.Sprintf("says that %s is cumulative, and each point begins where the one before ended, as deltas do: a backend takes differences of them", metric)
	}},
	"windows_overlap": {verdict.CauseOverlap, func(metric, _ string) string {
		return fmt.Sprintf("sends deltas of %s that begin before the one before has ended: something is in both, or two processes send them", metric)
	}},
	"other_value": {verdict.CauseOtherValue, func(metric, _ string) string {
		return fmt.Sprintf("sends %s twice for the same time with different values: a backend keeps either", metric)
	}},
}

// pushedFindings are what the collector found wrong with what came by OTLP.
func (c Hygiene) pushedFindings(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	for _, s := range e.Polled[pushedFigures+"findings"] {
		value, _, ok := evidence.LastOf(s)
		if !ok {
			continue
		}
		kind, metric, other := s.Labels.Get("kind"), s.Labels.Get("metric"), s.Labels.Get("other")
		instance := s.Labels.Get(evidence.LabelInstance)
		points := words.Times(evidence.Whole(value), "point")
		known, ours := pushedKinds[kind]
		if !ours { // as of StatsD, or the collector has learnt more kinds
			f := c.finding(verdict.Fail, instance, "the collector found fault with %s: %s with %s, %s", metric, strings.ReplaceAll(kind, "_", " "), other, points)
			f.Cause = cmp.Or(findingCauses[kind], strings.ReplaceAll(kind, "_", "-"))
			out = append(out, f)
			continue
		}
		f := c.finding(verdict.Fail, instance, "%s %s (%s)", cmp.Or(instance, "somebody"), known.says(metric, other), points)
		f.Cause = known.cause
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b verdict.Finding) int {
		return cmp.Or(record.CompareNames(a.Instance, b.Instance), strings.Compare(a.Summary, b.Summary))
	})
	return out
}
