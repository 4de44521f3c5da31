package signals

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkCorrelation = "correlation"

const (
	// Lags are tried this far and this fine. Finer than an interval is
	// possible, because the users' curve is known at any moment.
	furthestLag = 3 * time.Second
	lagStep     = 250 * time.Millisecond
	// closeLag is how much worse than at the best lag r may be at a shorter
	// one for the shorter to be taken: along a slow curve r hardly depends on
	// the lag, and the best one is chance.
	closeLag = 0.01
)

// Correlation asks whether the layers' rates go up and down together: Pearson's r of the
// users' requests per second with each other layer's, at the lag at which it is best. Users
// at 100, 150, 200, 150 and inserts at 90, 135, 180, 135 have r = 1: who loses each tenth
// still tells the same story, and conservation finds the tenth. Inserts at 150, 100, 150, 200
// tell it an interval later.
type Correlation struct {
	Promise script.Correlation
	Window  time.Duration // how long the client of the web layer's metric buffers
	Rate    float64       // its sample rate; 1: it does not sample
	Route   string        // whose requests it counts; "": of all, as far as is known
}

// Judge looks at all instances, or says why it cannot.
func (c Correlation) Judge(e *evidence.Index) verdict.Result {
	if e.Begin == record.Never || e.End-e.Begin <= 2*script.LoadEdge {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "correlation: the load did not last long enough to compare rates")}}
	}
	acked, sent := allAcked(e), allSent(e)
	var r verdict.Result
	for _, layer := range c.Promise.Layers {
		if layer == record.LayerUsers {
			continue
		}
		if layer == record.LayerDB && (e.History.Run.Database == record.NoDatabase || e.Scenario.Stack.Mongo == script.MongoNone) {
			r.Findings = append(r.Findings, c.finding(verdict.Pass, layer, "correlation of users and db: skipped, the stack has no database"))
			continue
		}
		if layer == script.BeaconLayer && !e.Scenario.Load.Beacons.Any() {
			r.Findings = append(r.Findings, c.finding(verdict.Pass, record.LayerUsers, "correlation of users and beacons: skipped, no user sends any"))
			continue
		}
		if layer == record.LayerHTTPD && e.Tiers.Of(layer).Layer == "" {
			r.Findings = append(r.Findings, c.finding(verdict.Pass, layer, "correlation of users and httpd: skipped, the stack has no httpd"))
			continue
		}
		users := acked
		if layer == record.LayerLB {
			users = sent // a load balancer counts requests as they arrive
		}
		if layer == record.LayerWeb && c.Route != "" {
			users = allAcked(e, c.Route)
		}
		r.Findings = append(r.Findings, c.pair(e, users, layer))
	}
	if len(r.Findings) == 0 {
		r.Findings = append(r.Findings, c.finding(verdict.Inconclusive, "", "correlation: there is no layer to compare the users with"))
	}
	return r
}

func (c Correlation) finding(o verdict.Outcome, layer, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkCorrelation, Outcome: o, Layer: layer, Summary: fmt.Sprintf(format, args...)}
}

// allAcked gives the times of the acknowledgements of the routes, in order.
// Without routes: of all.
func allAcked(e *evidence.Index, routes ...string) []time.Duration {
	all := make([]time.Duration, 0, e.Users.Acked)
	for key, at := range e.Users.AckedAt {
		if evidence.Wanted(routes, key.Route) {
			all = append(all, at...)
		}
	}
	for _, s := range e.Users.Spans {
		if s.Acked && evidence.Wanted(routes, s.Key.Route) {
			all = append(all, s.Done)
		}
	}
	slices.Sort(all)
	return all
}

// allSent gives the times at which requests were sent, in order.
func allSent(e *evidence.Index) []time.Duration {
	all := make([]time.Duration, 0, len(e.History.Requests))
	for i := range e.History.Requests {
		if r := &e.History.Requests[i]; r.Attempts > 0 {
			all = append(all, r.Sent)
		}
	}
	slices.Sort(all)
	return all
}

