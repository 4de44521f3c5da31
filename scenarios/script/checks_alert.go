package script

import (
	"slices"
	"time"
)

// End is the [Deadline.In] that stands for the end of the last phase.
const End = ""

// Alert promises that an alerting rule fires when it should and is silent when it should be. Fires is set, or Silent is
// not empty, or both. The rule is Expr and For, or one of File.
type Alert struct {
	// File is a file of alerting rules in Prometheus' format, by its path from the scenario's; "": the rule is here. It is
	// [Scenario.Rules] that has what is in it.
	File   string
	Name   string // "", with a File: all of its alerts
	Expr   string
	For    time.Duration // how long the expression must have had a result
	Fires  *Deadline
	Clears *Deadline // nil: it need not; In may be End
	Silent []string  // phases in which it must not fire; WholeRun

	NeverSeen bool // Expr may ask for series that never were
}

// Kind implements [Promise].
func (Alert) Kind() string { return "alert" }

// Metrics implements [Promise].
func (Alert) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Alert) Late() time.Duration { return 0 }

func (p *promises) alert(v value) Alert {
	a := Alert{}
	m, ok := v.mapping("file", "name", "expr", "for", "fires", "clears", "silent", "never_seen")
	if !ok {
		return a
	}
	if v, ok := m.get("file"); ok {
		a.File = v.line("a file of alerting rules, like alerts.yml")
		for _, key := range []string{"expr", "for"} {
			if v, ok := m.get(key); ok {
				v.failf("the rule in the file has its own: leave out file or %s", key)
			}
		}
	} else {
		m.require("name", "expr")
	}
	if v, ok := m.get("name"); ok && a.File != "" {
		a.Name = v.line("the name of an alert in the file, like WebDown")
	} else if ok {
		a.Name = v.matching(scenarioName, "a name of at most 64 letters, digits, '-', '_' and '.', like WebDown")
	}
	if v, ok := m.get("expr"); ok {
		a.Expr = v.filled("a PromQL expression, like count(rate(fullstack_insert_total[2s]) > 0) < 3")
	}
	a.For = m.duration("for", 0, 0)
	a.NeverSeen = m.yes("never_seen")
	fires, firing := m.get("fires")
	if firing {
		a.Fires = p.deadline(fires, true)
	}
	clears, clearing := m.get("clears")
	if clearing {
		a.Clears = p.deadline(clears, false)
	}
	silent, quiet := m.get("silent")
	if quiet {
		a.Silent = p.silent(silent, a)
	}
	switch {
	case clearing && !firing:
		clears.failf("there is no fires: only an alert that fires can clear")
	case !firing && !quiet:
		m.failf("the key \"fires\" or \"silent\" is missing: want when the alert must fire, or the phases in which it must not")
	}
	if a.Clears != nil && a.Clears.In == "" && a.Fires != nil {
		a.Clears.In = p.after(a.Fires.In)
	}
	return a
}

// RuleFiles names the files of alerting rules that the checks are about, each once, in the order of the file.
func (s Scenario) RuleFiles() []string {
	var all []string
	for _, a := range Promised[Alert](s) {
		if a.File != "" && !slices.Contains(all, a.File) {
			all = append(all, a.File)
		}
	}
	return all
}

// Deadline is a time after the beginning of a phase.
type Deadline struct {
	In     string
	Within time.Duration
}

// deadline reads a phase and how long after its beginning something must have happened.
func (p *promises) deadline(v value, inPhase bool) *Deadline {
	d := &Deadline{}
	m, ok := v.mapping("in", "within")
	if !ok {
		return d
	}
	m.require("within")
	if inPhase {
		m.require("in")
	}
	if v, ok := m.get("in"); ok {
		if d.In = p.span(v); d.In == WholeRun {
			v.failf("want one phase, not the whole run")
		}
	}
	d.Within = m.duration("within", shortest, 0)
	return d
}

// after is the phase that follows, or End.
func (p *promises) after(phase string) string {
	for i, x := range p.s.Phases {
		if x.Name == phase && i+1 < len(p.s.Phases) {
			return p.s.Phases[i+1].Name
		}
	}
	return End
}

func (p *promises) silent(v value, a Alert) []string {
	var phases []string
	for _, item := range v.list("a list of phases, like [warm-up]", v.name) {
		name := p.span(item)
		if name != "" && a.Fires != nil && (name == a.Fires.In || name == WholeRun) {
			item.failf("the alert must fire then: want other phases")
		}
		phases = append(phases, name)
	}
	return phases
}
