package check

import (
	"fmt"
	"math"
	"strings"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkTwoViews = "two-views"

// The series of collector/poll that tell the two views, by instance.
const (
	hostSeconds   = "host_cpu_seconds_total"
	hostLimit     = "host_cpu_limit_cores"
	hostPeriods   = "host_cpu_periods_total"
	hostThrottled = "host_cpu_throttled_periods_total"
	hostStopped   = "host_cpu_throttled_seconds_total" // summed over CPUs
	agentSeconds  = "agent_cpu_seconds_total"
)

// twoViews looks at the CPU of an instance before and after a step limited it,
// once as the host sees it and once as an agent inside does.
type twoViews struct{ rule script.TwoViews }

// stretch is a part of a run.
type stretch struct{ from, to time.Duration }

// view is what host and agent say of an instance's CPU in a stretch.
type view struct {
	cores     float64 // used on average, as the host sees it
	periods   float64 // in which the host held it to a limit
	throttled float64 // of these, in which it was stopped
	idle      float64 // share of the machine, as the agent sees it
}

func (c twoViews) judge(e *evidence) verdict.Result {
	free, out := c.others(e)
	return verdict.Result{Findings: append(out, c.finding(e, free))}
}

func (c twoViews) say(o verdict.Outcome, instance string, at stretch, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkTwoViews, Outcome: o, Layer: verdict.LayerWeb, Instance: instance, From: at.from.Seconds(), To: at.to.Seconds(),
		Summary: fmt.Sprintf(format, args...)}
}

func (c twoViews) finding(e *evidence, free []string) verdict.Finding {
	name := c.rule.Instance
	limited, during, ok := e.limited(name)
	if !ok {
		return c.say(verdict.Inconclusive, name, during, "two views of %s: the journal does not tell when it was limited under load", name)
	}
	before, missing := e.view(name, stretch{e.begin, limited.At})
	if missing != "" {
		return c.say(verdict.Inconclusive, name, during, "two views of %s: before the limit %s", name, missing)
	}
	after, missing := e.view(name, during)
	if missing != "" {
		return c.say(verdict.Inconclusive, name, during, "two views of %s: under the limit %s", name, missing)
	}
	share := after.cores / limited.CPUs
	told := fmt.Sprintf("two views of %s, limited to %v CPUs: the host sees it use %s of that, stopped in %.0f of %s; the agent inside sees a machine %s idle "+
		"(%.3f CPUs, before the limit %.3f; the machine was %s idle then)", name, limited.CPUs, percent(share), after.throttled,
		words.Times(int64(after.periods), "period"), percent(after.idle), after.cores, before.cores, percent(before.idle))
	switch {
	case share < c.rule.Used || after.throttled == 0:
		return c.say(verdict.Fail, name, during, "%s: the views agree that nothing holds it back (want it to use %s of its limit at least, and to be stopped)", told, percent(c.rule.Used))
	case after.idle >= c.rule.Idle:
		if len(free) > 0 {
			told += ". The host never stopped " + strings.Join(free, ", ") + ", which no step limits"
		}
		f := c.say(verdict.Pass, name, during, "%s", told)
		f.Cause = verdict.CauseThrottled
		return f
	}
	for _, l := range e.lives {
		if other, missing := e.view(l.Instance, during); missing == "" && other.idle >= c.rule.Idle {
			return c.say(verdict.Fail, name, during, "%s, where that of %s sees %s: the views agree, this agent sees the limit", told, l.Instance, percent(other.idle))
		}
	}
	return c.say(verdict.Inconclusive, name, during, "%s: the machine itself was busy (want it %s idle at least), so nobody can tell the limit from that", told, percent(c.rule.Idle))
}