// pair compares users with one layer.
func (c Correlation) pair(e *evidence.Index, users []time.Duration, layer string) verdict.Finding {
	curve := readingsBetween(c.curve(e, layer), e.Begin+script.LoadEdge, e.End-script.LoadEdge)
	if len(curve.At) == 0 {
		return c.finding(verdict.Inconclusive, layer, "correlation of users and %s: the record has no numbers of %s under load", layer, layer)
	}
	wide, held := 1, time.Duration(0)
	if layer == record.LayerWeb {
		// A client that buffers sends more often in some intervals than in others:
		// that is no rate of the application's.
		held = c.Window
		wide = script.Wide(held, e.Interval, (len(curve.At)-1)/script.LeastIntervals, func(n int) float64 {
			return variation(userRates(users, curve.At, n, 0))
		})
	}
	if n := (len(curve.At) - 1) / wide; n < script.LeastIntervals {
		return c.finding(verdict.Inconclusive, layer, "correlation of users and %s: too few intervals, %d, and it takes %d", layer, n, script.LeastIntervals)
	}
	at0 := userRates(users, curve.At, wide, 0)
	if v := variation(at0); v < script.LeastVariation {
		return c.finding(verdict.Inconclusive, layer, "correlation of users and %s: not evaluated, the load hardly varied (by %.1f %%, it takes %g %%)",
			layer, 100*v, 100*script.LeastVariation)
	}
	n := noise{rate: 1, held: held, width: time.Duration(wide) * e.Interval, intervals: (len(curve.At) - 1) / wide}
	switch layer {
	case record.LayerWeb:
		n.rate = c.Rate
	case script.BeaconLayer: // of each page the dice decide whether it tells: a sample of all
		n.rate, n.share = e.Scenario.Load.Beacons.Share, true
	}
	b := barsOf(c.Promise.AtLeast, n, at0)
	f := c.judgeLags(e, layer, lagsOf(users, curve, wide), at0, b)
	if layer == script.BeaconLayer {
		f.Layer = record.LayerUsers // whose pages they are: no tier of its own
	}
	return f
}

// judgeLags is the finding about a layer with these r by lag.
func (c Correlation) judgeLags(e *evidence.Index, layer string, r map[time.Duration]float64, at0 []float64, b bars) verdict.Finding {
	best, lag, ok := bestLag(r, b.pass)
	f := c.finding(verdict.Pass, layer, "users and %s: r = %.3f at a lag of %.2f s, from %s%s", layer, best, lag.Seconds(), words.Times(int64(b.intervals), "interval"), b.note())
	switch within := furthest(r, c.Promise.MaxLag); {
	case !ok && b.fail <= 0, ok && best >= b.fail && best < b.pass:
		f.Outcome = verdict.Inconclusive
		f.Summary = fmt.Sprintf("users and %s: too few samples to tell: r = %.3f at the best lag (%.2f s), from %s%s, "+
			"so that it passes from %.2f on %s; a higher rate, a larger swing or longer phases would tell",
			layer, best, lag.Seconds(), words.Times(int64(b.intervals), "interval"), b.note(), b.pass, b.fails())
	case !ok:
		f.Outcome = verdict.Fail
		f.Summary = fmt.Sprintf("%s does not follow the users: its rate is constant while theirs varies by %.1f %%", layer, 100*variation(at0))
	case best < b.fail:
		f.Outcome = verdict.Fail
		f.Summary = fmt.Sprintf("users and %s do not tell the same story: r = %.3f at the best lag (%.2f s), it should be at least %s", layer, best, lag.Seconds(), b.least())
	case max(lag, -lag) <= c.Promise.MaxLag:
	case b.rate < 1 && within >= b.pass: // by chance a longer lag fits better
	case b.rate < 1 && within >= b.fail:
		f.Outcome = verdict.Inconclusive
		f.Summary += fmt.Sprintf("; too few samples to tell whether that is within max_lag %s, where r = %.3f", c.Promise.MaxLag, within)
	default:
		f.Outcome = verdict.Fail
		f.Summary = fmt.Sprintf("%s follows the users with a lag of %.2f s (r = %.3f), max_lag is %s", layer, lag.Seconds(), best, c.Promise.MaxLag)
	}
	if f.Outcome == verdict.Fail {
		c.excuse(&f, blurOf(e))
	}
	return f
}

// variation is the standard deviation as a share of the mean: 0 of a constant load, 0.35 of
// a sine that swings by half of it.
func variation(x []float64) float64 {
	mean, deviation := stat.MeanStdDev(x, nil)
	return zeroIfNaN(deviation / mean)
}

// furthest is the best r at a lag up to most.
func furthest(r map[time.Duration]float64, most time.Duration) float64 {
	best := -1.0
	for lag, r := range r {
		if max(lag, -lag) <= most {
			best = max(best, r)
		}
	}
	return best
}

// excuse takes a failure back whose curves were not read sharply enough to tell.
func (c Correlation) excuse(f *verdict.Finding, b blur) {
	if b.by <= b.most {
		return
	}
	f.Outcome = verdict.Inconclusive
	f.Summary += fmt.Sprintf("; but %s, which blurs the curves", b.what)
}

// blur is how far apart in time the layers may have seen one and the same
// request, for reasons that are none of theirs.
type blur struct {
	by   time.Duration // the greatest
	most time.Duration // that leaves curves of this interval comparable
	what string
}

