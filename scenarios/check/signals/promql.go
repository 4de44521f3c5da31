package signals

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkPromQL = "promql"

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
	return nil
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
	kind, err := kindOf(p.Expr)
	if err == nil {
		err = affordable(p.Expr, planned(s, script.WholeRun))
	}
	if err != nil {
		return fmt.Errorf("alert %s: %w", p.Name, err)
	}
	if kind == truth {
		return fmt.Errorf("alert %s: %s: an alert fires for each element of a vector, also for one whose value is 0; compare a vector, without bool",
			p.Name, quoteExpr(p.Expr))
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

// PromQL evaluates an expression at the collector's interval ends of a phase.
type PromQL struct{ Rule script.PromQL }

// Judge looks at all instances, or says why it cannot.
func (p PromQL) Judge(e *evidence.Index) verdict.Result {
	return verdict.Result{Findings: []verdict.Finding{p.finding(e)}}
}

func (p PromQL) finding(e *evidence.Index) verdict.Finding {
	f := verdict.Finding{Check: checkPromQL}
	say := func(o verdict.Outcome, format string, args ...any) verdict.Finding {
		f.Outcome, f.Summary = o, fmt.Sprintf(format, args...)
		return f
	}
	name := p.Rule.Throughout + p.Rule.Within
	from, to, ok := e.Span(name)
	if !ok {
		return say(verdict.Inconclusive, "%s: the journal does not tell when phase %q began and ended", p.Rule.Expr, name)
	}
	f.From, f.To = from.Seconds(), to.Seconds()
	var grid []time.Duration
	for t := e.FirstTick(from - 1); t <= to; t += e.Interval {
		grid = append(grid, t)
	}
	if len(grid) == 0 {
		return say(verdict.Inconclusive, "%s: no interval of the collector ends in phase %q, so it was not evaluated", p.Rule.Expr, name)
	}
	if why := unseen(e, p.Rule.Expr, p.Rule.NeverSeen); why != "" {
		return say(verdict.Inconclusive, "%s: not evaluated, %s", p.Rule.Expr, why)
	}
	held, err := p.evaluate(e, grid)
	if err != nil {
		return say(verdict.Inconclusive, "%s: could not be evaluated: %v", p.Rule.Expr, err)
	}
	var yes int
	first, firstNot := record.Never, record.Never
	for k, t := range grid {
		switch {
		case held[k]:
			yes++
			if first == record.Never {
				first = t
			}
		case firstNot == record.Never:
			firstNot = t
		}
	}
	points := words.Times(int64(len(grid)), "point")
	switch {
	case p.Rule.Throughout != "" && yes == len(grid):
		return say(verdict.Pass, "%s holds throughout phase %q: %s evaluated", p.Rule.Expr, name, points)
	case p.Rule.Throughout != "":
		f.From = firstNot.Seconds()
		return say(verdict.Fail, "%s does not hold throughout phase %q: not at %d of %s, first at %s", p.Rule.Expr, name, len(grid)-yes, points, words.Seconds(firstNot))
	case yes > 0:
		return say(verdict.Pass, "%s holds within phase %q: first at %s, at %d of %s", p.Rule.Expr, name, words.Seconds(first), yes, points)
	case name != script.WholeRun:
		if why := hurried(e, name, to-from); why != "" {
			return say(verdict.Inconclusive, "%s never holds within phase %q, but %s", p.Rule.Expr, name, why)
		}
	}
	return say(verdict.Fail, "%s never holds within phase %q: %s evaluated", p.Rule.Expr, name, points)
}

// hurried tells when the steps of a phase took more than half of the time, counted
// from its beginning, in which something had to come of them; "" when they did not.
// How long a launch takes is the machine's doing as much as the application's.
func hurried(e *evidence.Index, phase string, allowed time.Duration) string {
	moved := e.Moved(phase)
	if 2*moved <= allowed {
		return ""
	}
	return fmt.Sprintf("its steps took %s of the %s in which it had to: that proves nothing; give the phase longer", words.Seconds(moved), words.Seconds(allowed))
}

// evaluate tells at which moments of the grid the expression holds.
func (p PromQL) evaluate(e *evidence.Index, grid []time.Duration) ([]bool, error) {
	kind, err := kindOf(p.Rule.Expr)
	if err != nil {
		return nil, err
	}
	store, err := e.Prom()
	if err != nil {
		return nil, err
	}
	start := e.History.Run.Start
	answer, err := store.QueryRange(context.Background(), p.Rule.Expr, start.Add(grid[0]), start.Add(grid[len(grid)-1]), e.Interval)
	if err != nil {
		return nil, err
	}
	// A warning says that samples were left out of account. Infos, such as a
	// name that does not look like a counter's, change no number.
	for _, note := range answer.Notes {
		if strings.HasPrefix(note, "PromQL warning") {
			return nil, errors.New(note)
		}
	}
	holds := map[int64]bool{}
	for _, s := range answer.Series {
		for _, point := range s.Points {
			if kind == filter || point.Histogram != nil || point.Value != 0 && !math.IsNaN(point.Value) {
				holds[point.At.UnixMilli()] = true
			}
		}
	}
	held := make([]bool, len(grid))
	for k, t := range grid {
		held[k] = holds[start.Add(t).UnixMilli()]
	}
	return held, nil
}
