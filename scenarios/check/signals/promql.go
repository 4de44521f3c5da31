package signals

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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

// PromQL evaluates an expression at the collector's interval ends of a phase. In a phase from
// 8 s to 16 s whose intervals end at .1 s, `throughout` wants it to hold at all of 8.1, 9.1, …
// 15.1 s, `within` at one of them.
type PromQL struct{ Promise script.PromQL }

// Judge looks at all instances, or says why it cannot.
func (p PromQL) Judge(e *evidence.Index) verdict.Result {
	return verdict.Result{Findings: p.findings(e)}
}

func (p PromQL) findings(e *evidence.Index) []verdict.Finding {
	f := verdict.Finding{Check: checkPromQL}
	say := func(o verdict.Outcome, format string, args ...any) []verdict.Finding {
		f.Outcome, f.Summary = o, fmt.Sprintf(format, args...)
		return []verdict.Finding{f}
	}
	name := p.Promise.Throughout + p.Promise.Within
	from, to, ok := e.Span(name)
	if !ok {
		return say(verdict.Inconclusive, "%s: the journal does not tell when phase %q began and ended", p.Promise.Expr, name)
	}
	f.From, f.To = from.Seconds(), to.Seconds()
	grid := ticksBetween(e, from, to)
	if len(grid) == 0 {
		return say(verdict.Inconclusive, "%s: no interval of the collector ends in phase %q, so it was not evaluated", p.Promise.Expr, name)
	}
	if why := unseen(e, p.Promise.Expr, p.Promise.NeverSeen); why != "" {
		return say(verdict.Inconclusive, "%s: not evaluated, %s", p.Promise.Expr, why)
	}
	held, err := p.evaluate(e, grid)
	if err != nil {
		return say(verdict.Inconclusive, "%s: could not be evaluated: %v", p.Promise.Expr, err)
	}
	yes, first, firstNot := countHeld(grid, held)
	points := words.Times(int64(len(grid)), "point")
	switch {
	case p.Promise.Throughout != "" && yes == len(grid):
		return say(verdict.Pass, "%s holds throughout phase %q: %s evaluated", p.Promise.Expr, name, points)
	case p.Promise.Throughout != "":
		f.From = firstNot.Seconds()
		say(verdict.Fail, "%s does not hold throughout phase %q: not at %d of %s, first at %s", p.Promise.Expr, name, len(grid)-yes, points, words.Seconds(firstNot))
		if p.blurred(e, grid, held) {
			f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
			f.Summary += ", but the load generator or the collector was late by more than an interval itself then"
			return []verdict.Finding{f}
		}
		return p.unseenBeginnings(e, grid, f)
	case yes > 0:
		return say(verdict.Pass, "%s holds within phase %q: first at %s, at %d of %s", p.Promise.Expr, name, words.Seconds(first), yes, points)
	case name != script.WholeRun:
		if why := hurried(e, name, to-from); why != "" {
			return say(verdict.Inconclusive, "%s never holds within phase %q, but %s", p.Promise.Expr, name, why)
		}
	}
	say(verdict.Fail, "%s never holds within phase %q: %s evaluated", p.Promise.Expr, name, points)
	return p.unseenBeginnings(e, grid, f)
}

// holds tells whether an expression holds as it is promised.
func (p PromQL) holds(held []bool) bool {
	if p.Promise.Throughout != "" {
		return !slices.Contains(held, false)
	}
	return slices.Contains(held, true)
}

// blurred tells whether at each moment at which the expression does not hold, what it looked at was moved by more than an
// interval: users came later than they were due, or the collector closed an interval late. Then it is not known what there
// would have been to see.
func (p PromQL) blurred(e *evidence.Index, grid []time.Duration, held []bool) bool {
	back := series.Lookback(p.Promise.Expr)
	for k, t := range grid {
		if stall, flush := e.Delays(t-back, t); !held[k] && max(stall, flush) <= e.Interval {
			return false
		}
	}
	return true
}

// countHeld tells how often an expression held at the moments of a grid, when first, and
// when first not.
func countHeld(grid []time.Duration, held []bool) (yes int, first, firstNot time.Duration) {
	first, firstNot = record.Never, record.Never
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
	return yes, first, firstNot
}

// evaluate tells at which moments of the grid the expression holds.
func (p PromQL) evaluate(e *evidence.Index, grid []time.Duration) ([]bool, error) {
	kind, err := kindOf(p.Promise.Expr)
	if err != nil {
		return nil, err
	}
	store, err := e.Prom()
	if err != nil {
		return nil, err
	}
	return p.ask(e, store, kind, grid)
}

// ask asks a store.
func (p PromQL) ask(e *evidence.Index, store *series.Store, kind exprKind, grid []time.Duration) ([]bool, error) {
	answer, err := store.QueryRange(context.Background(), p.Promise.Expr, e.Moment(grid[0]), e.Moment(grid[len(grid)-1]), e.Interval)
	if err != nil {
		return nil, err
	}
	// A warning says that samples were left out. Infos, such as a
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
		held[k] = holds[e.Moment(t).UnixMilli()]
	}
	return held, nil
}
