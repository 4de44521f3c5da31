package signals

import (
	"fmt"
	"math"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkGauge = "gauge"

// Gauge looks at a gauge of the requests in flight. A gauge tells what was true
// when it was last sent, which was within an interval and the client's window
// before its point: what users had in flight at any moment of that time bounds
// it from above. From below nothing does: a request may still be on its way.
//
// A point at 9.1 s that says 7 was true at some moment from 8.0 to 9.1 s (an interval of 1 s,
// a window of 100 ms). If the instance's users never had more than 5 requests in flight in
// that time, two ends of requests were not counted.
type Gauge struct{ Promise script.Gauge }

// Judge looks at all instances, or says why it cannot.
func (c Gauge) Judge(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	var points, instances int
	rested := 0
	var silent []verdict.Finding
	sending := map[record.Role]bool{} // a role whose instances send none is none of the gauge's
	flights, long := e.Flights(c.Promise.ClientWindow), longRequests(e, e.Interval+c.Promise.ClientWindow)
	for _, l := range e.Lives {
		series := e.Gauges(l.Instance, c.Promise.Metric)
		n := 0
		for _, s := range series {
			n += len(s.Points)
		}
		if n == 0 {
			if sent := sentFor(e, l, e.CutAt(l, c.Promise.Metric, ""), c.Promise.ClientWindow); sent > 0 {
				silent = append(silent, c.absent(l, sent))
			}
			continue
		}
		points, instances, sending[l.Role] = points+n, instances+1, true
		out = append(out, c.posthumous(e, l, series)...)
		out = append(out, c.negative(l, series)...)
		if f, looked := c.backAtRest(e, l, series); looked {
			rested++
			if f != nil {
				out = append(out, *f)
			}
		}
		if f := c.tooHigh(e, l, series, flights); f != nil {
			out = append(out, *f)
		}
		if f := c.tooLow(e, l, series, long[l.Instance]); f != nil {
			out = append(out, *f)
		}
	}
	if f := c.sumTooHigh(e, flights); f != nil && len(out) == 0 {
		out = append(out, *f)
	}
	for _, f := range silent {
		if l, _ := e.LifeOf(f.Instance); sending[l.Role] {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		out = append(out, c.summary(points, instances, rested))
	}
	return verdict.Result{Findings: out}
}

// summary is what to say where nothing is wrong with so many points of so many instances,
// of which some were seen at rest.
func (c Gauge) summary(points, instances, rested int) verdict.Finding {
	switch {
	case points == 0:
		return c.finding(verdict.Inconclusive, "", "gauge %s: no instance sent it, so nothing was looked at", c.Promise.Metric)
	case rested == 0:
		return c.finding(verdict.Inconclusive, "", "gauge %s: no instance was seen at rest, so nobody knows whether it comes back to %d", c.Promise.Metric, c.Promise.AtRest)
	}
	return c.finding(verdict.Pass, "", "gauge %s: %s of %s, never above what users had in flight, %d at rest in each of %s, none from the dead",
		c.Promise.Metric, words.Times(points, "point"), words.Times(instances, "instance"), c.Promise.AtRest, words.Times(rested, "instance"))
}

func (c Gauge) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkGauge, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// absent is about an instance that answered and never sent the gauge. One that sends
// it seldom may have had no time to, so that it fails nothing.
func (c Gauge) absent(l record.Lifetime, sent int64) verdict.Finding {
	f := c.finding(verdict.Inconclusive, l.Instance, "%s acknowledged %s and never sent %s: nobody knows what it would have shown", l.Instance, words.Times(sent, "request"), c.Promise.Metric)
	f.Cause = diagnose.NoMetric
	return f
}

// posthumous finds points after an instance's death: a gauge that keeps its last value then
// makes sums over the instances too high.
func (c Gauge) posthumous(e *evidence.Index, l record.Lifetime, series []*record.Series) []verdict.Finding {
	if l.Death == record.Never {
		return nil
	}
	var n int64
	var last record.Point
	for _, s := range series {
		if more, p := pointsOfDead(e, l, s); more > 0 {
			n, last = n+more, p
		}
	}
	if n == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, l.Instance, "%s of %s still has %s after its death at %s, the last %g at %s", c.Promise.Metric, l.Instance, words.Times(n, "point"),
		words.Seconds(l.Death), last.Value, words.Seconds(last.At))
	f.From, f.To, f.Cause = l.Death.Seconds(), last.At.Seconds(), verdict.CauseFrozen
	return []verdict.Finding{f}
}

func (c Gauge) negative(l record.Lifetime, series []*record.Series) []verdict.Finding {
	var n int64
	var first, least record.Point
	for _, s := range series {
		for _, p := range s.Points {
			if p.Stale || !(p.Value < 0) {
				continue
			}
			if n++; n == 1 {
				first, least = p, p
			}
			if p.Value < least.Value {
				least = p
			}
		}
	}
	if n == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, l.Instance, "%s of %s is below 0 at %s, first at %s, down to %g: it is sent in steps, and steps were lost or counted twice",
		c.Promise.Metric, l.Instance, words.Times(n, "point"), words.Seconds(first.At), least.Value)
	f.From, f.To, f.Cause = first.At.Seconds(), least.At.Seconds(), verdict.CauseDrift
	return []verdict.Finding{f}
}

