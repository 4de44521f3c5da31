package signals

import (
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkTwoViews = "two-views"

// TwoViews looks at the CPU of an instance before and after a step limited it,
// once as the host sees it and once as an agent inside does. Limited to 0.2 CPUs, it uses
// 0.19 of them and is stopped in 60 of 80 periods, as the host tells; the agent inside looks
// at the machine, which is 90 % idle, and sees nothing that could be wrong.
type TwoViews struct{ Promise script.TwoViews }

// view is what host and agent say of an instance's CPU in a stretch.
type view struct {
	cores     float64 // used on average, as the host sees it
	periods   float64 // in which the host held it to a limit
	throttled float64 // of these, in which it was stopped
	idle      float64 // share of the machine, as the agent sees it
}

// Judge looks at all instances, or says why it cannot.
func (c TwoViews) Judge(e *evidence.Index) verdict.Result {
	free, out := c.others(e)
	return verdict.Result{Findings: append(out, c.finding(e, free))}
}

func (c TwoViews) say(o verdict.Outcome, instance string, at evidence.Stretch, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkTwoViews, Outcome: o, Layer: record.LayerWeb, Instance: instance, From: at.From.Seconds(), To: at.To.Seconds(),
		Summary: fmt.Sprintf(format, args...)}
}

func (c TwoViews) finding(e *evidence.Index, free []string) verdict.Finding {
	name := c.Promise.Instance
	limited, during, ok := firstLimit(e, name)
	if !ok {
		return c.say(verdict.Inconclusive, name, during, "two views of %s: the journal does not tell when it was limited under load", name)
	}
	before, missing := viewOf(e, name, evidence.Stretch{From: e.Begin, To: limited.At})
	if missing != "" {
		return c.say(verdict.Inconclusive, name, during, "two views of %s: before the limit %s", name, missing)
	}
	after, missing := viewOf(e, name, during)
	if missing != "" {
		return c.say(verdict.Inconclusive, name, during, "two views of %s: under the limit %s", name, missing)
	}
	share := after.cores / limited.CPUs
	told := fmt.Sprintf("two views of %s, limited to %v CPUs: the host sees it use %s of that, stopped in %.0f of %s; the agent inside sees a machine %s idle "+
		"(%.3f CPUs, before the limit %.3f; the machine was %s idle then)", name, limited.CPUs, percent(share), after.throttled,
		words.Times(int64(after.periods), "period"), percent(after.idle), after.cores, before.cores, percent(before.idle))
	switch {
	case share < c.Promise.Used || after.throttled == 0:
		return c.say(verdict.Fail, name, during, "%s: the views agree that nothing holds it back (want it to use %s of its limit at least, and to be stopped)", told, percent(c.Promise.Used))
	case after.idle >= c.Promise.Idle:
		if len(free) > 0 {
			told += ". The host never stopped " + strings.Join(free, ", ") + ", which no step limits"
		}
		f := c.say(verdict.Pass, name, during, "%s", told)
		f.Cause = verdict.CauseThrottled
		return f
	}
	for _, l := range e.Lives {
		if other, missing := viewOf(e, l.Instance, during); missing == "" && other.idle >= c.Promise.Idle {
			return c.say(verdict.Fail, name, during, "%s, where that of %s sees %s: the views agree, this agent sees the limit", told, l.Instance, percent(other.idle))
		}
	}
	return c.say(verdict.Inconclusive, name, during, "%s: the machine itself was busy (want it %s idle at least), so nobody can tell the limit from that", told, percent(c.Promise.Idle))
}

// others asks whether the host stopped anybody who had no limit. It gives those whom it
// did not stop, and complaints about the others.
func (c TwoViews) others(e *evidence.Index) (free []string, out []verdict.Finding) {
	for _, l := range e.Lives {
		if _, _, limited := firstLimit(e, l.Instance); limited || l.Instance == c.Promise.Instance {
			continue
		}
		var points int
		var stopped, at = 0.0, evidence.Stretch{From: max(l.Birth, 0), To: 0}
		for _, s := range e.PolledOf(record.HostThrottled, l.Instance) {
			for _, p := range s.Points {
				if p.HasNumber() {
					points, stopped, at.To = points+1, max(stopped, p.Value), p.At
				}
			}
		}
		switch {
		case stopped > 0:
			out = append(out, c.say(verdict.Fail, l.Instance, at, "the host stopped %s in %s, though no step limits it", l.Instance, words.Times(int64(stopped), "period")))
		case points == 0:
			out = append(out, c.say(verdict.Inconclusive, l.Instance, at, "the host did not tell whether it stopped %s", l.Instance))
		default:
			free = append(free, l.Instance)
		}
	}
	return free, out
}

// firstLimit is the first limit of an instance, and the stretch of the load in which
// it held, without the interval in which it began.
func firstLimit(e *evidence.Index, instance string) (first record.Event, during evidence.Stretch, ok bool) {
	during.To = e.End
	for _, ev := range e.History.Events {
		if ev.Instance != instance {
			continue
		}
		ends := ev.Kind == record.Limited || ev.Kind == record.Draining || ev.Kind == record.Signalled || ev.Kind == record.Death
		switch {
		case !ok && ev.Kind == record.Limited && ev.CPUs > 0:
			first, ok = ev, true
			during.From = ev.At + e.Interval
		case ok && ends:
			during.To = min(during.To, ev.At)
		}
	}
	return first, during, ok && e.Begin != record.Never && e.End != record.Never && first.At < e.End
}

// viewOf is what host and agent said of an instance; missing tells what they did
// not say.
func viewOf(e *evidence.Index, instance string, at evidence.Stretch) (v view, missing string) {
	used, over, ok := growthOf(e, record.HostSeconds, at, "instance", instance)
	if !ok {
		return v, "the host did not tell what it used"
	}
	v.cores = used / over.Seconds()
	v.periods, _, ok = growthOf(e, record.HostPeriods, at, "instance", instance)
	throttled, _, told := growthOf(e, record.HostThrottled, at, "instance", instance)
	if !ok || !told {
		return v, "the host did not tell whether it stopped it"
	}
	v.throttled = throttled
	var all float64
	for _, s := range e.PolledOf(record.AgentSeconds, instance) {
		n, _, ok := grew(s, at)
		if !ok {
			return v, "the agent did not tell what the machine did"
		}
		all += n
		if s.Labels.Get("mode") == "idle" {
			v.idle = n
		}
	}
	if all == 0 {
		return v, "the agent did not tell what the machine did"
	}
	v.idle /= all
	return v, ""
}

// growthOf is how much the series of that name and label grew, if there is exactly one.
func growthOf(e *evidence.Index, name string, at evidence.Stretch, label, value string) (by float64, over time.Duration, ok bool) {
	series := evidence.WithLabel(e.Polled[name], label, value)
	if len(series) != 1 {
		return 0, 0, false
	}
	return grew(series[0], at)
}

// grew is how much a counter grew from its first point in a stretch to its last,
// and how long that took. One that fell tells nothing.
func grew(s *record.Series, at evidence.Stretch) (by float64, over time.Duration, ok bool) {
	var first, last record.Point
	for _, p := range s.Points {
		switch {
		case !p.HasNumber() || p.At < at.From || p.At > at.To:
			continue
		case !ok:
			first, last, ok = p, p, true
		case p.Value < last.Value:
			return 0, 0, false
		}
		last = p
	}
	return last.Value - first.Value, last.At - first.At, ok && last.At > first.At
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
