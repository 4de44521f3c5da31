package check

import (
	"fmt"
	"math"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// surplus is by how much a count was ahead of all that can have been executed, and
// when first. No lag makes that: what is missing later was counted twice before.
type surplus struct {
	n  int64
	at time.Duration
}

// surplus looks for it at every point. Where a clock was set, or a client gives its
// counts times of its own, a count may stand before its request.
func (a *account) surplus(e *evidence) (s surplus) {
	if a.rule.SampleRate < 1 || a.sampled >= 0 || e.clockSteps() || e.ownCount("timestamped_lines_total") > 0 {
		return s
	}
	for k, t := range a.counted.at {
		over := whole(a.counted.n[k]) - e.sentUpTo(a.life.Instance, a.rule.Route, t) - a.sum()
		if over > 0 && s.n == 0 {
			s.at = t
		}
		s.n = max(s.n, over)
	}
	return s
}

// judgeSurplus is for an account that agrees in the end. One clock that differs is
// all instances' matter, and that of the check time.
func (a *account) judgeSurplus(e *evidence) *Finding {
	if a.ahead.n == 0 || len(e.ahead()) > 0 {
		return nil
	}
	f := a.finding(Fail)
	f.Cause, f.Extra, f.From, f.To = causeBurst, a.ahead.n, a.ahead.at.Seconds(), a.ahead.at.Seconds()
	f.Summary = fmt.Sprintf("%s counted %s more than had been sent to it, first at %s, and agrees in the end: as many were lost later", a.life.Instance,
		times(a.ahead.n, a.rule.Route), seconds(a.ahead.at))
	return &f
}

// diagnoseExtra tells why more was counted than can have been executed.
func (a *account) diagnoseExtra() diagnosis {
	n := int64(len(a.acked))
	extra := a.total - n
	d := diagnosis{}
	d.from, d.to = a.ticks[0], a.ticks[len(a.ticks)-1]
	if n == 0 {
		d.cause, d.why = causeBurst, "it acknowledged none"
		return d
	}
	d.from, d.to = a.acked[0], a.acked[n-1]
	even := a.spread(extra, func(t time.Duration) float64 { return float64(countUpTo(a.acked, t)) / float64(n) })
	growing := a.spread(extra, func(t time.Duration) float64 {
		x := float64(countUpTo(a.acked, t)) / float64(n)
		return x * x
	})
	whole := float64(n) * (1/a.rule.SampleRate - 1)
	others, foreign := a.foreign(extra)
	times := fmt.Sprintf("evenly, each is counted about %.0f times", float64(a.total)/float64(n))
	switch {
	case a.rule.SampleRate == 1 && a.sampled >= 0 && a.sampled < a.total && abs(a.sampled-n) <= max(a.sum(), n/50):
		d.cause = causeRateUnused
		d.why = fmt.Sprintf("%s measurements came, one for each, and were scaled up: a sample rate is sent and not applied", number(a.sampled))
	case a.rule.Status == script.Successes && a.failures > 0 && abs(extra-a.failures) <= a.sum():
		d.cause, d.runnerUp = causeFailures, causeTwice
		d.why = fmt.Sprintf("that is what it answered with other than 2xx (%s): failures are counted too", number(a.failures))
	case foreign:
		d.cause, d.runnerUp = causeForeignLines, causeTwice
		d.why = fmt.Sprintf("one of its %d series of %s has just as many (%s): somebody else sends to its address", len(a.parts), a.rule.Metric, number(others))
	case a.afterSignal(extra):
		d.cause, d.runnerUp = causeWindowTwice, causeBurst
		d.from, d.to = a.life.Signalled, a.ticks[len(a.ticks)-1]
		d.why = fmt.Sprintf("they came after it got %s at %s: what had been sent was sent again", a.life.Signal, seconds(a.life.Signalled))
	case a.total >= 3*n && growing < even:
		d.cause = causeTotal
		d.why = fmt.Sprintf("what it adds grows with what it has: the running total is sent as a counter (%s requests would make %s)",
			number(n), number(n*(n+1)/2))
		if even-growing < closeCall {
			d.runnerUp = causeTwice
		}
	case a.rule.SampleRate < 1 && math.Abs(float64(extra)-whole) < whole/5:
		d.cause = causeRateUnused
		d.why = fmt.Sprintf("evenly, %.1f times too many: the sample rate %g is sent and not applied", float64(a.total)/float64(n), a.rule.SampleRate)
	case even <= evenLimit(extra) && extra < 2*n:
		d.cause = causeTwice
		d.why = fmt.Sprintf("evenly, about %s is counted twice", oneIn(n, extra))
		switch {
		case extra*10 >= n*9:
			d.cause, d.runnerUp, d.why = causeDouble, causeTwice, times
		case a.twin.n > n && alike(extra, a.twin.n-n):
			d.cause, d.runnerUp = causeNetTwice, causeTwice
			d.why += fmt.Sprintf(", and the %s of the same requests has as many too much (%s): datagrams came twice", a.twin.kind, number(a.twin.n-n))
		}
	case even <= evenLimit(extra):
		d.cause, d.runnerUp, d.why = causeDouble, causeTwice, times
	default:
		d.cause = causeBurst
		d.from, d.to = a.stepped()
		d.why = "they came in a burst"
		if a.twin.n > n && alike(extra, a.twin.n-n) {
			d.cause, d.runnerUp = causeNetTwice, causeBurst
			d.why = fmt.Sprintf("the %s of the same requests has as many too much (%s): datagrams came twice", a.twin.kind, number(a.twin.n-n))
			return d
		}
		if even <= evenLimit(extra)+closeCall {
			d.runnerUp = causeTwice
		}
	}
	return d
}

func abs(n int64) int64 { return max(n, -n) }

// foreign finds a series of the metric that has as many as were counted too much:
// it is somebody else's who sends to the same address.
func (a *account) foreign(extra int64) (n int64, found bool) {
	for _, n := range a.parts {
		if len(a.parts) > 1 && n > 0 && abs(n-extra) <= a.sum() {
			return n, true
		}
	}
	return 0, false
}

// afterSignal tells whether what was counted too much came at the end of an
// instance that was asked to end.
func (a *account) afterSignal(e int64) bool {
	at := a.life.Signalled
	if at == record.Never || a.killed != record.Never {
		return false
	}
	for k, t := range a.ticks {
		if t >= at {
			before := 0.0
			if k > 0 {
				before = -a.gap[k-1]
			}
			return before < float64(e)/2
		}
	}
	return true
}