// backAtRest looks at an instance that lives on after the load, when nothing is in
// flight any more and its client has sent that: in one of the points since it
// must have come back, unless it may still work on a request that no instance
// answered. Health checks may be in flight at any moment, so that
// one point proves nothing.
func (c Gauge) backAtRest(e *evidence.Index, l record.Lifetime, series []*record.Series) (*verdict.Finding, bool) {
	if l.Death != record.Never || e.End == record.Never {
		return nil, false
	}
	since := e.End + c.Promise.ClientWindow + e.Stall(e.End-time.Second, e.End+time.Second)
	looked, explained := 0, false
	var last record.Point
	rest, open := float64(c.Promise.AtRest), float64(openAfter(e, since))
	for _, s := range series {
		for _, p := range s.Points {
			if p.Stale || p.At < since {
				continue
			}
			looked++
			last = p
			if p.Value == rest {
				return nil, true
			}
			explained = explained || p.Value > rest && p.Value <= rest+open
		}
	}
	if looked == 0 || explained {
		return nil, false
	}
	f := c.finding(verdict.Fail, l.Instance, "%s of %s does not come back to %d: the load ended at %s, and at %s it is still %g", c.Promise.Metric, l.Instance, c.Promise.AtRest,
		words.Seconds(e.End), words.Seconds(last.At), last.Value)
	f.From, f.To, f.Cause = e.End.Seconds(), last.At.Seconds(), verdict.CauseDrift
	if e.DroppedOf(l.Instance, c.Promise.Metric) {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: its last value may have been lost there"
	}
	return &f, true
}

// openAfter is how many requests that no instance answered may still have been
// worked on after t: their users had given up on them less than a patience before.
func openAfter(e *evidence.Index, t time.Duration) (n int64) {
	for _, s := range e.Users.Spans {
		if !s.Acked && s.Key.Instance == "" && s.Unknown > 0 && s.Done+patience > t {
			n += s.Unknown + s.Replays
		}
	}
	return n
}

// patience is how long an application may go on with a request that its user
// has given up: it has time limits of its own.
const patience = 5 * time.Second

// tooHigh compares each value that was measured with what can have been true.
func (c Gauge) tooHigh(e *evidence.Index, l record.Lifetime, series []*record.Series, flights evidence.Flights) *verdict.Finding {
	var n int64
	var worst record.Point
	var over, bound int64
	for _, s := range series {
		for _, p := range s.Points {
			if !p.Measured() || math.IsNaN(p.Value) {
				continue
			}
			from := p.At - e.Interval - c.Promise.ClientWindow
			from -= e.Stall(from-time.Second, p.At+time.Second)
			most := flights.Most(l.Instance, from, p.At) + int64(c.Promise.AtRest)
			if extra := evidence.Whole(math.Ceil(p.Value)) - most; extra > 0 {
				n++
				if extra > over {
					over, bound, worst = extra, most, p
				}
			}
		}
	}
	if n == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, l.Instance, "%s of %s is too high at %s: %g at %s, when its users had at most %s in flight", c.Promise.Metric, l.Instance, words.Times(n, "point"),
		worst.Value, words.Seconds(worst.At), words.Times(bound, "request"))
	f.From, f.To, f.Extra, f.Cause = worst.At.Seconds(), worst.At.Seconds(), over, verdict.CauseDrift
	return &f
}

// sumTooHigh compares the sum over the living with all that users had in flight:
// a request that may have been anybody's was in flight once.
func (c Gauge) sumTooHigh(e *evidence.Index, flights evidence.Flights) *verdict.Finding {
	sums := map[time.Duration]float64{}
	oldest := map[time.Duration]time.Duration{} // when the oldest value of the sum was sent
	for _, l := range e.Lives {
		for _, s := range e.Gauges(l.Instance, c.Promise.Metric) {
			var sent time.Duration
			for _, p := range s.Points {
				if p.Observed > 0 {
					sent = p.At
				}
				if p.Stale || math.IsNaN(p.Value) || l.Death != record.Never && p.At >= l.Death {
					continue
				}
				if _, known := sums[p.At]; !known {
					oldest[p.At] = sent
				}
				sums[p.At] += p.Value - float64(c.Promise.AtRest)
				oldest[p.At] = min(oldest[p.At], sent)
			}
		}
	}
	for _, t := range e.Ticks {
		sum, ok := sums[t]
		from := oldest[t] - e.Interval - c.Promise.ClientWindow
		from -= e.Stall(from-time.Second, t+time.Second)
		most := flights.MostOfAll(e.Lives, from, t)
		if ok && evidence.Whole(math.Ceil(sum)) > most {
			f := c.finding(verdict.Fail, "", "the sum of %s over the living is %g at %s, when users had at most %s in flight", c.Promise.Metric, sum, words.Seconds(t), words.Times(most, "request"))
			f.From, f.To, f.Cause = t.Seconds(), t.Seconds(), verdict.CauseDrift
			return &f
		}
	}
	return nil
}
