package series

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Rule is an alerting rule of a file as Prometheus has them.
// Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
type Rule struct {
	Group         string
	Name          string        // the alert's
	Expr          string        // PromQL
	For           time.Duration // how long an element must have been there until it fires
	KeepFiringFor time.Duration // how long it goes on firing once the element is gone
	// Labels, those of the group among them, and Annotations may hold templates.
	Labels, Annotations map[string]string
	// Recorded is a series for which the rule asks and which only a recording rule of the same file makes;
	// "": there is none. Recording rules are not evaluated here, so that such a rule cannot be played.
	Recorded string
}

// MaxRuleFile is how large a file of rules may be, in bytes.
const MaxRuleFile = 256 << 10

// ParseRules reads the alerting rules of a file, in its order. Prometheus' own reader says what is wrong with it, all of
// it, as file:line:column. What Prometheus understands and is not done here is refused as well: an interval, a
// limit or an offset of a group, because rules are evaluated at every interval of the collector. Recording rules are passed
// over; see Rule.Recorded.
func ParseRules(file string, source []byte) ([]Rule, error) {
	if len(source) > MaxRuleFile {
		return nil, fmt.Errorf("%s: has more than %d bytes; split it", file, MaxRuleFile)
	}
	groups, errs := rulefmt.Parse(source, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", file, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	recorded := map[string]bool{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				recorded[r.Record] = true
			}
		}
	}
	var all []Rule
	for _, g := range groups.Groups {
		if why := notDone(g); why != "" {
			errs = append(errs, fmt.Errorf("%s: group %q: %s: rules are evaluated here at every interval of the collector; take it out", file, g.Name, why))
		}
		for _, r := range g.Rules {
			if r.Alert != "" {
				all = append(all, ruleOf(g, r, recorded))
			}
		}
	}
	if len(all) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s: has no alerting rule; want groups: [{name: …, rules: [{alert: …, expr: …}]}]", file))
	}
	return all, errors.Join(errs...)
}

// notDone is what a group asks for that is not done here; "" if nothing.
func notDone(g rulefmt.RuleGroup) string {
	switch {
	case g.Interval != 0:
		return "interval: " + g.Interval.String()
	case g.Limit != 0:
		return fmt.Sprintf("limit: %d", g.Limit)
	case g.QueryOffset != nil && *g.QueryOffset != 0:
		return "query_offset: " + g.QueryOffset.String()
	}
	return ""
}

func ruleOf(g rulefmt.RuleGroup, r rulefmt.Rule, recorded map[string]bool) Rule {
	labels := maps.Clone(g.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, r.Labels)
	out := Rule{Group: g.Name, Name: r.Alert, Expr: r.Expr, For: time.Duration(r.For), KeepFiringFor: time.Duration(r.KeepFiringFor),
		Labels: labels, Annotations: r.Annotations}
	selectors, err := Selectors(r.Expr)
	if err != nil {
		return out // never: it was parsed before
	}
	for _, s := range selectors {
		for _, name := range slices.Sorted(maps.Keys(recorded)) {
			if s.Name() == name {
				out.Recorded = name
			}
		}
	}
	return out
}
