package signals

import (
	"fmt"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Periods looks at what a hypervisor tells of the CPU of instances, by periods and late, as CloudWatch does. A source that is coarse and
// late has no gap in that: a cell is a whole period in which an instance ran, and is missing when there is no point of it though
// it was asked for in time, or half filled when the point is of a part of it. With periods of 10 s and a delay
// of 5 s, an instance that is ready at 3 s and gets SIGTERM at 44 s has the cells 10–20, 20–30 and 30–40 s, of
// which the last is looked at if somebody asked at 49 s or later.
type Periods struct{ Promise script.Continuity }

// period is one whole period in which an instance ran.
type period struct {
	from  time.Duration // when it begins
	share float64       // of the CPUs that were used, on average
	told  bool          // there is a point
	whole bool          // which is of all of the period
}

// periodsOf are the whole periods of an instance's life that must have been told, in order; missing says why nothing can be said.
func periodsOf(e *evidence.Index, l record.Lifetime) (all []period, by record.Monitoring, missing string) {
	for _, ev := range e.EventsOf(l.Instance) {
		if ev.Kind == record.Birth && ev.Cloud != nil && ev.Cloud.Monitoring != nil {
			by = *ev.Cloud.Monitoring
		}
	}
	if by.Period <= 0 || by.CPUs <= 0 || by.Samples <= 0 {
		return nil, by, "its birth does not say how CloudWatch tells of it"
	}
	first, last, polled := asked(e)
	if !polled {
		return nil, by, "nobody got an answer of CloudWatch"
	}
	since := max(l.Birth, l.Ready, 0) + firstLook
	until := evidence.Forever
	for _, end := range []time.Duration{l.Signalled, l.Death} {
		if end != record.Never {
			until = min(until, end)
		}
	}
	until = min(until, last-by.Delay-script.CloudWatchSlack(by.Period))
	points, counts := pointsAt(e, record.HypervisorCPU, l.Instance, by.Period), pointsAt(e, record.HypervisorSamples, l.Instance, by.Period)
	for n := numberOf(e, max(since, first), by.Period) + 1; startOf(e, n, by.Period)+by.Period <= until; n++ {
		one := period{from: startOf(e, n, by.Period)}
		var percent float64
		percent, one.told = points[n]
		one.share, one.whole = percent/100, one.told && counts[n] >= float64(by.Samples)
		all = append(all, one)
	}
	return all, by, ""
}

// firstLook is how long after its birth an instance is counted for the first time, at the latest.
const firstLook = 2 * time.Second

// asked is when CloudWatch was asked first, and when it last answered.
func asked(e *evidence.Index) (first, last time.Duration, ok bool) {
	for _, s := range evidence.WithLabel(e.Polled[record.PollSuccess], "poller", record.CloudWatchPoller) {
		for _, p := range s.Points {
			if !ok && p.HasNumber() {
				first = p.At
			}
			if p.HasNumber() && p.Value == 1 {
				last, ok = p.At, true
			}
		}
	}
	return first, last, ok
}

// numberOf is the number of the period that a moment is in, counted from 1970; startOf is when a period begins.
func numberOf(e *evidence.Index, at, long time.Duration) int64 {
	return e.History.Run.Start.Add(at).UnixNano() / int64(long)
}

func startOf(e *evidence.Index, number int64, long time.Duration) time.Duration {
	return time.Unix(0, number*int64(long)).Sub(e.History.Run.Start)
}

// pointsAt are the values of an instance's series by the number of their period. Times in a record are whole microseconds.
func pointsAt(e *evidence.Index, name, instance string, long time.Duration) map[int64]float64 {
	values := map[int64]float64{}
	for _, s := range e.PolledOf(name, instance) {
		for _, p := range s.Points {
			if p.HasNumber() && p.Measured() {
				values[numberOf(e, p.At+time.Millisecond, long)] = p.Value
			}
		}
	}
	return values
}

// Judge looks at all instances, or says why it cannot.
func (c Periods) Judge(e *evidence.Index) verdict.Result {
	r := verdict.Result{Sums: true}
	worst, instances, period := time.Duration(0), 0, c.Promise.Told.Period
	for _, l := range e.Lives {
		all, by, missing := periodsOf(e, l)
		if missing != "" {
			r.Findings = append(r.Findings, c.say(verdict.Inconclusive, l.Instance, "CPU of %s by periods: %s", l.Instance, missing))
			continue
		}
		period = by.Period
		if len(all) > 0 {
			instances++
		}
		r.Cells.LookedAt += int64(len(all))
		for _, g := range gapsOf(all, by.Period) {
			r.Cells.Missing += g.missing
			worst = max(worst, time.Duration(g.missing)*by.Period)
			if time.Duration(g.missing)*by.Period > c.Promise.MaxGap || g.half > 0 {
				r.Findings = append(r.Findings, c.gap(e, l, by, g))
			}
		}
		r.Findings = append(r.Findings, c.dead(e, l)...)
	}
	f := c.say(verdict.Pass, "", "CPU by periods of %s, as CloudWatch tells it: %s of %s looked at, %s missing, the longest gap %s of at most %s", period,
		words.Times(r.Cells.LookedAt, "period"), words.Times(int64(instances), "instance"), words.Number(r.Cells.Missing), words.Seconds(worst), c.Promise.MaxGap)
	if r.Cells.LookedAt == 0 {
		f = c.say(verdict.Inconclusive, "", "CPU by periods of %s, as CloudWatch tells it: no instance ran for a whole period that was told before the run was over", period)
	}
	for _, found := range r.Findings {
		if f.Outcome == verdict.Pass || found.Outcome == verdict.Fail {
			f.Outcome = found.Outcome
		}
	}
	r.Findings = append(r.Findings, f)
	return r
}

func (c Periods) say(o verdict.Outcome, instance, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkContinuity, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// unfilled is a run of periods that are missing or half filled.
type unfilled struct {
	from, to      time.Duration
	missing, half int64
}

func gapsOf(all []period, long time.Duration) (gaps []unfilled) {
	open := false
	for _, p := range all {
		if p.whole {
			open = false
			continue
		}
		if !open {
			gaps = append(gaps, unfilled{from: p.from})
			open = true
		}
		g := &gaps[len(gaps)-1]
		g.to = p.from + long
		if p.told {
			g.half++
		} else {
			g.missing++
		}
	}
	return gaps
}

// gap reports periods that are not whole. What the machine kept everybody from says nothing of CloudWatch.
func (c Periods) gap(e *evidence.Index, l record.Lifetime, by record.Monitoring, g unfilled) verdict.Finding {
	what, cause := words.Times(g.missing, "period")+" missing", verdict.CauseMissingPeriod
	switch {
	case g.missing == 0:
		what, cause = words.Times(g.half, "period")+" half filled", verdict.CauseHalfFilled
	case g.half > 0:
		what += fmt.Sprintf(" and %s half filled", words.Number(g.half))
	}
	f := c.say(verdict.Fail, l.Instance, "CPU of %s by periods of %s: from %s to %s %s, though it ran", l.Instance, by.Period, words.Seconds(g.from), words.Seconds(g.to), what)
	f.From, f.To, f.Cause = g.from.Seconds(), g.to.Seconds(), cause
	if stall, flush := e.Delays(g.from-time.Second, g.to+time.Second); max(stall, flush) > e.Interval { // the hypervisor is of this program, and as late
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += ", but the machine was late itself then"
	}
	return f
}

// dead finds periods of an instance that begin after its death.
func (c Periods) dead(e *evidence.Index, l record.Lifetime) []verdict.Finding {
	if l.Death == record.Never {
		return nil
	}
	var n int64
	var last time.Duration
	for _, s := range e.PolledOf(record.HypervisorCPU, l.Instance) {
		for _, p := range s.Points {
			if p.HasNumber() && p.At > l.Death+firstLook {
				n, last = n+1, p.At
			}
		}
	}
	if n == 0 {
		return nil
	}
	f := c.say(verdict.Fail, l.Instance, "%s died at %s and still uses CPU in %s until %s: nothing may come from the dead", l.Instance, words.Seconds(l.Death), words.Times(n, "period"), words.Seconds(last))
	f.From, f.To, f.Cause = l.Death.Seconds(), last.Seconds(), verdict.CauseFrozen
	return []verdict.Finding{f}
}
