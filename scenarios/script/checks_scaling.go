package script

import (
	"math"
	"regexp"
	"strings"
	"time"

	"throughline/scenarios/autoscale"
)

// defaultAstray is the share of decisions that a metric may lead astray where nobody says it.
const defaultAstray = 0.05

// AnyNumber is a [Scaling.Overshoot] or [Scaling.Flaps] that the scenario does not limit.
const AnyNumber = -1

// Scaling promises that the autoscaler decided what its metric said, that the metric said what is true, and that the fleet
// was there in time.
type Scaling struct {
	Astray    float64       // the largest share of decisions that may be others than the truth would have brought about
	Within    time.Duration // how soon after it is needed a number of instances must serve; 0: whenever
	Overshoot int           // how many instances there may be beyond the most that were needed; AnyNumber
	Flaps     int           // how often more than without any lag what is wanted may turn round; AnyNumber
	Cost      float64       // at most so many instance-seconds for one of a fleet without any lag; 0: any
	Still     bool          // the fleet is to stay as it is: that nothing was changed proves something
}

// Kind implements [Promise].
func (Scaling) Kind() string { return "scaling" }

// Metrics implements [Promise].
func (Scaling) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Scaling) Late() time.Duration { return 0 }

func (p *promises) scaling(v value) Scaling {
	c := Scaling{Astray: defaultAstray, Overshoot: AnyNumber, Flaps: AnyNumber}
	m, ok := v.options("astray", "within", "overshoot", "flaps", "cost", "still")
	if !ok {
		return c
	}
	if v, ok := m.get("astray"); ok {
		c.Astray = v.number(0, 1, "a share of the decisions from 0 to 1, like 0.05")
	}
	c.Within = m.duration("within", shortest, 0)
	if v, ok := m.get("overshoot"); ok {
		c.Overshoot = v.instances(0)
	}
	if v, ok := m.get("flaps"); ok {
		c.Flaps = v.count(0, 1_000_000)
	}
	if v, ok := m.get("cost"); ok {
		c.Cost = v.number(1, 1000, "a number from 1, like 1.3")
	}
	c.Still = m.yes("still")
	if p.opts.Ran {
		return c // the judge says what it cannot judge
	}
	if p.s.Autoscale == nil {
		v.failf("there is no autoscaler whose decisions could be judged: add autoscale, or remove the check")
		return c
	}
	if v, ok := m.get("within"); ok && p.sound && c.Within > 0 {
		p.attainable(v, c.Within)
	}
	return c
}

// attainable refuses a time in which the policy cannot follow the load, were its metric never late.
func (p *promises) attainable(v value, within time.Duration) {
	share, known := p.counted(p.s.Autoscale.On)
	if !known {
		return
	}
	policy := p.s.Autoscale.Policy
	least, from, to := time.Duration(0), 0, 0
	for _, step := range p.s.rises(policy, share, within) {
		if takes := policy.Soonest(step[0], step[1]); takes > least {
			least, from, to = takes, step[0], step[1]
		}
	}
	switch {
	case least <= within:
	case least == autoscale.Never:
		v.failf("the load calls for %d instances, and autoscale never comes from %d to so many: change autoscale.up or the load", to, from)
	default:
		v.failf("%s is less than autoscale takes from %d instances to the %d that the load calls for, which is %s with a metric that is never late: "+
			"allow for more, or change autoscale.up", show(within), from, to, show(least))
	}
}

// plainRate is an expression whose value is requests per second: the rate of one counter, of all instances or of each.
var plainRate = regexp.MustCompile(`^(?:sum(?:by\(instance\))?\()?rate\(([A-Za-z_:][A-Za-z0-9_:]*)\[[0-9a-z]+\]\)\)?$`)

// counted is the share of all requests that an expression counts; known is false where that cannot be read off it.
func (p *promises) counted(expr string) (share float64, known bool) {
	all := 0
	for _, weight := range p.s.Load.Mix {
		all += weight
	}
	for metric, route := range p.routes {
		if all > 0 && route != "" && isRateOf(expr, metric) {
			return float64(p.s.Load.Mix[route]) / float64(all), true
		}
	}
	return 0, false
}

// isRateOf tells whether an expression is plainly the rate of a metric, which is named as instances send it.
func isRateOf(expr string, metric Metric) bool {
	name := plainRate.FindStringSubmatch(strings.Join(strings.Fields(expr), ""))
	return name != nil && strings.NewReplacer(".", "_", "-", "_").Replace(string(metric))+"_total" == name[1]
}

// ScaledBy gives the route whose requests per second the autoscaler's expression tells, "" for all; ok is false where there is
// no autoscaler, or that cannot be read off its expression and the conservation checks.
func (s Scenario) ScaledBy() (route string, ok bool) {
	if s.Autoscale == nil {
		return "", false
	}
	for _, c := range Promised[Conservation](s) {
		if isRateOf(s.Autoscale.On, c.Metric) {
			return c.Route, true
		}
	}
	return "", false
}

// rises are from how many instances to how many the load calls for, at each rise that lasts for so long. Of the instances
// that are there before, the most that there can be are taken, and of those that are needed the least that the tolerance
// allows.
func (s Scenario) rises(policy autoscale.Policy, share float64, lasting time.Duration) (all [][2]int) {
	calls := func(rate float64) int { return policy.Needed(share * rate / (1 + policy.Tolerance)) }
	rise := func(from, to int) {
		if to > from {
			all = append(all, [2]int{from, to})
		}
	}
	l, before := s.Load, s.Stack.Web.Instances
	switch l.Shape {
	case Steps:
		for i, level := range l.Levels {
			if last := i == len(l.Levels)-1; last || level.For >= lasting {
				rise(before, calls(level.Rate))
			}
			if n := policy.Needed(share * level.Rate); n > before || policy.Soonest(before, n) <= level.For {
				before = n
			}
		}
	case Constant:
		rise(before, calls(l.Rate))
	default: // it comes gradually, one instance after the other
		least, most := l.Rate, l.Peak()
		if l.Shape == Sine {
			least = l.Rate - l.Swing
		}
		for n := calls(math.Max(0, least)); n < calls(most); n++ {
			rise(n, n+1)
		}
	}
	return all
}
