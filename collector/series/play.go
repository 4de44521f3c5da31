package series

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"

	"throughline/collector"
)

// Played is what a rule did at some moments.
type Played struct {
	Pending []bool  // at each moment: some alert is pending or firing
	Firing  []bool  // at each moment: some alert fires
	Alerts  []Alert // that there were, in the order of their beginnings
	// Notes is what Prometheus warns of, as in Answer.
	Notes []string
}

// Alert is one alert of a rule, from when the expression had its element on. Several stretches of one set of
// labels are several alerts.
type Alert struct {
	Labels collector.Labels // of the element and of the rule, expanded; with alertname
	// Annotations are expanded, as they were when it began to fire, or was pending last.
	Annotations map[string]string
	Value       float64   // of the element, at the same moment
	Pending     time.Time // when it was there first
	Firing      time.Time // when it began to fire; zero: it never did
	Ended       time.Time // when it was gone; zero: it was there at the last moment
}

// Play evaluates a rule at some moments, which are multiples of step apart, as Prometheus does, and tells which alerts
// were pending and firing, with labels and annotations expanded by Prometheus' own templates, whose function query
// asks this store.
func (s *Store) Play(ctx context.Context, r Rule, moments []time.Time, step time.Duration) (Played, error) {
	p := Played{Pending: make([]bool, len(moments)), Firing: make([]bool, len(moments))}
	if r.Recorded != "" {
		return p, fmt.Errorf("it asks for %s, which a recording rule of the file makes: those are not evaluated here; write what that rule has into the alert", r.Recorded)
	}
	if len(moments) == 0 {
		return p, nil
	}
	ctx, release, err := s.use(ctx)
	if err != nil {
		return p, fmt.Errorf("rule %s: %w", quote(r.Expr), err)
	}
	defer release()
	results, notes, err := s.elements(ctx, r.Expr, moments, step)
	if err != nil {
		return p, fmt.Errorf("rule %s: %w", quote(r.Expr), err)
	}
	p.Notes = notes
	var state ruleState
	for k, at := range moments {
		there, err := s.alerts(ctx, r, results[at.UnixMilli()], at)
		if err != nil {
			return p, fmt.Errorf("rule %s: %w", quote(r.Expr), err)
		}
		state.step(r, &p, k, at, there)
	}
	return p, nil
}

// elements evaluates an expression at all moments: the elements of its result, by milliseconds since 1970.
func (s *Store) elements(ctx context.Context, expr string, moments []time.Time, step time.Duration) (map[int64]promql.Vector, []string, error) {
	query, err := s.plan(ctx, expr, nil, moments[0], moments[len(moments)-1], max(step, time.Millisecond))
	if err != nil {
		return nil, nil, err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return nil, nil, allowanceOf(ctx).advised(result.Err)
	}
	matrix, is := result.Value.(promql.Matrix)
	if !is {
		return nil, nil, fmt.Errorf("gives a %s, not numbers", result.Value.Type())
	}
	at := map[int64]promql.Vector{}
	for _, series := range matrix {
		for _, p := range series.Floats {
			at[p.T] = append(at[p.T], promql.Sample{T: p.T, F: p.F, Metric: series.Metric})
		}
		for _, p := range series.Histograms {
			at[p.T] = append(at[p.T], promql.Sample{T: p.T, H: p.H.Copy(), Metric: series.Metric})
		}
	}
	warnings, infos := result.Warnings.AsStrings(expr, 0, 0)
	return at, append(warnings, infos...), nil
}

// instant answers what a template asks. The store is in use by whoever plays.
func (s *Store) instant(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	query, err := s.plan(ctx, expr, nil, at, at, 0)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return nil, allowanceOf(ctx).advised(result.Err)
	}
	switch v := result.Value.(type) {
	case promql.Vector:
		return slices.Clone(v), nil
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V, Metric: labels.EmptyLabels()}}, nil
	}
	return nil, errors.New("want a vector or a scalar")
}

