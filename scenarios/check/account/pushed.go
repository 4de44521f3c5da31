package account

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// exports are when an instance exported by OTLP, to an interval, and how long it did not although it worked.
type exports struct {
	last time.Duration // the end of the interval of the last one; 0: there was none
	// longest is the longest time of work that one of them ended, between from and to: all of it was held until then.
	longest, from, to time.Duration
}

// pushes tells whether the metric comes by OTLP from the instances themselves.
func (b *Books) pushes(e *evidence.Index) bool {
	role, known := e.Scenario.Stack.Role(e.Scenario.Stack.OwnerOf(b.Promise.Route))
	return known && role.Metrics.OTLP != "" && !e.OnStatsD(b.Promise.Metric) && !e.Scraped(b.Promise.Metric, b.Promise.Route)
}

// pushedWrongly puts what the collector's figures of OTLP state beside what is known, and leaves nothing open of it.
func (b *Books) pushedWrongly(e *evidence.Index, c diagnose.Case, known []diagnose.Diagnosis) {
	if !b.pushes(e) {
		return
	}
	all := make([]exports, len(b.Accounts))
	slowest := 0
	for i := range b.Accounts {
		all[i] = b.Accounts[i].exports(e)
		if all[i].longest > all[slowest].longest {
			slowest = i
		}
	}
	rare := len(all) > 0 && all[slowest].longest > b.rarely(e)
	for i := range b.Accounts {
		a, open := &b.Accounts[i], &c.Accounts[i].Open
		switch {
		case *open < 0 && calledDelta(e, a):
			known[i] = diagnose.Diagnosis{Cause: verdict.CauseTemporality, From: a.ticks[0], To: a.ticks[len(a.ticks)-1],
				Why: fmt.Sprintf("it says that %s is delta and sends what it had come to, which is added up at each export", b.Promise.Metric)}
		case rare && *open > 0 && *open <= a.ackedFrom(all[i].last-e.Interval-b.Promise.ClientWindow):
			known[i] = a.rareExport(b.Accounts[slowest].Life.Instance, all[i], all[slowest])
		case *open == 0 && a.Late.By > 0 && !a.Late.Excused && all[i].longest > b.rarely(e):
			known[i] = a.rareExport(a.Life.Instance, all[i], all[i])
		default:
			continue
		}
		*open = 0
	}
}

// rarely is for how long an exporter that keeps to what is declared never holds what is counted.
func (b *Books) rarely(e *evidence.Index) time.Duration {
	return b.Promise.ClientWindow + b.Promise.MaxLag + e.Interval
}

// rareExport is the diagnosis of what an exporter held that exports too seldom, as one of its replicas shows.
func (a *Account) rareExport(who string, own, shown exports) diagnose.Diagnosis {
	d := diagnose.Diagnosis{Cause: diagnose.RareExport, From: own.last, To: a.ticks[len(a.ticks)-1]}
	if len(a.Acked) > 0 {
		d.From = max(d.From, a.Acked[0])
		d.To = min(d.To, a.Acked[len(a.Acked)-1])
	}
	if own.longest > 0 && own == shown {
		d.From, d.To = shown.from, shown.to
	}
	exported := "it exported last at " + words.Seconds(own.last)
	if own.last == 0 {
		exported = "it never exported"
	}
	d.Why = fmt.Sprintf("%s, and %s exported nothing from %s to %s while it was at work", exported, who, words.Seconds(shown.from), words.Seconds(shown.to))
	return d
}

// exports lays out when the instance exported, by the collector's own figures.
func (a *Account) exports(e *evidence.Index) exports {
	var out exports
	before, counted := a.Life.Birth, 0.0
	for _, s := range figureSeries(e, a.Life.Instance, "otlp_requests_total") {
		for _, p := range s.Points {
			if p.Stale || p.Value <= counted {
				continue
			}
			if at := a.atWork(before, p.At, e.Interval); at > out.longest {
				out.longest, out.from, out.to = at, before, p.At
			}
			before, counted, out.last = p.At, p.Value, p.At
		}
	}
	return out
}

// atWork is for how long it answered requests within a time: what came between two answers is work up to an interval, so that one that
// is frozen does not hold what it cannot send.
func (a *Account) atWork(from, to, interval time.Duration) (long time.Duration) {
	first, _ := slices.BinarySearch(a.Acked, from)
	for i := first + 1; i < len(a.Acked) && a.Acked[i] <= to; i++ {
		long += min(a.Acked[i]-a.Acked[i-1], interval)
	}
	return long
}

// calledDelta tells whether the collector found that points of the metric are called deltas, and are cumulative.
func calledDelta(e *evidence.Index, a *Account) bool {
	return slices.ContainsFunc(e.Polled[record.PushedFigures+"findings"], func(s *record.Series) bool {
		return s.Labels.Get("kind") == "wrong_temporality" && s.Labels.Get("other") == "delta" && s.Labels.Get(evidence.LabelInstance) == a.Life.Instance &&
			slices.Contains(e.SentAs(a.Promise.Metric), s.Labels.Get("metric"))
	})
}
