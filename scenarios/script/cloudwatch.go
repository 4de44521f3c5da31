package script

import (
	"slices"
	"time"
)

// CloudWatch is how a cloud tells what its hypervisor counts of instances.
type CloudWatch struct {
	Period time.Duration // that a point is of
	Delay  time.Duration // after the end of its period a point is told
}

// Told tells whether there is such a service.
func (c CloudWatch) Told() bool { return c.Period > 0 }

// The defaults of stack.cloudwatch.
const (
	defaultPeriod = 10 * time.Second
	defaultTold   = 5 * time.Second
)

// longestPeriod and longestDelay bound both: somebody waits for the end of the run.
const longestPeriod, longestDelay = 5 * time.Minute, 10 * time.Minute

// shortPeriods are those below a minute that CloudWatch has, for metrics of high resolution.
var shortPeriods = []time.Duration{1 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second}

// IsPeriod tells whether a CloudWatch of a stack can have points of so long.
func IsPeriod(p time.Duration) bool {
	return slices.Contains(shortPeriods, p) || p > 0 && p <= longestPeriod && p%time.Minute == 0
}

func (v value) cloudWatch() CloudWatch {
	c := CloudWatch{Period: defaultPeriod, Delay: defaultTold}
	m, ok := v.options("period", "delay")
	if !ok {
		return c
	}
	if v, ok := m.get("period"); ok {
		if p := v.duration(time.Second); p > 0 {
			c.Period = p
			if !IsPeriod(p) {
				v.failf("%s is no period of CloudWatch: want 1s, 5s, 10s, 20s, 30s, or whole minutes up to %s", show(p), show(longestPeriod))
			}
		}
	}
	if v, ok := m.get("delay"); ok {
		if c.Delay = v.duration(0); c.Delay > longestDelay {
			v.failf("%s is out of range: want 0s to %s", show(c.Delay), show(longestDelay))
		}
	}
	return c
}

// late is how long after it happened something may still come: a period that is over is asked for after the delay, and
// once more a little later.
func (c CloudWatch) late() time.Duration {
	if !c.Told() {
		return 0
	}
	return c.Delay + CloudWatchSlack(c.Period)
}

// CloudWatchSlack is how long after the delay a point may come at the latest if nothing is late: it is asked for once a
// second, and once more when the hypervisor itself was a moment late.
func CloudWatchSlack(period time.Duration) time.Duration { return period/5 + 2*time.Second }

// periods reads a promise about what a source tells by periods.
func (p *promises) periods(m mapping, source value) Continuity {
	c := Continuity{Source: source.oneOf(FromCloudWatch)}
	for _, key := range []string{"metric", "route", "where", "by"} {
		if v, ok := m.get(key); ok {
			v.failf("there is source too, which tells of CPU alone: want one of the two")
		}
	}
	c.Told = p.told(source)
	c.MaxGap = m.duration("max_gap", 0, 0)
	return c
}

// told is how CloudWatch tells, where a promise is about that.
func (p *promises) told(v value) CloudWatch {
	if !p.s.Stack.CloudWatch.Told() && !p.opts.Ran {
		v.failf("there is no CloudWatch to ask: add stack.cloudwatch, like cloudwatch: {period: 10s}")
	}
	return p.s.Stack.CloudWatch
}

// compared reads a promise that an agent tells of the CPU of instances what the hypervisor tells.
func (p *promises) compared(m mapping, agent value) TwoViews {
	c := TwoViews{Agent: agent.metric(), Unit: time.Millisecond}
	for _, key := range []string{"instance", "used", "idle"} {
		if v, ok := m.get(key); ok {
			v.failf("there is agent too, which is compared of all instances: want one of the two")
		}
	}
	if v, ok := m.get("unit"); ok {
		c.Unit = timeUnits[v.oneOf("s", "ms", "us", "ns")]
	}
	c.Every = m.duration("every", shortest, defaultTells)
	c.ClientWindow = m.duration("client_window", 0, defaultClientWindow)
	c.Told = p.told(agent)
	return c
}

// defaultTells is how often an agent is taken to tell what CPU was used.
const defaultTells = time.Second

// MuteCloudWatch keeps the hypervisor from telling CloudWatch what instances use. They run on, and nobody knows what it is
// in that time.
type MuteCloudWatch struct{}

// Name implements [Fault].
func (MuteCloudWatch) Name() string { return "mute-cloudwatch" }
