package series

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"throughline/collector"
)

// Answer is what an expression comes to.
type Answer struct {
	Series []Series
	// Notes is what Prometheus warns of: samples left out of account, a
	// quantile that is none, a name that looks like the wrong type.
	Notes []string
}

// Series is one series of an answer.
type Series struct {
	Labels collector.Labels // with the name of the series as __name__, where the expression keeps it
	Points []Point          // in the order of time
}

// Point is one value of a Series. Histogram is set instead of Value where the
// answer is a native histogram.
type Point struct {
	At        time.Time
	Value     float64
	Histogram *collector.Histogram
}

// Query evaluates an expression at one moment. A scalar is one series without
// labels; a string is an error.
func (s *Store) Query(ctx context.Context, expr string, at time.Time) (Answer, error) {
	ctx, release, err := s.use(ctx)
	if err != nil {
		return Answer{}, fmt.Errorf("query %s: %w", quote(expr), err)
	}
	defer release()
	query, err := s.plan(ctx, expr, nil, at, at, 0)
	if err != nil {
		return Answer{}, fmt.Errorf("query %s: %w", quote(expr), err)
	}
	return answer(ctx, query, expr)
}

// QueryRange evaluates an expression at start, start+step, … up to end. The
// step is at least a millisecond.
func (s *Store) QueryRange(ctx context.Context, expr string, start, end time.Time, step time.Duration) (Answer, error) {
	if step < time.Millisecond {
		return Answer{}, fmt.Errorf("query %s: step %v: give one of at least 1ms", quote(expr), step)
	}
	if end.Before(start) {
		return Answer{}, fmt.Errorf("query %s: the end %s is before the start %s", quote(expr), end.Format(time.RFC3339Nano), start.Format(time.RFC3339Nano))
	}
	ctx, release, err := s.use(ctx)
	if err != nil {
		return Answer{}, fmt.Errorf("query %s: %w", quote(expr), err)
	}
	defer release()
	query, err := s.plan(ctx, expr, nil, start, end, step)
	if err != nil {
		return Answer{}, fmt.Errorf("query %s: %w", quote(expr), err)
	}
	return answer(ctx, query, expr)
}

// quoted is how much of an expression an error tells, in bytes.
const quoted = 200

func quote(expr string) string {
	if len(expr) <= quoted {
		return strconv.Quote(expr)
	}
	return strconv.Quote(strings.ToValidUTF8(expr[:quoted], "")) + "…"
}

// plan makes a query that keeps to the limits and to the allowance of its
// request. It is for one moment where step is 0.
func (s *Store) plan(ctx context.Context, expr string, opts promql.QueryOpts, start, end time.Time, step time.Duration) (promql.Query, error) {
	may := allowanceOf(ctx)
	engine := s.engines[may]
	metered := newMeter(s.db, may, nil)
	var query promql.Query
	var err error
	if step == 0 {
		query, err = engine.NewInstantQuery(ctx, metered, opts, expr, start)
	} else {
		query, err = engine.NewRangeQuery(ctx, metered, opts, expr, start, end, step)
	}
	if err != nil {
		return nil, err
	}
	statement := query.Statement().(*parser.EvalStmt) // what both make
	takes := effortOf(statement)
	if err := takes.check(); err != nil {
		return nil, err
	}
	if takes.steps > float64(may.steps) {
		return nil, fmt.Errorf("query processing would evaluate too many steps: %w", errTooMuch)
	}
	metered.price = priceOf(statement)
	return query, nil
}

func answer(ctx context.Context, query promql.Query, expr string) (Answer, error) {
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return Answer{}, fmt.Errorf("query %s: %w", quote(expr), allowanceOf(ctx).advised(result.Err))
	}
	var out []Series
	var err error
	add := func(ls labels.Labels, points ...Point) {
		out = append(out, Series{Labels: allLabels(ls), Points: points})
	}
	point := func(t int64, f float64, h *histogram.FloatHistogram) Point {
		p := Point{At: fromMilli(t), Value: f}
		if h != nil && err == nil {
			p.Histogram, err = fromFloatHistogram(h)
		}
		return p
	}
	switch v := result.Value.(type) {
	case promql.Scalar:
		add(labels.EmptyLabels(), point(v.T, v.V, nil))
	case promql.Vector:
		for _, sample := range v {
			add(sample.Metric, point(sample.T, sample.F, sample.H))
		}
	case promql.Matrix:
		for _, series := range v {
			var points []Point
			for _, p := range series.Floats {
				points = append(points, point(p.T, p.F, nil))
			}
			for _, p := range series.Histograms {
				points = append(points, point(p.T, 0, p.H))
			}
			slices.SortFunc(points, func(a, b Point) int { return a.At.Compare(b.At) })
			add(series.Metric, points...)
		}
	default:
		return Answer{}, fmt.Errorf("query %s: gives a %s, not numbers", quote(expr), result.Value.Type())
	}
	if err != nil {
		return Answer{}, fmt.Errorf("query %s: %w", quote(expr), err)
	}
	warnings, infos := result.Warnings.AsStrings(expr, 0, 0)
	return Answer{Series: out, Notes: append(warnings, infos...)}, nil
}

// allLabels keeps the name as the label __name__.
func allLabels(ls labels.Labels) collector.Labels {
	var out collector.Labels
	ls.Range(func(l labels.Label) { out = append(out, collector.Label{Name: l.Name, Value: l.Value}) })
	return out
}
