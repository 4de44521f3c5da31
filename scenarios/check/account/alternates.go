package account

import (
	"fmt"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
)

// leastReturns is how often a count must come back before it is called so.
const leastReturns = 2

// Alternates tells of a count that falls and comes back: it rises from one scrape to the next by more than the instance was sent in between,
// after it had fallen. No program that begins to count anew does that; several that count each for itself do, when any of them may answer.
//
//	asked at      1 s   2 s   3 s   4 s   5 s
//	answered      40    45    132   50    141
//	sent since    -     90    92    89    91        132 is 87 more than 45: that may be. 50 is a fall, and 141 is 91 more: that may be, too;
//	                                                with three workers of 100/s each it is not
func (a *Account) Alternates(e *evidence.Index) diagnose.Diagnosis {
	if from := e.OverwrittenTo(a.Promise.Metric, a.Life.Instance); len(from) > 0 {
		return diagnose.Diagnosis{Cause: diagnose.Honored, From: a.ticks[0], To: a.ticks[len(a.ticks)-1],
			Why: fmt.Sprintf("its series is that of %s too: what they expose says that it is %s, and whoever scrapes honours that", words.Some(from), a.Life.Instance)}
	}
	var falls, returns int64
	var from, to time.Duration
	for _, s := range e.Counters(a.Life.Instance, a.Promise.Metric) {
		if !s.Scraped() {
			continue
		}
		highest, last, at, fell := 0.0, 0.0, a.Life.Birth, false
		for _, p := range s.Points {
			if !p.HasNumber() {
				continue
			}
			switch {
			case p.Value < last:
				falls, fell = falls+1, true
				if from == 0 {
					from = p.At
				}
				to = p.At
			case fell && p.Value >= highest && p.Value-last > float64(a.sentBetween(e, at, p.At)):
				returns++
				fell, to = false, p.At
			}
			highest, last, at = max(highest, p.Value), p.Value, p.At
		}
	}
	if returns < leastReturns {
		return diagnose.Diagnosis{}
	}
	return diagnose.Diagnosis{Cause: diagnose.Registries, From: from, To: to,
		Why: fmt.Sprintf("its count falls %s and comes back %s by more than it was sent meanwhile: several count, each for itself, and any of them answers a scrape", words.Times(falls, "time"), words.Times(returns, "time"))}
}

// sentBetween is how many requests an instance can have executed that were sent after from, less a scrape's time, and up to to.
func (a *Account) sentBetween(e *evidence.Index, from, to time.Duration) int64 {
	slack := time.Duration(0)
	for _, s := range e.Scrapes(a.Life.Instance) {
		if s.To == from {
			slack = s.To - s.From
		}
	}
	acked := e.SentUpTo(a.Life.Instance, a.Promise.Route, to) - evidence.CountUpTo(a.Acked, from-slack-1)
	return max(0, acked) + a.Sum()
}