// others: nobody without a limit was stopped. It gives those who were not, and
// complaints about the others.
func (c twoViews) others(e *evidence) (free []string, out []verdict.Finding) {
	for _, l := range e.lives {
		if _, _, limited := e.limited(l.Instance); limited || l.Instance == c.rule.Instance {
			continue
		}
		var points int
		var stopped, at = 0.0, stretch{max(l.Birth, 0), 0}
		for _, s := range matching(e.polled[hostThrottled], "instance", l.Instance) {
			for _, p := range s.Points {
				if counts(p) {
					points, stopped, at.to = points+1, max(stopped, p.Value), p.At
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

// limited is the first limit of an instance, and the stretch of the load in which
// it held, without the interval in which it began.
func (e *evidence) limited(instance string) (first record.Event, during stretch, ok bool) {
	during.to = e.end
	for _, ev := range e.history.Events {
		if ev.Instance != instance {
			continue
		}
		ends := ev.Kind == record.Limited || ev.Kind == record.Draining || ev.Kind == record.Signalled || ev.Kind == record.Death
		switch {
		case !ok && ev.Kind == record.Limited && ev.CPUs > 0:
			first, ok = ev, true
			during.from = ev.At + e.interval
		case ok && ends:
			during.to = min(during.to, ev.At)
		}
	}
	return first, during, ok && e.begin != record.Never && e.end != record.Never && first.At < e.end
}

// view is what host and agent said of an instance; missing tells what they did
// not say.
func (e *evidence) view(instance string, at stretch) (v view, missing string) {
	used, over, ok := e.grew(hostSeconds, at, "instance", instance)
	if !ok {
		return v, "the host did not tell what it used"
	}
	v.cores = used / over.Seconds()
	v.periods, _, ok = e.grew(hostPeriods, at, "instance", instance)
	throttled, _, told := e.grew(hostThrottled, at, "instance", instance)
	if !ok || !told {
		return v, "the host did not tell whether it stopped it"
	}
	v.throttled = throttled
	var all float64
	for _, s := range matching(e.polled[agentSeconds], "instance", instance) {
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

// grew is the growth of the one series of that name and label.
func (e *evidence) grew(name string, at stretch, label, value string) (by float64, over time.Duration, ok bool) {
	series := matching(e.polled[name], label, value)
	if len(series) != 1 {
		return 0, 0, false
	}
	return grew(series[0], at)
}

// grew is how much a counter grew from its first point in a stretch to its last,
// and how long that took. One that fell tells nothing.
func grew(s *record.Series, at stretch) (by float64, over time.Duration, ok bool) {
	var first, last record.Point
	for _, p := range s.Points {
		switch {
		case !counts(p) || p.At < at.from || p.At > at.to:
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

// limited: the journal has it, and the host was seen to hold it.
func (m *moves) limited(t taken) []string {
	name, want := t.step.Instance, t.step.CPUs
	held := stretch{record.Never, forever}
	for _, ev := range m.e.history.Events {
		if ev.Kind != record.Limited || ev.Instance != name || ev.At < t.begin {
			continue
		}
		if held.from != record.Never {
			held.to = ev.At
			break
		}
		if ev.At > t.end || ev.CPUs != want {
			break
		}
		held.from = ev.At
	}
	if held.from == record.Never {
		m.fails(t.step, name, t.begin, "the journal does not have that %s was held to it", name)
		return nil
	}
	limits := pointsIn(matching(m.e.polled[hostLimit], "instance", name), held)
	asked := pointsIn(matching(m.e.polled[hostSeconds], "instance", name), held)
	switch {
	case len(asked) == 0:
		m.fails(t.step, name, held.from, "the host was not asked about %s while it held", name)
	case want == 0 && len(limits) > 0:
		m.fails(t.step, name, held.from, "the host still held %s to %v CPUs at %s", name, limits[0].Value, words.Seconds(limits[0].At))
	case want == 0:
		return []string{fmt.Sprintf("lifted at %s", words.Seconds(held.from))}
	case len(limits) == 0:
		m.fails(t.step, name, held.from, "the host did not hold %s to any limit", name)
	case math.Abs(limits[0].Value-want) > quotaGrain:
		m.fails(t.step, name, held.from, "the host held %s to %v CPUs at %s", name, limits[0].Value, words.Seconds(limits[0].At))
	default:
		return []string{fmt.Sprintf("%s held to it from %s on", name, words.Seconds(held.from))}
	}
	return nil
}

// quotaGrain is a quota's: 1 µs of a period of 100 ms, in CPUs.
const quotaGrain = 1e-5

// pointsIn gives the points of series in a stretch.
func pointsIn(series []*record.Series, at stretch) []record.Point {
	var out []record.Point
	for _, s := range series {
		for _, p := range s.Points {
			if counts(p) && p.At >= at.from && p.At < at.to {
				out = append(out, p)
			}
		}
	}
	return out
}
