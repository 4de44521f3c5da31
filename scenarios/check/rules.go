package check

import (
	"cmp"
	"fmt"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/scaling"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Check is one rule. Rules share the evidence, because indexing a million
// requests once per rule would take longer than judging them.
type Check interface {
	// Judge adds what it found; at least one finding, also when all is well.
	Judge(e *evidence.Index) verdict.Result
}

// rule is a Check without settings.
type rule func(*evidence.Index) []verdict.Finding

func (r rule) Judge(e *evidence.Index) verdict.Result { return verdict.Result{Findings: r(e)} }

// namedCheck is a check with the name that its crash is reported under.
type namedCheck struct {
	name  string
	check Check
}

// checksOf gives the rules for a scenario where these are the tiers: those that always
// run, and then its own.
func checksOf(s script.Scenario, all record.Tiers) []namedCheck {
	out := []namedCheck{
		{honesty.CheckRecord, honesty.WholeRecord{}},
		{honesty.CheckHarness, rule(honesty.Harness)},
		{honesty.CheckTime, rule(honesty.Clocks)},
		{tiers.CheckHops, rule(tiers.Hops)},
		{honesty.CheckEfficacy, rule(honesty.Efficacy)},
		{honesty.CheckRequire, rule(honesty.Requirements)},
		{honesty.CheckVacuity, rule(honesty.InstancesServed)},
	}
	if s.Stack.External == nil { // else there is no log by which to follow them
		// HAProxy's retry-on is conn-failure in every stack.
		out = append(out, namedCheck{tiers.CheckRequests, tiers.Requests{Resends: s.Stack.RetryAll}})
	}
	conserved := false
	for _, c := range s.Checks {
		out = append(out, namedCheck{c.Kind(), clearly{c.Promise, ruleFor(c, s)}})
		if _, conserves := c.Promise.(script.Conservation); conserves && !conserved {
			conserved = true
			for _, compared := range tiers.Comparisons(all) {
				out = append(out, namedCheck{tiers.CheckConservation, compared})
			}
		}
	}
	return out
}

// clearly is a rule that is asked only where it is clear which series its promise is about: one that looks at none finds nothing
// wrong, and one that looks at the same thing twice finds twice as much.
type clearly struct {
	promise script.Promise
	rule    Check
}

func (c clearly) Judge(e *evidence.Index) verdict.Result {
	of, unclear := c.promise.Metrics(), e.Unclear
	switch p := c.promise.(type) {
	case script.Correlation:
		of = []script.Metric{p.Metric}
	case script.Parity:
		unclear = e.UnclearIfUnseen
	}
	for _, m := range of {
		if why := unclear(m); why != "" {
			return verdict.Result{Findings: []verdict.Finding{{Check: c.promise.Kind(), Layer: record.LayerWeb, Outcome: verdict.Inconclusive,
				Summary: fmt.Sprintf("%s of %s: not judged, %s", c.promise.Kind(), m, why)}}}
		}
	}
	return c.rule.Judge(e)
}

// ruleMaker makes the rule of one kind of check.
type ruleMaker struct {
	kind string // as the language has it
	make func(script.Promise, script.Scenario) Check
}

// ruleOf makes the rule of one type of promise.
func ruleOf[P script.Promise](build func(P, script.Scenario) Check) ruleMaker {
	var zero P
	return ruleMaker{zero.Kind(), func(p script.Promise, s script.Scenario) Check { return build(p.(P), s) }}
}

// ruleMakers make the rules of all kinds of checks that the language has.
var ruleMakers = []ruleMaker{
	ruleOf(func(p script.Conservation, _ script.Scenario) Check { return tiers.Conservation{Promise: p} }),
	ruleOf(func(p script.Continuity, s script.Scenario) Check {
		if p.Source != "" {
			return signals.Periods{Promise: p}
		}
		return signals.Continuity{Promise: p, Window: s.HeldFor(cmp.Or(p.Role, s.Stack.OwnerOf(p.Route)), p.Metric), Rate: rateOf(s, p.Metric)}
	}),
	ruleOf(func(p script.Correlation, s script.Scenario) Check {
		return signals.Correlation{Promise: p, Window: s.HeldFor(s.Stack.OwnerOf(routeOf(s, p.Metric)), p.Metric), Rate: rateOf(s, p.Metric), Route: routeOf(s, p.Metric)}
	}),
	ruleOf(func(p script.PromQL, _ script.Scenario) Check { return signals.PromQL{Promise: p} }),
	ruleOf(func(p script.Identity, s script.Scenario) Check {
		return signals.Identity{Promise: p, Window: s.HeldFor(s.Stack.OwnerOf(p.Route), p.Metric), Rate: rateOf(s, p.Metric)}
	}),
	ruleOf(func(p script.Nesting, s script.Scenario) Check {
		p.ClientWindow += s.Stack.Agent.Late()
		return tiers.Nesting{Promise: p}
	}),
	ruleOf(func(p script.Gauge, s script.Scenario) Check {
		p.ClientWindow += s.Stack.Agent.Late()
		return signals.Gauge{Promise: p}
	}),
	ruleOf(func(p script.Shutdown, s script.Scenario) Check {
		return signals.Shutdown{Promise: p, Rate: rateOf(s, p.Metric), Confidence: confidenceOf(s, p.Metric)}
	}),
	ruleOf(func(p script.Hygiene, _ script.Scenario) Check { return signals.Hygiene{Promise: p} }),
	ruleOf(func(p script.Alert, s script.Scenario) Check { return signals.Alert{Promise: p, Scenario: s} }),
	ruleOf(func(p script.Audit, _ script.Scenario) Check { return tiers.Audit{Promise: p} }),
	ruleOf(func(p script.Failures, _ script.Scenario) Check { return tiers.Failures{Promise: p} }),
	ruleOf(func(p script.BeaconsSent, _ script.Scenario) Check { return tiers.Beacons{Promise: p} }),
	ruleOf(func(p script.TwoViews, s script.Scenario) Check {
		if p.Agent != "" {
			p.ClientWindow += s.Stack.Agent.Late()
			return signals.TwoSources{Promise: p}
		}
		return signals.TwoViews{Promise: p}
	}),
	ruleOf(func(p script.Scaling, _ script.Scenario) Check { return scaling.Scaling{Promise: p} }),
	ruleOf(func(p script.Parity, s script.Scenario) Check {
		c := signals.Parity{Promise: p}
		for _, m := range p.Of {
			c.Rates = append(c.Rates, rateOf(s, m))
		}
		return c
	}),
	ruleOf(func(p script.Latency, _ script.Scenario) Check { return tiers.Latency{Promise: p} }),
	ruleOf(func(p script.Availability, _ script.Scenario) Check { return tiers.Availability{Promise: p} }),
}

// Kinds names the kinds of checks that can be judged: all of the language's.
func Kinds() []string {
	var names []string
	for _, m := range ruleMakers {
		names = append(names, m.kind)
	}
	return names
}

// ruleFor gives the rule that a scenario asks for.
func ruleFor(c script.Check, s script.Scenario) Check {
	for _, m := range ruleMakers {
		if m.kind == c.Kind() {
			return m.make(c.Promise, s)
		}
	}
	return rule(unknownCheck(c))
}

// rateOf is the sample rate of a metric, where the scenario says it.
func rateOf(s script.Scenario, metric script.Metric) float64 {
	for _, c := range script.Promised[script.Conservation](s) {
		if c.Metric == metric {
			return c.SampleRate
		}
	}
	return 1
}

// confidenceOf is how sure the interval of a sampled metric must be, where the
// scenario says it.
func confidenceOf(s script.Scenario, metric script.Metric) float64 {
	for _, c := range script.Promised[script.Conservation](s) {
		if c.Metric == metric {
			return c.Confidence
		}
	}
	return 1
}

// routeOf is whose requests a metric counts, where the scenario says it, and
// names but one.
func routeOf(s script.Scenario, metric script.Metric) (route string) {
	for _, c := range script.Promised[script.Conservation](s) {
		if c.Metric != metric {
			continue
		}
		if route != "" && route != c.Route {
			return ""
		}
		route = c.Route
	}
	return route
}

// unknownCheck is for a check that the language has and this package has not.
func unknownCheck(c script.Check) rule {
	return func(*evidence.Index) []verdict.Finding {
		return []verdict.Finding{{Check: c.Kind(), Summary: fmt.Sprintf("%s: this version cannot judge the check %s", c.Pos, c.Kind())}}
	}
}
