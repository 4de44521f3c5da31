package check

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const (
	checkCorrelation = "correlation"
	// pollDuration is the series in which the collector keeps how long polls took.
	pollDuration = "throughline_collector_poll_duration_seconds"
)

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

// correlation asks whether the layers' rates go up and down together.
type correlation struct {
	rule   script.Correlation
	window time.Duration // how long the client of the web layer's metric buffers
	rate   float64       // its sample rate; 1: it does not sample
	route  string        // whose requests it counts; "": of all, as far as is known
}

func (c correlation) judge(e *evidence) verdict.Result {
	if e.begin == record.Never || e.end-e.begin <= 2*script.LoadEdge {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "correlation: the load did not last long enough to compare rates")}}
	}
	acked, sent := e.allAcked(), e.allSent()
	var r verdict.Result
	for _, layer := range c.rule.Layers {
		if layer == verdict.LayerUsers {
			continue
		}
		if layer == verdict.LayerDB && (e.history.Run.Database == noDatabase || e.scenario.Stack.Mongo == script.MongoNone) {
			r.Findings = append(r.Findings, c.finding(verdict.Pass, layer, "correlation of users and db: skipped, the stack has no database"))
			continue
		}
		users := acked
		if layer == verdict.LayerLB {
			users = sent // a load balancer counts requests as they arrive
		}
		if layer == verdict.LayerWeb && c.route != "" {
			users = e.allAcked(c.route)
		}
		r.Findings = append(r.Findings, c.pair(e, users, layer))
	}
	if len(r.Findings) == 0 {
		r.Findings = append(r.Findings, c.finding(verdict.Inconclusive, "", "correlation: there is no layer to compare the users with"))
	}
	return r
}

func (c correlation) finding(o verdict.Outcome, layer, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkCorrelation, Outcome: o, Layer: layer, Summary: fmt.Sprintf(format, args...)}
}

// allAcked gives the times of the acknowledgements of the routes, in order.
// Without routes: of all.
func (e *evidence) allAcked(routes ...string) []time.Duration {
	all := make([]time.Duration, 0, e.users.acked)
	for key, at := range e.users.ackedAt {
		if wanted(routes, key.route) {
			all = append(all, at...)
		}
	}
	for _, s := range e.users.spans {
		if s.acked && wanted(routes, s.key.route) {
			all = append(all, s.done)
		}
	}
	slices.Sort(all)
	return all
}

// allSent gives the times at which requests were sent, in order.
func (e *evidence) allSent() []time.Duration {
	all := make([]time.Duration, 0, len(e.history.Requests))
	for i := range e.history.Requests {
		if r := &e.history.Requests[i]; r.Attempts > 0 {
			all = append(all, r.Sent)
		}
	}
	slices.Sort(all)
	return all
}

// pair compares users with one layer.
func (c correlation) pair(e *evidence, users []time.Duration, layer string) verdict.Finding {
	curve := within(c.curve(e, layer), e.begin+script.LoadEdge, e.end-script.LoadEdge)
	if layer == verdict.LayerWeb {
		// A client that buffers for longer than an interval sends in some and
		// not in others: that is no rate of the application's.
		curve = curve.every(int(1 + c.window/e.interval))
	}
	if len(curve.at) == 0 {
		return c.finding(verdict.Inconclusive, layer, "correlation of users and %s: the record has no numbers of %s under load", layer, layer)
	}
	if n := len(curve.at) - 1; n < script.LeastIntervals {
		return c.finding(verdict.Inconclusive, layer, "correlation of users and %s: too few intervals, %d, and it takes %d", layer, n, script.LeastIntervals)
	}
	at0 := userRates(users, curve.at, 0)
	if v := variation(at0); v < script.LeastVariation {
		return c.finding(verdict.Inconclusive, layer, "correlation of users and %s: not evaluated, the load hardly varied (by %.1f %%, it takes %g %%)",
			layer, 100*v, 100*script.LeastVariation)
	}
	rate := 1.0
	if layer == verdict.LayerWeb {
		rate = c.rate
	}
	return c.told(e, layer, lagsOf(users, curve), at0, barsOf(c.rule.AtLeast, rate, at0, curve.at))
}

