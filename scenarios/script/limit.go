package script

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// The numbers of CPUs that an instance can be limited to. Less than MinCPUs no kernel takes.
const (
	MinCPUs = 0.01
	MaxCPUs = 1000
)

// cpus reads the key that a limit needs and no other step takes.
func (v value) cpus(m mapping, step *Step) {
	cpus, given := m.get("cpus")
	switch {
	case step.Kind == Limit && !given:
		v.failf("limit without cpus: want how many it may use, like cpus: 0.2, or cpus: 0 for all again")
	case step.Kind == Limit:
		step.CPUs = cpus.cores()
	case given && step.Kind != "":
		cpus.failf("%s has no cpus: they belong to limit", step.Kind)
	}
}

// cores reads a number of CPUs, or 0.
func (v value) cores() float64 {
	const want = "a number of CPUs, like 0.2, or 0 for no limit"
	switch v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
	default:
		v.wrong(want)
		return 0
	}
	s := plain(v.node)
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || !decimal.MatchString(s):
		v.failf("want %s, got %s", want, shorten(s))
	case n != 0 && (n < MinCPUs || n > MaxCPUs):
		v.failf("%s is out of range: want %v to %v CPUs, or 0 for no limit", shorten(s), MinCPUs, MaxCPUs)
	default:
		return n
	}
	return 0
}

// limit notes whose CPU is limited.
func (f *fleet) limit(s Step) error {
	if !slices.Contains(f.live, s.Instance) {
		return fmt.Errorf("%v: no such instance at that point (have %s)", s, f.have())
	}
	held := slices.Contains(f.held, s.Instance)
	switch {
	case s.CPUs == 0 && !held:
		return fmt.Errorf("%v: it has no limit at that point, so nothing would happen", s)
	case s.CPUs == 0:
		f.held = slices.DeleteFunc(f.held, func(name string) bool { return name == s.Instance })
	case !held:
		f.held = append(f.held, s.Instance)
	}
	return nil
}

// The defaults of two-views.
const (
	defaultUsed = 0.8
	defaultIdle = 0.1
)

func (p *promises) twoViews(v value) *TwoViews {
	c := &TwoViews{}
	m, ok := v.mapping("instance", "used", "idle")
	if !ok {
		return c
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
			if step.Kind == Limit && step.Instance == c.Instance && step.CPUs > 0 {
				return c
			}
		}
	}
	v.failf("no step limits %s, so the two views agree: want do: {limit: %s, cpus: 0.2} or the like in a phase", quote(c.Instance), c.Instance)
	return c
}
