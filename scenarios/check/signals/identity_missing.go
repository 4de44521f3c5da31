package signals

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// missing complains about an instance without the series. Where another one was as silent at first, what kept its counts may have kept
// these for as long as they were looked at, which is then no matter of a name or an address.
func (c Identity) missing(e *evidence.Index, l record.Lifetime, longest silence) verdict.Finding {
	n := int64(len(e.Acked(l.Instance, c.routes()...)))
	f := c.finding(verdict.Fail, l.Instance, "%s acknowledged %s and has no series of %s", l.Instance, words.Times(n, cmp.Or(c.Promise.Route, "request")), c.Promise.Metric)
	as := e.Overwritten(c.Promise.Metric, l.Instance)
	switch {
	case e.DroppedOf(l.Instance, c.Promise.Metric):
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: it may have been lost there"
	case len(as) > 0:
		f.Cause = diagnose.Honored
		f.Summary += fmt.Sprintf(": its scrapes were good, and what they brought says that it is %s, which won over its own label", words.Some(as))
	case e.Neglected(l):
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += ", and the server asked it less than half as often as it does, and never well"
	case sentFor(e, l, e.CutAt(l, c.Promise.Metric, c.Promise.Route), c.Window, c.routes()...) <= longest.requests:
		f.Cause = diagnose.Undecided
		f.Summary += fmt.Sprintf("; neither had %s when it had answered %d, and it sent some later", longest.instance, longest.requests)
	case len(e.Pushed[l.Instance]) == 0:
		f.Cause = diagnose.NoMetric
		f.Summary += ": nothing at all arrived from it"
	default:
		f.Cause, f.RunnerUp = diagnose.NoMetric, diagnose.Renamed
		names := metricsOf(e, l.Instance)
		if own := c.similarNames(e, l, names); len(own) > 0 {
			f.Cause, f.RunnerUp, names = diagnose.Renamed, "", own
		}
		f.Summary += fmt.Sprintf(": it sent %s instead", words.Some(names))
	}
	return f
}

// silence is how many requests an instance answered before it sent anything of the metric, beyond what its client's window allows.
type silence struct {
	instance string
	requests int64
}

// longestSilence is the longest with which an instance began that sent the metric later; none: 0 requests.
func (c Identity) longestSilence(e *evidence.Index) (longest silence) {
	for _, l := range e.LivesFor(c.Promise.Route) {
		own := c.series(e, l.Instance)
		if len(own) == 0 {
			continue
		}
		first, _ := measuredFrom(own[0])
		for _, s := range own[1:] {
			at, _ := measuredFrom(s)
			first = min(first, at)
		}
		acked := e.Acked(l.Instance, c.routes()...)
		if evidence.CountUpTo(acked, first-e.Interval-c.Window) < enough(c.Rate) {
			continue
		}
		// It had sent none at the interval end before its first point, and what came by this one may have been the first.
		if n := evidence.CountUpTo(acked, first-c.Window); n > longest.requests {
			longest = silence{l.Instance, n}
		}
	}
	return longest
}

// similarNames gives the metrics of an instance that are called like the one that is
// missing, and that neither an instance sends which has that, nor all do.
func (c Identity) similarNames(e *evidence.Index, l record.Lifetime, names []string) []string {
	var own []string
	for _, name := range names {
		if !strings.HasPrefix(name, c.Promise.Metric.Name()) {
			continue
		}
		others, sending := 0, 0
		shared := false
		for _, other := range e.Lives {
			if other.Instance == l.Instance {
				continue
			}
			others++
			if slices.Contains(metricsOf(e, other.Instance), name) {
				sending++
				shared = shared || len(c.series(e, other.Instance)) > 0
			}
		}
		shared = shared || others > 0 && sending == others
		if !shared {
			own = append(own, name)
		}
	}
	return own
}
