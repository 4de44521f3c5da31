package signals

import (
	"fmt"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/account"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// surplusEvidence is what tells a value that goes on from another surplus; each is made when it
// is asked for first.
type surplusEvidence struct {
	widths func() account.Allowances
	books  func() account.Books
}

// resets looks at the lives of a cumulative series: it begins once, near 0,
// and never falls. Names of instances are not used twice, so that a birth
// explains exactly one beginning.
func (c Identity) resets(e *evidence.Index, l record.Lifetime, s *record.Series, w surplusEvidence) []verdict.Finding {
	if s.Meta.Type != collector.Counter && s.Meta.Type != collector.Summary {
		return nil
	}
	var out []verdict.Finding
	say := func(at time.Duration, cause, format string, args ...any) {
		f := c.finding(verdict.Fail, l.Instance, format, args...)
		f.From, f.To, f.Cause = at.Seconds(), at.Seconds(), cause
		out = append(out, f)
	}
	var last float64
	ended := record.Never
	for _, p := range s.Points {
		if p.Stale {
			ended = p.At
			continue
		}
		now := evidence.Cumulated(p)
		switch {
		case now < last:
			say(p.At, verdict.CauseReset, "%s of %s falls from %s to %s at %s without a birth: the counter was reset", s.Name, l.Instance,
				words.Number(evidence.Whole(last)), words.Number(evidence.Whole(now)), words.Seconds(p.At))
		case ended != record.Never && !s.Scraped(): // one that is ends where a scrape fails
			say(p.At, verdict.CauseReset, "%s of %s ended at %s and began anew at %s without a birth", s.Name, l.Instance, words.Seconds(ended), words.Seconds(p.At))
		}
		last, ended = now, record.Never
	}
	return append(out, c.goesOn(e, l, s, w)...)
}

// goesOn finds a series that begins with a value that its instance cannot have
// counted by then: it goes on from somebody else's. The surplus stays the same
// afterwards; one that grows is no matter of a beginning, and conservation's. web-4 begins
// with 812 when it had been sent 31 requests: 781 are those of web-2, which ended with 781.
func (c Identity) goesOn(e *evidence.Index, l record.Lifetime, s *record.Series, w surplusEvidence) []verdict.Finding {
	if c.Promise.Route == "" || s.Meta.Type != collector.Counter || isSampled(e, l.Instance, c.Promise.Metric) || len(c.series(e, l.Instance)) > 1 || e.ClockSteps() {
		return nil
	}
	first := -1
	for k, p := range s.Points {
		if !p.Stale && evidence.Cumulated(p) > 0 {
			first = k
			break
		}
	}
	if first < 0 {
		return nil
	}
	more := w.widths().ForLife(l).Sum()
	p := s.Points[first]
	if p.At <= l.Birth {
		return nil // it was not this instance that sent it
	}
	sent := e.SentUpTo(l.Instance, c.Promise.Route, p.At)
	surplus := evidence.Whole(evidence.Cumulated(p)) - sent - more
	final, _ := lastCumulated(s)
	left := evidence.Whole(final) - int64(len(e.Acked(l.Instance, c.Promise.Route)))
	if surplus <= 0 || left < surplus/2 || left > surplus+2*more+sent || c.grows(e, l, s.Points[first:], more) || w.steady(l.Instance, surplus <= sent) {
		return nil
	}
	f := c.finding(verdict.Fail, l.Instance, "%s of %s begins with %s at %s, and it had been sent at most %s: it goes on from somebody else's value", s.Name, l.Instance,
		words.Number(evidence.Whole(evidence.Cumulated(p))), words.Seconds(p.At), words.Times(sent+more, c.Promise.Route))
	f.From, f.To, f.Extra, f.Bound, f.Cause = p.At.Seconds(), p.At.Seconds(), left, more, verdict.CauseGoesOn
	if who := c.predecessor(e, l, left, more+sent); who != "" {
		f.Summary += fmt.Sprintf(", most likely that of %s", who)
	}
	return []verdict.Finding{f}
}

// grows tells whether the surplus of a series grows beyond all that its first point can
// have brought: what is in that, less the requests that must be in it as well.
func (c Identity) grows(e *evidence.Index, l record.Lifetime, points []record.Point, more int64) bool {
	at := points[0].At
	since := e.HeldSince(l.Instance, at, c.Window)
	stall, flush := e.Delays(since-time.Second, at)
	brought := evidence.Whole(evidence.Cumulated(points[0])) - evidence.CountUpTo(e.Acked(l.Instance, c.Promise.Route), since-max(stall, flush))
	return slices.ContainsFunc(points[1:], func(p record.Point) bool {
		return !p.Stale && evidence.Whole(evidence.Cumulated(p))-e.SentUpTo(l.Instance, c.Promise.Route, p.At)-more > brought
	})
}

// steady tells whether conservation explains what an instance counted too many by
// something that goes on all the time, and is in its first interval as in any other. Of no more
// than it was sent each may have come twice: then it is enough that such a thing is possible.
func (w surplusEvidence) steady(instance string, few bool) bool {
	b := w.books()
	for i := range b.Accounts {
		a := &b.Accounts[i]
		if a.Life.Instance != instance {
			continue
		}
		d := b.Diagnosis(a)
		goesOnAllTheTime := func(cause string) bool { return slices.Contains(steadySurpluses, cause) }
		if few && slices.ContainsFunc(d.Possible, goesOnAllTheTime) {
			return true
		}
		return goesOnAllTheTime(d.Cause) || len(d.Possible) > 0 && !slices.ContainsFunc(d.Possible, func(cause string) bool { return !goesOnAllTheTime(cause) })
	}
	return false
}

// steadySurpluses are the causes of surpluses that go on as long as their instance.
var steadySurpluses = []string{diagnose.Twice, diagnose.Double, diagnose.NetTwice, diagnose.RateNotApplied, diagnose.ForeignLines, diagnose.Failures,
	diagnose.OtherRoute, diagnose.Probes}

// isSampled tells whether an instance sent some of a counter with a sample rate:
// what it counts is an estimate then.
func isSampled(e *evidence.Index, instance string, metric script.Metric) bool {
	return slices.ContainsFunc(e.SeriesOf(instance, metric), (*record.Series).CountsSampled)
}

func lastCumulated(s *record.Series) (float64, bool) {
	for i := len(s.Points) - 1; i >= 0; i-- {
		if !s.Points[i].Stale {
			return evidence.Cumulated(s.Points[i]), true
		}
	}
	return 0, false
}

// predecessor is the instance that ended before l with about so many counts.
func (c Identity) predecessor(e *evidence.Index, l record.Lifetime, value, give int64) string {
	for _, other := range e.Lives {
		if other.Instance == l.Instance || other.Birth >= l.Birth {
			continue
		}
		for _, s := range c.series(e, other.Instance) {
			if v, ok := lastCumulated(s); ok && max(evidence.Whole(v)-value, value-evidence.Whole(v)) <= give {
				return other.Instance
			}
		}
	}
	return ""
}
