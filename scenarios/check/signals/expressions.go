package signals

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/script"
)

// ValidateExprs tells which PromQL expression of a scenario cannot be judged.
// The scenario language does not know PromQL, so that this is asked before a
// run, and again before a record is judged.
func ValidateExprs(s script.Scenario) error {
	for _, c := range s.Checks {
		var err error
		switch p := c.Promise.(type) {
		case script.PromQL:
			err = validPromQL(p, s)
		case script.Alert:
			err = validAlert(p, s)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Pos, err)
		}
	}
	if a := s.Autoscale; a != nil {
		if err := validMetric(*a, s); err != nil {
			return fmt.Errorf("%s: autoscale.on: %s: %w", a.Pos, quoteExpr(a.On), err)
		}
	}
	return nil
}

// validMetric tells why an autoscaler cannot decide by its expression. How many series that has shows only in a run.
func validMetric(a script.Autoscale, s script.Scenario) error {
	gives, err := series.TypeOf(a.On)
	switch {
	case err != nil:
		return err
	case gives != series.Vector && gives != series.Scalar:
		return fmt.Errorf("gives a %s: want an instant vector, like sum(rate(…[5s]))", gives)
	case gives == series.Scalar && a.Form == autoscale.Mean:
		return errors.New("gives a scalar: per: mean wants a series for each instance, like sum by (instance) (rate(…[5s]))")
	}
	return series.CheckExpr(a.On, planned(s, script.WholeRun), usualInterval)
}

func validPromQL(p script.PromQL, s script.Scenario) error {
	_, err := kindOf(p.Expr)
	if err == nil {
		err = affordable(p.Expr, planned(s, p.Throughout+p.Within))
	}
	if err != nil {
		return fmt.Errorf("promql: %w", err)
	}
	return nil
}

func validAlert(p script.Alert, s script.Scenario) error {
	rules, err := RulesOf(p, s)
	if err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	for _, r := range rules {
		if err := validRule(r, s); err != nil {
			if p.File != "" {
				return fmt.Errorf("alert: %s: %s: %w", p.File, r.Name, err)
			}
			return fmt.Errorf("alert %s: %w", r.Name, err)
		}
	}
	return nil
}

func validRule(r series.Rule, s script.Scenario) error {
	if r.Recorded != "" {
		return fmt.Errorf("asks for %s, which a recording rule of the file makes: those are not evaluated here; write its expression into the alert", r.Recorded)
	}
	kind, err := kindOf(r.Expr)
	if err == nil {
		err = affordable(r.Expr, planned(s, script.WholeRun))
	}
	if err != nil {
		return err
	}
	if kind == truth {
		return fmt.Errorf("%s: an alert fires for each element of a vector, also for one whose value is 0; compare a vector, without bool", quoteExpr(r.Expr))
	}
	return nil
}

// planned is how long a phase, or all together, is to last. It may take longer.
func planned(s script.Scenario, phase string) (long time.Duration) {
	for _, p := range s.Phases {
		if p.Name == phase || phase == script.WholeRun {
			long += p.For
		}
	}
	return long
}

// affordable tells whether an expression can be evaluated at all interval ends
// of so long a time. How long it is really, the store looks at again.
func affordable(expr string, long time.Duration) error {
	if err := series.CheckExpr(expr, long, usualInterval); err != nil {
		return fmt.Errorf("%s: %w", quoteExpr(expr), err)
	}
	return nil
}

// usualInterval is how often an expression is evaluated where no record says it.
const usualInterval = time.Second

// quoteExpr writes an expression for an error, which is no place for a long one.
func quoteExpr(expr string) string {
	const most = 200
	if len(expr) <= most {
		return strconv.Quote(expr)
	}
	return strconv.Quote(strings.ToValidUTF8(expr[:most], "")) + "…"
}

// exprKind is what an expression's value is, and so when it holds.
type exprKind int

const (
	filter exprKind = iota // a vector: it holds when it has an element
	truth                  // a scalar or a vector of 0 and 1: it holds when one is not 0
)

var (
	quoted       = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`")
	boolModifier = regexp.MustCompile(`\bbool\b`)
)

// kindOf reads an expression. A comparison with the modifier bool keeps every
// element and makes it 0 or 1.
func kindOf(expr string) (exprKind, error) {
	gives, err := series.TypeOf(expr)
	switch {
	case err != nil:
		return filter, fmt.Errorf("%s: %w", quoteExpr(expr), err)
	case gives == series.Scalar:
		return truth, nil
	case gives != series.Vector:
		return filter, fmt.Errorf("%s: gives neither an instant vector nor a scalar; compare rate(…[5s]) or a sum with a number", quoteExpr(expr))
	case boolModifier.MatchString(quoted.ReplaceAllString(expr, "")):
		return truth, nil
	}
	return filter, nil
}