// blurOf looks for what moves points of the curves against each other: requests
// that took long (the load balancer counts their arrival, users their end),
// polls that took long (the numbers are of some moment in between), and a
// collector or load generator that was late itself. A quarter of an interval is
// what a busy but sane machine keeps, and moves r by a hundredth or two.
func blurOf(e *evidence.Index) blur {
	b := blur{most: e.Interval / 4}
	note := func(by time.Duration, what string) {
		if by > b.by {
			b.by, b.what = by, fmt.Sprintf(what, words.Seconds(by))
		}
	}
	stall, flush := e.Delays(e.Begin, e.End)
	note(stall, "requests were sent up to %s late")
	note(flush, "the collector was up to %s late")
	note(time.Duration(min(e.Greatest(record.PollDuration, e.Begin, e.End), 1e9)*float64(time.Second)), "a poll took %s")
	note(slowAcks(e), "1 in 100 requests took %s or longer")
	return b
}

// slowAcks is the 99th percentile of the latency of acknowledged requests, from
// due to done.
func slowAcks(e *evidence.Index) time.Duration {
	var took []time.Duration
	for _, r := range e.History.Requests {
		if r.Outcome == record.Acked {
			took = append(took, r.Done-r.Due)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func zeroIfNaN(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// curve is the cumulative count of a layer, at the moments it was read.
func (c Correlation) curve(e *evidence.Index, layer string) evidence.Curve {
	switch layer {
	case record.LayerLB:
		b, _ := evidence.NewBalancer(e)
		return evidence.SumOf(evidence.WithLabel(e.Polled[record.FrontendPrefix+"req_tot"], "proxy", b.Frontend))
	case record.LayerHTTPD:
		return evidence.SumOf(e.Polled[record.ApacheAnswers])
	case record.LayerWeb:
		var all []*record.Series
		for _, instance := range e.SendersFor(c.Route) {
			all = append(all, e.Counts(instance, c.Promise.Metric)...)
		}
		return evidence.SumOf(all)
	case record.LayerDB:
		return e.Updates()
	case script.BeaconLayer:
		return evidence.SumOf(e.Polled[record.PageViews])
	}
	return evidence.Curve{}
}

// readingsBetween keeps the readings between from and to.
func readingsBetween(c evidence.Curve, from, to time.Duration) evidence.Curve {
	lo, hi := evidence.CountUpTo(c.At, from-1), evidence.CountUpTo(c.At, to)
	if hi <= lo {
		return evidence.Curve{}
	}
	return evidence.Curve{At: c.At[lo:hi], N: c.N[lo:hi]}
}

// userRates are the users' acknowledged requests per second between the moments
// at which another layer was read, so many readings apart and each lag earlier.
// Their curve is known at any moment, so nothing has to be interpolated.
func userRates(users []time.Duration, at []time.Duration, wide int, lag time.Duration) []float64 {
	return ratesOf(at, wide, func(k int) float64 { return float64(evidence.CountUpTo(users, at[k]-lag)) })
}

// ratesOf are the rates of a count between each reading and the one so many later. They overlap where that is more than
// one: of those that do not, which ones they are would be chance.
func ratesOf(at []time.Duration, wide int, count func(k int) float64) []float64 {
	out := make([]float64, max(0, len(at)-wide))
	for k := range out {
		out[k] = (count(k+wide) - count(k)) / (at[k+wide] - at[k]).Seconds()
	}
	return out
}

// lagsOf gives r at each lag: how much later than the users the layer tells its
// story. A layer whose rate never changes has none.
func lagsOf(users []time.Duration, c evidence.Curve, wide int) map[time.Duration]float64 {
	rates := ratesOf(c.At, wide, func(k int) float64 { return c.N[k] })
	byLag := map[time.Duration]float64{}
	for l := -furthestLag; l <= furthestLag; l += lagStep {
		if r := stat.Correlation(userRates(users, c.At, wide, l), rates, nil); !math.IsNaN(r) {
			byLag[l] = r
		}
	}
	return byLag
}

// bestLag finds how much later than the users the layer tells the same story:
// the shortest lag at which r is about as good as it gets, and enough if it is
// anywhere.
func bestLag(byLag map[time.Duration]float64, enough float64) (r float64, lag time.Duration, ok bool) {
	best := -2.0
	for _, r := range byLag {
		best = max(best, r)
	}
	least := best - closeLag
	if best >= enough {
		least = max(least, enough)
	}
	for l := time.Duration(0); l <= furthestLag; l += lagStep {
		for _, l := range []time.Duration{l, -l} {
			if r, known := byLag[l]; known && r >= least {
				return r, l, true
			}
		}
	}
	return 0, 0, false
}
