package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/series"
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
		if c.PromQL != nil {
			expr := c.PromQL.Expr
			if _, err := kindOf(expr); err != nil {
				return fmt.Errorf("%s: promql: %w", c.Pos, err)
			}
			if err := affordable(expr, planned(s, c.PromQL.Throughout+c.PromQL.Within)); err != nil {
				return fmt.Errorf("%s: promql: %w", c.Pos, err)
			}
		}
		if c.Alert != nil {
			kind, err := kindOf(c.Alert.Expr)
			if err == nil {
				err = affordable(c.Alert.Expr, planned(s, script.WholeRun))
			}
			if err != nil {
				return fmt.Errorf("%s: alert %s: %w", c.Pos, c.Alert.Name, err)
			}
			if kind == truth {
				return fmt.Errorf("%s: alert %s: %s: an alert fires for each element of a vector, also for one whose value is 0; compare a vector, without bool",
					c.Pos, c.Alert.Name, quoteExpr(c.Alert.Expr))
			}
		}
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

// promStore is the record's series where PromQL can be asked.
type promStore struct {
	dir   string
	store *series.Store
	err   error
}

// prom gives the store, and makes it when it is asked first.
func (e *evidence) prom() (*series.Store, error) {
	if e.store == nil {
		e.store = &promStore{}
		e.store.err = e.store.fill(e.history)
	}
	return e.store.store, e.store.err
}

// close removes what judging left on disk.
func (e *evidence) close() {
	if e.store == nil {
		return
	}
	if e.store.store != nil {
		_ = e.store.store.Close() // it was a copy
	}
	_ = os.RemoveAll(e.store.dir)
}

// appendAtOnce is how many samples go into the store at once.
const appendAtOnce = 10_000

func (p *promStore) fill(h record.History) error {
	var err error
	if p.dir, err = os.MkdirTemp("", "throughline-judge-"); err != nil {
		return err
	}
	if p.store, err = series.Open(p.dir, series.Options{Scratch: true}); err != nil {
		return err
	}
	// The store takes no sample that is much older than its newest.
	type place struct {
		at            time.Duration
		series, point int
	}
	var order []place
	for i := range h.Series {
		for k := range h.Series[i].Points {
			order = append(order, place{h.Series[i].Points[k].At, i, k})
		}
	}
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(compareTimes(a.at, b.at), cmp.Compare(a.series, b.series), cmp.Compare(a.point, b.point))
	})
	samples := make([]collector.Sample, 0, min(appendAtOnce, len(order)))
	for chunk := range slices.Chunk(order, appendAtOnce) {
		samples = samples[:0]
		for _, o := range chunk {
			s := &h.Series[o.series]
			point := &s.Points[o.point]
			samples = append(samples, collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, At: h.Run.Start.Add(point.At),
				Value: point.Value, Observed: point.Observed, Stale: point.Stale, Histogram: point.Histogram})
		}
		if err := p.store.Append(samples...); err != nil {
			return err
		}
	}
	return nil
}

// promql evaluates an expression at the collector's interval ends of a phase.
type promql struct{ rule script.PromQL }

func (p promql) judge(e *evidence) verdict.Result {
	return verdict.Result{Findings: []verdict.Finding{p.finding(e)}}
}

func (p promql) finding(e *evidence) verdict.Finding {
	f := verdict.Finding{Check: checkPromQL}
	say := func(o verdict.Outcome, format string, args ...any) verdict.Finding {
		f.Outcome, f.Summary = o, fmt.Sprintf(format, args...)
		return f
	}
	name := p.rule.Throughout + p.rule.Within
	from, to, ok := e.span(name)
	if !ok {
		return say(verdict.Inconclusive, "%s: the journal does not tell when phase %q began and ended", p.rule.Expr, name)
	}
	f.From, f.To = from.Seconds(), to.Seconds()
	var grid []time.Duration
	for t := e.firstTick(from - 1); t <= to; t += e.interval {
		grid = append(grid, t)
	}
	if len(grid) == 0 {
		return say(verdict.Inconclusive, "%s: no interval of the collector ends in phase %q, so it was not evaluated", p.rule.Expr, name)
	}
	if why := e.unseen(p.rule.Expr, p.rule.NeverSeen); why != "" {
		return say(verdict.Inconclusive, "%s: not evaluated, %s", p.rule.Expr, why)
	}
	held, err := p.evaluate(e, grid)
	if err != nil {
		return say(verdict.Inconclusive, "%s: could not be evaluated: %v", p.rule.Expr, err)
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
	case p.rule.Throughout != "" && yes == len(grid):
		return say(verdict.Pass, "%s holds throughout phase %q: %s evaluated", p.rule.Expr, name, points)
	case p.rule.Throughout != "":
		f.From = firstNot.Seconds()
		return say(verdict.Fail, "%s does not hold throughout phase %q: not at %d of %s, first at %s", p.rule.Expr, name, len(grid)-yes, points, words.Seconds(firstNot))
	case yes > 0:
		return say(verdict.Pass, "%s holds within phase %q: first at %s, at %d of %s", p.rule.Expr, name, words.Seconds(first), yes, points)
	}
	return say(verdict.Fail, "%s never holds within phase %q: %s evaluated", p.rule.Expr, name, points)
}

// span is when a phase, or all together, began and ended.
func (e *evidence) span(name string) (from, to time.Duration, ok bool) {
	first, last := -1, -1
	for i, phase := range e.scenario.Phases {
		if phase.Name == name || name == script.WholeRun {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return 0, 0, false
	}
	from, _, ok = e.phase(first)
	_, to, okLast := e.phase(last)
	return from, to, ok && okLast
}

// evaluate tells at which moments of the grid the expression holds.
func (p promql) evaluate(e *evidence, grid []time.Duration) ([]bool, error) {
	kind, err := kindOf(p.rule.Expr)
	if err != nil {
		return nil, err
	}
	store, err := e.prom()
	if err != nil {
		return nil, err
	}
	start := e.history.Run.Start
	answer, err := store.QueryRange(context.Background(), p.rule.Expr, start.Add(grid[0]), start.Add(grid[len(grid)-1]), e.interval)
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