// told is the finding about a layer with these r by lag.
func (c correlation) told(e *evidence, layer string, r map[time.Duration]float64, at0 []float64, b bars) verdict.Finding {
	best, lag, ok := bestLag(r, b.pass)
	f := c.finding(verdict.Pass, layer, "users and %s: r = %.3f at a lag of %.2f s, from %s%s", layer, best, lag.Seconds(), words.Times(int64(len(at0)), "interval"), b.note())
	switch within := furthest(r, c.rule.MaxLag); {
	case !ok && b.fail <= 0, ok && best >= b.fail && best < b.pass:
		f.Outcome = verdict.Inconclusive
		f.Summary = fmt.Sprintf("users and %s: too few samples to tell: r = %.3f at the best lag (%.2f s), from %s%s, "+
			"so that it passes from %.2f on %s; a higher rate, a larger swing or longer phases would tell",
			layer, best, lag.Seconds(), words.Times(int64(len(at0)), "interval"), b.note(), b.pass, b.fails())
	case !ok:
		f.Outcome = verdict.Fail
		f.Summary = fmt.Sprintf("%s does not follow the users: its rate is constant while theirs varies by %.1f %%", layer, 100*variation(at0))
	case best < b.fail:
		f.Outcome = verdict.Fail
		f.Summary = fmt.Sprintf("users and %s do not tell the same story: r = %.3f at the best lag (%.2f s), it should be at least %s", layer, best, lag.Seconds(), b.least())
	case max(lag, -lag) <= c.rule.MaxLag:
	case b.sampled && within >= b.pass: // by chance a longer lag fits better
	case b.sampled && within >= b.fail:
		f.Outcome = verdict.Inconclusive
		f.Summary += fmt.Sprintf("; too few samples to tell whether that is within max_lag %s, where r = %.3f", c.rule.MaxLag, within)
	default:
		f.Outcome = verdict.Fail
		f.Summary = fmt.Sprintf("%s follows the users with a lag of %.2f s (r = %.3f), max_lag is %s", layer, lag.Seconds(), best, c.rule.MaxLag)
	}
	if f.Outcome == verdict.Fail {
		c.excuse(&f, e.blur())
	}
	return f
}

// variation is the coefficient of variation.
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
func (c correlation) excuse(f *verdict.Finding, b blur) {
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

// blur looks for what moves points of the curves against each other: requests
// that took long (the load balancer counts their arrival, users their end),
// polls that took long (the numbers are of some moment in between), and a
// collector or load generator that was late itself. A quarter of an interval is
// what a busy but sane machine keeps, and moves r by a hundredth or two.
func (e *evidence) blur() blur {
	b := blur{most: e.interval / 4}
	note := func(by time.Duration, what string) {
		if by > b.by {
			b.by, b.what = by, fmt.Sprintf(what, words.Seconds(by))
		}
	}
	stall, flush := e.delays(e.begin, e.end)
	note(stall, "requests were sent up to %s late")
	note(flush, "the collector was up to %s late")
	note(time.Duration(min(e.greatest(pollDuration, e.begin, e.end), 1e9)*float64(time.Second)), "a poll took %s")
	note(e.slowAcks(), "1 in 100 requests took %s or longer")
	return b
}

// slowAcks is the 99th percentile of the latency of acknowledged requests, from
// due to done.
func (e *evidence) slowAcks() time.Duration {
	var took []time.Duration
	for _, r := range e.history.Requests {
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
func (c correlation) curve(e *evidence, layer string) curve {
	switch layer {
	case verdict.LayerLB:
		b, _ := newBalancer(e)
		return sumOf(matching(e.polled[frontendPrefix+"req_tot"], "proxy", b.frontend))
	case verdict.LayerWeb:
		var all []*record.Series
		for _, instance := range e.senders() {
			all = append(all, e.counters(instance, c.rule.Metric)...)
		}
		return sumOf(all)
	case verdict.LayerDB:
		return e.updates()
	}
	return curve{}
}

func matching(series []*record.Series, label, value string) []*record.Series {
	var out []*record.Series
	for _, s := range series {
		if s.Labels.Get(label) == value {
			out = append(out, s)
		}
	}
	return out
}

// senders gives the instances that sent anything, in order.
func (e *evidence) senders() []string {
	out := make([]string, 0, len(e.pushed))
	for instance := range e.pushed {
		out = append(out, instance)
	}
	slices.SortFunc(out, verdict.CompareNames)
	return out
}

// within keeps the readings between from and to.
func within(c curve, from, to time.Duration) curve {
	lo, hi := countUpTo(c.at, from-1), countUpTo(c.at, to)
	if hi <= lo {
		return curve{}
	}
	return curve{c.at[lo:hi], c.n[lo:hi]}
}

// every keeps each nth reading, counted from the last.
func (c curve) every(n int) curve {
	if n <= 1 {
		return c
	}
	var out curve
	for k := len(c.at) - 1; k >= 0; k -= n {
		out.at, out.n = append(out.at, c.at[k]), append(out.n, c.n[k])
	}
	slices.Reverse(out.at)
	slices.Reverse(out.n)
	return out
}

// userRates are the users' acknowledged requests per second between the moments
// at which another layer was read, each lag earlier. Their curve is known at any
// moment, so nothing has to be interpolated.
func userRates(users []time.Duration, at []time.Duration, lag time.Duration) []float64 {
	out := make([]float64, len(at)-1)
	for k := range out {
		n := countUpTo(users, at[k+1]-lag) - countUpTo(users, at[k]-lag)
		out[k] = float64(n) / (at[k+1] - at[k]).Seconds()
	}
	return out
}

// lagsOf gives r at each lag: how much later than the users the layer tells its
// story. A layer whose rate never changes has none.
func lagsOf(users []time.Duration, c curve) map[time.Duration]float64 {
	rates := make([]float64, len(c.at)-1)
	for k := range rates {
		rates[k] = (c.n[k+1] - c.n[k]) / (c.at[k+1] - c.at[k]).Seconds()
	}
	byLag := map[time.Duration]float64{}
	for l := -furthestLag; l <= furthestLag; l += lagStep {
		if r := stat.Correlation(userRates(users, c.at, l), rates, nil); !math.IsNaN(r) {
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
