package check

import (
	"fmt"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/honesty"
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

// named is a check with the name that its crash is reported under.
type named struct {
	name  string
	check Check
}

// checksOf gives the rules for a scenario where these are the tiers: those that always
// run, and then its own.
func checksOf(s script.Scenario, all record.Tiers) []named {
	out := []named{
		{honesty.CheckRecord, honesty.WholeRecord{}},
		{honesty.CheckHarness, rule(honesty.Harness)},
		{honesty.CheckTime, rule(honesty.Clocks)},
		{tiers.CheckHops, rule(tiers.Hops)},
		{honesty.CheckEfficacy, rule(honesty.Efficacy)},
		{honesty.CheckRequire, rule(honesty.Requirements)},
		{honesty.CheckVacuity, rule(honesty.InstancesServed)},
		// HAProxy's retry-on is conn-failure in every stack.
		{tiers.CheckRequests, tiers.Requests{Resends: s.Stack.RetryAll}},
	}
	conserved := false
	for _, c := range s.Checks {
		out = append(out, named{c.Name, checkOf(c, s)})
		if c.Conservation != nil && !conserved {
			conserved = true
			for _, compared := range tiers.Comparisons(all) {
				out = append(out, named{tiers.CheckConservation, compared})
			}
		}
	}
	return out
}

// checkOf gives the rule that a scenario asks for.
func checkOf(c script.Check, s script.Scenario) Check {
	switch {
	case c.Conservation != nil:
		return tiers.Conservation{Rule: *c.Conservation}
	case c.Continuity != nil:
		return signals.Continuity{Rule: *c.Continuity, Window: windowOf(s, c.Continuity.Metric), Rate: rateOf(s, c.Continuity.Metric)}
	case c.Correlation != nil:
		metric := c.Correlation.Metric
		return signals.Correlation{Rule: *c.Correlation, Window: windowOf(s, metric), Rate: rateOf(s, metric), Route: routeOf(s, metric)}
	case c.PromQL != nil:
		return signals.PromQL{Rule: *c.PromQL}
	case c.Identity != nil:
		return signals.Identity{Rule: *c.Identity, Window: windowOf(s, c.Identity.Metric), Rate: rateOf(s, c.Identity.Metric)}
	case c.Nesting != nil:
		return tiers.Nesting{Rule: *c.Nesting}
	case c.Gauge != nil:
		return signals.Gauge{Rule: *c.Gauge}
	case c.Shutdown != nil:
		return signals.Shutdown{Rule: *c.Shutdown, Rate: rateOf(s, c.Shutdown.Metric), Confidence: confidenceOf(s, c.Shutdown.Metric)}
	case c.Hygiene != nil:
		return signals.Hygiene{Rule: *c.Hygiene}
	case c.Alert != nil:
		return signals.Alert{Rule: *c.Alert}
	case c.Audit != nil:
		return tiers.Audit{Rule: *c.Audit}
	case c.Failures != nil:
		return tiers.Failures{Rule: *c.Failures}
	case c.TwoViews != nil:
		return signals.TwoViews{Rule: *c.TwoViews}
	}
	return rule(unknownCheck(c))
}

// windowOf is how long the client of a metric buffers, where the scenario says
// it.
func windowOf(s script.Scenario, metric string) (window time.Duration) {
	window = signals.DefaultWindow
	for _, c := range s.Checks {
		if c.Conservation != nil && c.Conservation.Metric == metric {
			window = c.Conservation.ClientWindow
		}
	}
	return window
}

// rateOf is the sample rate of a metric, where the scenario says it.
func rateOf(s script.Scenario, metric string) float64 {
	for _, c := range s.Checks {
		if c.Conservation != nil && c.Conservation.Metric == metric {
			return c.Conservation.SampleRate
		}
	}
	return 1
}

// confidenceOf is how sure the interval of a sampled metric must be, where the
// scenario says it.
func confidenceOf(s script.Scenario, metric string) float64 {
	for _, c := range s.Checks {
		if c.Conservation != nil && c.Conservation.Metric == metric {
			return c.Conservation.Confidence
		}
	}
	return 1
}

// routeOf is whose requests a metric counts, where the scenario says it, and
// names but one.
func routeOf(s script.Scenario, metric string) (route string) {
	for _, c := range s.Checks {
		if c.Conservation == nil || c.Conservation.Metric != metric {
			continue
		}
		if route != "" && route != c.Conservation.Route {
			return ""
		}
		route = c.Conservation.Route
	}
	return route
}

// unknownCheck is for a check that the language has and this package has not.
func unknownCheck(c script.Check) rule {
	return func(*evidence.Index) []verdict.Finding {
		return []verdict.Finding{{Check: c.Name, Summary: fmt.Sprintf("%s: this version cannot judge the check %s", c.Pos, c.Name)}}
	}
}
