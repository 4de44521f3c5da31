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

func (v value) cloudWatch() CloudWatch {
	c := CloudWatch{Period: defaultPeriod, Delay: defaultTold}
	m, ok := v.options("period", "delay")
	if !ok {
		return c
	}
	if v, ok := m.get("period"); ok {
		if p := v.duration(time.Second); p > 0 {
			c.Period = p
			if p > longestPeriod || p%time.Minute != 0 && !slices.Contains(shortPeriods, p) {
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

// MuteCloudWatch keeps the hypervisor from telling CloudWatch what instances use. They run on, and nobody knows what it is
// in that time.
type MuteCloudWatch struct{}

// Name implements [Fault].
func (MuteCloudWatch) Name() string { return "mute-cloudwatch" }