// element is an alert as one evaluation has it, by its labels.
type element struct {
	key         string
	labels      collector.Labels
	annotations map[string]string
	value       float64
}

// alerts makes alerts of the elements of a result: it drops the name of the series, and adds the labels and annotations of the
// rule, expanded.
func (s *Store) alerts(ctx context.Context, r Rule, elements promql.Vector, at time.Time) ([]element, error) {
	var all []element
	for _, sample := range elements {
		data := template.AlertTemplateData(sample.Metric.Map(), nil, "", sample)
		expand := func(text string) string {
			if !strings.Contains(text, "{{") {
				return text
			}
			expander := template.NewTemplateExpander(ctx, templateNames+text, "__alert_"+r.Name, data, model.TimeFromUnixNano(at.UnixNano()), s.instant, &url.URL{}, nil)
			out, err := expander.Expand()
			if err != nil {
				return brokenTemplate + err.Error() + ">"
			}
			return out
		}
		b := labels.NewBuilder(sample.Metric)
		b.Del(model.MetricNameLabel)
		for name, text := range r.Labels {
			b.Set(name, expand(text))
		}
		b.Set(model.AlertNameLabel, r.Name)
		one := element{labels: allLabels(b.Labels()), annotations: map[string]string{}, value: sample.F}
		one.key = one.labels.Key("")
		for name, text := range r.Annotations {
			one.annotations[name] = expand(text)
		}
		if slices.ContainsFunc(all, func(o element) bool { return o.key == one.key }) {
			return nil, fmt.Errorf("two elements of its result have the same labels once those of the alert are set: %s", b.Labels())
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b element) int { return strings.Compare(a.key, b.key) })
	return all, nil
}

// templateNames are the variables that Prometheus gives to templates of rules.
const templateNames = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// brokenTemplate begins what stands for a text that could not be expanded, as in Prometheus.
const brokenTemplate = "<error expanding template: "

// ruleState is which alerts of a rule there are.
type ruleState struct {
	open  map[string]int       // places in Played.Alerts, by labels
	quiet map[string]time.Time // since when the elements of those that fire on are gone
}

// step goes on to moment k, as Prometheus does: an alert is pending at first, and fires when it has been there for the
// time that the rule wants; one that is gone is no longer pending, and goes on firing for as long as the rule wants.
// Source: https://github.com/prometheus/prometheus/blob/v3.13.0/rules/alerting.go
func (s *ruleState) step(r Rule, p *Played, k int, at time.Time, there []element) {
	if s.open == nil {
		s.open, s.quiet = map[string]int{}, map[string]time.Time{}
	}
	now := map[string]bool{}
	for _, e := range there {
		now[e.key] = true
		delete(s.quiet, e.key)
		n, known := s.open[e.key]
		if !known {
			n = len(p.Alerts)
			s.open[e.key] = n
			p.Alerts = append(p.Alerts, Alert{Labels: e.labels, Pending: at})
		}
		one := &p.Alerts[n]
		p.Pending[k] = true
		if one.Firing.IsZero() {
			one.Annotations, one.Value = e.annotations, e.value
			if at.Sub(one.Pending) >= r.For {
				one.Firing = at
			}
		}
		p.Firing[k] = p.Firing[k] || !one.Firing.IsZero()
	}
	for key, n := range s.open {
		if now[key] {
			continue
		}
		one := &p.Alerts[n]
		since, known := s.quiet[key]
		if !known {
			since = at
			s.quiet[key] = at
		}
		if !one.Firing.IsZero() && at.Sub(since) < r.KeepFiringFor {
			p.Firing[k] = true
			continue
		}
		one.Ended = at
		delete(s.open, key)
		delete(s.quiet, key)
	}
}

// Broken is the complaint in an annotation or label of which Prometheus could not expand the template; "" if it could.
func Broken(text string) string {
	if _, why, found := strings.Cut(text, brokenTemplate); found {
		return strings.TrimSuffix(why, ">")
	}
	return ""
}
