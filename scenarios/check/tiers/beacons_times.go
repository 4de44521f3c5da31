package tiers

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// told compares the time that a beacon tells with what its user waited and with what went
// by from the request until it came. A page that was there after 12 ms, and whose beacon came
// 20 ms after it was asked for, may tell of 12 to 20 ms.
func (c Beacons) told(e *evidence.Index, a *record.Arrival, r *record.Request, t *toldOf) {
	// Each offset is cut to the microsecond. That of the arrival is by another clock than those of the users.
	least, most := r.Done-r.Sent-c.Promise.Slack-clockStep, a.At-r.Sent+c.Promise.Slack+clockStep+e.Apart()
	fits := func(d time.Duration) bool { return d >= least && d <= most }
	name := func() string {
		return fmt.Sprintf("%d (%s of %s)", a.Seq, millis(a.Latency.Seconds()), millis((r.Done - r.Sent).Seconds()))
	}
	switch {
	case a.Latency < least:
		t.short.add(1, a.At, name)
		if fits(a.Latency * thousand) {
			t.shortFits++
		}
	case a.Latency > most:
		t.long.add(1, a.At, name)
		if fits(a.Latency / thousand) {
			t.longFits++
		}
	}
}

// arrivals are those of one route.
type arrivals struct {
	n   int64
	sum float64 // of the times, in milliseconds
}

// counted holds the collector's counter and timer against the beacons that it took: how
// many, and what they come to together.
func (c Beacons) counted(e *evidence.Index) []verdict.Finding {
	came := map[string]*arrivals{}
	of := func(route string) *arrivals {
		if came[route] == nil {
			came[route] = &arrivals{}
		}
		return came[route]
	}
	for i := range e.History.Arrivals {
		if a := &e.History.Arrivals[i]; c.about(a.Route) {
			of(a.Route).n++
			of(a.Route).sum += a.Latency.Seconds() * thousand
		}
	}
	views, times := map[string]int64{}, map[string]arrivals{}
	for _, s := range e.Polled[record.PageViews] {
		if v, _, ok := evidence.LastOf(s); ok && c.about(s.Labels.Get(record.LabelRoute)) {
			views[s.Labels.Get(record.LabelRoute)] += evidence.Whole(v)
			of(s.Labels.Get(record.LabelRoute))
		}
	}
	for _, s := range e.Polled[record.PageLatency] {
		spectrum := account.SpectrumOf([]*record.Series{s}, time.Millisecond)
		times[s.Labels.Get(record.LabelRoute)] = arrivals{evidence.Whole(spectrum.N), spectrum.Sum * thousand}
	}
	var out []verdict.Finding
	for _, route := range slices.Sorted(maps.Keys(came)) {
		want := came[route]
		add := func(metric string, got int64) {
			f := c.finding(verdict.Fail, "the collector took %s of %s, and %s has %s", words.Times(want.n, "beacon"), route, metric, words.Number(got))
			f.Lost, f.Extra = max(0, want.n-got), max(0, got-want.n)
			out = append(out, f)
		}
		if got := views[route]; got != want.n {
			add(record.PageViews, got)
		}
		got := times[route]
		switch {
		case got.n != want.n:
			add(record.PageLatency, got.n)
		case math.Abs(got.sum-want.sum) > 1e-9*want.sum+1e-3:
			out = append(out, c.finding(verdict.Fail, "the beacons of %s tell of %s in all, and %s of %s", route, millis(want.sum/thousand), record.PageLatency, millis(got.sum/thousand)))
		}
	}
	return out
}

// nested compares beacons with the application's timer. Its values have no names, and
// not every page told; but if each page took longer for its user, then the k-th fastest of those
// that told was no faster than the k-th fastest of all that the application timed: of more
// values the k-th is never greater. Where it has fewer values than it may have timed, the
// ranks are off by as many. nil: nothing contradicts.
func (c Beacons) nested(e *evidence.Index, t *toldOf) *verdict.Finding {
	if c.Promise.Web == "" || len(t.times) == 0 {
		return nil
	}
	var series []*record.Series
	for _, l := range e.Lives {
		series = append(series, e.Timers(l.Instance, c.Promise.Web)...)
	}
	web := account.SpectrumOf(series, c.Promise.Unit)
	if web.N == 0 {
		f := c.finding(verdict.Inconclusive, "beacons%s: no instance sent %s, so it was not compared with them", c.of(), c.Promise.Web)
		return &f
	}
	var timed int64 // at most
	for i := range e.History.Requests {
		if r := &e.History.Requests[i]; r.Route == c.Promise.Route && r.Outcome != record.Refused {
			timed += int64(max(1, r.Attempts))
		}
	}
	missing := max(0, float64(timed)-web.N) + web.Chance(float64(timed))
	slack := (c.Promise.Slack + clockStep).Seconds()
	var places []string
	for _, q := range percentiles {
		told := quantile(t.times, q)
		if lo, _ := web.Rank(math.Ceil(q*float64(len(t.times))) - missing); lo > told+slack {
			places = append(places, fmt.Sprintf("p%g %s as pages tell and over %s in %s", 100*q, millis(told), millis(lo), c.Promise.Web))
		}
	}
	if len(places) == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, "beacons%s tell of less than the application took: %s", c.of(), strings.Join(places, ", "))
	f.Cause = verdict.CauseNotNested
	return &f
}
