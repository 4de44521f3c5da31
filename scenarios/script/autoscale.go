package script

import (
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"throughline/scenarios/autoscale"
)

// Autoscale is an autoscaler that acts while the load does.
type Autoscale struct {
	autoscale.Policy
	On  string // PromQL, asked of the collector
	Pos Pos
}

// The defaults of an autoscaler, which are Kubernetes'.
// Source: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
const (
	defaultEvery     = 15 * time.Second
	defaultTolerance = 0.1
	defaultDownAfter = 300 * time.Second
	defaultPer       = 15 * time.Second
)

// autoscale reads `autoscale`.
func (r *reader) autoscale(v value, s *Scenario) {
	m, ok := v.mapping("min", "max", "on", "per", "target", "every", "tolerance", "up", "down", "missing", "warm_up", "role")
	if !ok {
		return
	}
	if v, ok := m.get("role"); ok {
		if name := v.line("text"); name != "" && name != FirstRole {
			v.failf("an autoscaler scales the instances of %s alone: remove role, and scale %s by steps", FirstRole, quote(name))
		}
	}
	m.require("max", "on", "per", "target")
	a := &Autoscale{Pos: v.at}
	p := &a.Policy
	p.Min = 1
	if v, ok := m.get("min"); ok {
		p.Min = v.instances(1)
	}
	if v, ok := m.get("max"); ok {
		if p.Max = v.instances(1); p.Max != 0 && p.Max < p.Min {
			v.failf("%d is less than min, which is %d", p.Max, p.Min)
		}
	}
	if v, ok := m.get("on"); ok {
		a.On = v.filled("a PromQL expression, like sum(rate(fullstack_insert_total[5s]))")
	}
	if v, ok := m.get("per"); ok {
		p.Form = v.oneOf(autoscale.Sum, autoscale.Mean)
	}
	if v, ok := m.get("target"); ok {
		p.Target = v.number(0.001, 1e9, "a number above 0, like 60")
	}
	p.Tolerance = defaultTolerance
	if v, ok := m.get("tolerance"); ok {
		p.Tolerance = v.number(0, 1, "a number from 0 to 1, like 0.1")
	}
	p.Every = m.duration("every", 100*time.Millisecond, defaultEvery)
	p.Up = m.pace("up", autoscale.Pace{AtMost: []autoscale.Bound{{Count: 4}, {Percent: 100}}, Per: defaultPer})
	p.Down = m.pace("down", autoscale.Pace{AtMost: []autoscale.Bound{{Percent: 100}}, Per: defaultPer, After: defaultDownAfter})
	p.Missing = autoscale.Hold
	if v, ok := m.get("missing"); ok {
		p.Missing = v.oneOf(autoscale.Hold, autoscale.Zero, autoscale.Ignore)
	}
	p.WarmUp = m.duration("warm_up", 0, 0)
	s.Autoscale = a
}

// pace reads `up` or `down`; what it does not say is as otherwise has it.
func (m mapping) pace(key string, otherwise autoscale.Pace) autoscale.Pace {
	v, ok := m.get(key)
	if !ok {
		return otherwise
	}
	at, ok := v.mapping("at_most", "per", "after")
	if !ok {
		return otherwise
	}
	p := otherwise
	p.Per, p.After = at.duration("per", shortest, otherwise.Per), at.duration("after", 0, otherwise.After)
	if v, ok := at.get("at_most"); ok {
		p.AtMost = v.bounds()
	} else if v, ok := at.get("per"); ok {
		v.failf("says in which time, but not how many: add at_most, like at_most: 2 or at_most: 100%%")
	}
	return p
}

const wantBound = "a number of instances or a share of them, like 2 or 100%"

// bounds reads one bound or a list of them.
func (v value) bounds() []autoscale.Bound {
	items := []value{v}
	if _, several := v.node.(*ast.SequenceNode); several {
		items = v.list(wantBound, v.name)
	}
	var all []autoscale.Bound
	for _, item := range items {
		if _, number := item.node.(*ast.IntegerNode); number {
			all = append(all, autoscale.Bound{Count: item.instances(1)})
			continue
		}
		s := item.line(wantBound)
		percent, is := strings.CutSuffix(s, "%")
		n, err := strconv.Atoi(percent)
		switch {
		case s == "":
		case !is || err != nil || n < 1 || n > 100_000 || strconv.Itoa(n) != percent:
			item.failf("want %s, got %s", wantBound, quote(s))
		default:
			all = append(all, autoscale.Bound{Percent: n})
		}
	}
	return all
}
