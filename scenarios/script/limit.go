package script

import (
	"fmt"
	"slices"
	"time"
)

// The numbers of CPUs that an instance can be limited to. Less than MinCPUs no kernel takes.
const (
	MinCPUs = 0.01
	MaxCPUs = 1000
)

// Limit gives an instance less CPU, or all again.
type Limit struct {
	Instance string
	CPUs     float64 // how many it may use; 0 lifts the limit
}

// Kind implements [Move].
func (Limit) Kind() string { return "limit" }

// String implements [Move].
func (m Limit) String() string { return fmt.Sprintf("%s %s, cpus: %v", m.Kind(), m.Instance, m.CPUs) }

// Target implements [Move].
func (m Limit) Target() string { return m.Instance }

// play notes whose CPU is limited.
func (m Limit) play(f *fleet) error {
	if StandsIn(m.Instance) {
		return fmt.Errorf("%v: a limit is lifted by name: want %s", m, wantInstance)
	}
	if _, err := f.find(m.Instance, m); err != nil {
		return err
	}
	held := slices.Contains(f.held, m.Instance)
	switch {
	case m.CPUs == 0 && !held:
		return fmt.Errorf("%v: it has no limit at that point, so nothing would happen", m)
	case m.CPUs == 0:
		f.held = slices.DeleteFunc(f.held, func(name string) bool { return name == m.Instance })
	case !held:
		f.held = append(f.held, m.Instance)
	}
	return nil
}

func readLimit(what value, m mapping) Limit {
	l := Limit{Instance: what.line(wantInstance)}
	if cpus, given := m.get("cpus"); given {
		l.CPUs = cpus.cores()
	} else {
		m.failf("limit without cpus: want how many it may use, like cpus: 0.2, or cpus: 0 for all again")
	}
	return l
}

// cores reads a number of CPUs, or 0.
func (v value) cores() float64 {
	const want = "a number of CPUs, like 0.2, or 0 for no limit"
	n, plainly, ok := v.decimal(want)
	switch {
	case !ok:
	case !plainly:
		v.failf("want %s, got %s", want, shorten(plain(v.node)))
	case n != 0 && (n < MinCPUs || n > MaxCPUs):
		v.failf("%s is out of range: want %v to %v CPUs, or 0 for no limit", shorten(plain(v.node)), MinCPUs, MaxCPUs)
	default:
		return n
	}
	return 0
}

// The defaults of two-views.
const (
	defaultUsed = 0.8
	defaultIdle = 0.1
)

// TwoViews promises that host and agent disagree about the CPU of an instance that a step limits: the host sees it use up
// what it may and stopped for it, while the agent inside sees a machine with CPU to spare.
//
// With an Agent it promises that they agree: what the agent inside each instance counts of its CPU is what the hypervisor
// counts of it, as CloudWatch tells.
type TwoViews struct {
	Instance string
	Used     float64 // least share of its limit that the host sees it use, in (0, 1]
	Idle     float64 // least share of the machine that the agent sees idle, in (0, 1]

	Agent        Metric        // a counter of CPU time; "" = they shall disagree
	Unit         time.Duration // that it counts
	Every        time.Duration // how often the agent tells
	ClientWindow time.Duration // how long the StatsD client buffers
	Told         CloudWatch    // how CloudWatch tells
}

// Kind implements [Promise].
func (TwoViews) Kind() string { return "two-views" }

// Metrics implements [Promise].
func (c TwoViews) Metrics() []Metric { return []Metric{c.Agent} }

// Late implements [Promise].
func (c TwoViews) Late() time.Duration { return c.Told.late() }

func (p *promises) twoViews(v value) TwoViews {
	c := TwoViews{}
	m, ok := v.mapping("instance", "used", "idle", "agent", "unit", "every", "client_window")
	if !ok {
		return c
	}
	if agent, ok := m.get("agent"); ok {
		return p.compared(m, agent)
	}
	for _, key := range []string{"unit", "every", "client_window"} {
		if v, ok := m.get(key); ok {
			v.failf("there is no agent whose counter is compared: add agent, the name of a counter of CPU time, or remove this")
		}
	}
	m.require("instance")
	c.Used = m.fraction("used", true, defaultUsed)
	c.Idle = m.fraction("idle", true, defaultIdle)
	v, ok = m.get("instance")
	if !ok {
		return c
	}
	if c.Instance = v.line("the name of an instance, like web-2"); c.Instance == "" {
		return c
	}
	for _, phase := range p.s.Phases {
		for _, step := range phase.Do {
			if l, ok := step.Move.(Limit); ok && l.Instance == c.Instance && l.CPUs > 0 {
				return c
			}
		}
	}
	v.failf("no step limits %s, so the two views agree: want do: {limit: %s, cpus: 0.2} or the like in a phase", quote(c.Instance), c.Instance)
	return c
}
