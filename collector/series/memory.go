package series

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// allowance is what one request may hold in memory. A request is tried with the
// light one first, of which several may be had at once. What needs more waits
// for the heavy one, of which there is one. So all requests together hold at
// most maxRequests light ones and a heavy one, whatever is asked: some 700 MB.
type allowance struct {
	samples int   // that the engine holds, of 16 bytes; a histogram counts for several
	steps   int   // that are evaluated
	series  int64 // bytes of what is selected and made of it, samples left out
	answer  int   // bytes of the answer
}

var (
	light = &allowance{samples: 500_000, steps: 50_000, series: 16 << 20, answer: 8 << 20}
	heavy = &allowance{samples: 10_000_000, steps: maxSteps, series: 256 << 20, answer: 64 << 20}
	// alone is that of a judge, who asks one thing after the other and has no
	// other work for the memory. The samples are Prometheus' default.
	alone = &allowance{samples: 50_000_000, steps: maxSteps, series: 1 << 30, answer: 64 << 20}
)

type allowanceKey struct{}

func withAllowance(ctx context.Context, a *allowance) context.Context {
	return context.WithValue(ctx, allowanceKey{}, a)
}

// allowanceOf is what a request may hold; who has no turn is the program itself.
func allowanceOf(ctx context.Context) *allowance {
	if a, ok := ctx.Value(allowanceKey{}).(*allowance); ok {
		return a
	}
	return alone
}

// errTooMuch is wrapped by what passes an allowance.
var errTooMuch = errors.New("more than a query may hold in memory")

// tooMuch tells whether an error says that an allowance was passed.
func tooMuch(err error) bool {
	var samples promql.ErrTooManySamples
	return errors.Is(err, errTooMuch) || errors.As(err, &samples)
}

// advised adds to an error that passes an allowance what may be held, and what
// to do.
func (a *allowance) advised(err error) error {
	if !tooMuch(err) {
		return err
	}
	return fmt.Errorf("%w; a query may hold %d samples, %d MiB of series and an answer of %d MiB: ask for fewer series, less time or longer steps",
		err, a.samples, a.series>>20, a.answer>>20)
}

// meter counts what a request selects, and ends it where it selects too much:
// the engine keeps the series of all selectors until the query ends, and counts
// samples only.
type meter struct {
	storage.Queryable
	left  atomic.Int64
	price func(labels.Labels) float64 // bytes that are held because of a series
}

func newMeter(of storage.Queryable, a *allowance, price func(labels.Labels) float64) *meter {
	m := &meter{Queryable: of, price: price}
	m.left.Store(a.series)
	return m
}

// Querier implements storage.Queryable.
func (m *meter) Querier(from, to int64) (storage.Querier, error) {
	q, err := m.Queryable.Querier(from, to)
	if err != nil {
		return nil, err
	}
	return meteredQuerier{q, m}, nil
}

type meteredQuerier struct {
	storage.Querier
	meter *meter
}

func (q meteredQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	return &meteredSet{SeriesSet: q.Querier.Select(ctx, sorted, hints, matchers...), meter: q.meter}
}

type meteredSet struct {
	storage.SeriesSet
	meter *meter
	err   error
}

func (s *meteredSet) Next() bool {
	if s.err != nil || !s.SeriesSet.Next() {
		return false
	}
	cost := min(s.meter.price(s.At().Labels()), float64(alone.series+1))
	if s.meter.left.Add(-int64(cost)) < 0 {
		s.err = fmt.Errorf("query processing would select too many series, or make too long labels of them: %w", errTooMuch)
		return false
	}
	return true
}

func (s *meteredSet) Err() error {
	if s.err != nil {
		return s.err
	}
	return s.SeriesSet.Err()
}

// What is held because of a series that is selected, in bytes: its place in
// lists and maps of the engine, in the input and in the output of a node; of
// the points that the engine makes room for in advance; and in an exposition.
const (
	seriesBytes  = 512
	pointBytes   = 2 * 16
	pointsAhead  = 5000 // as promql has it: maxPointsSliceSize
	exposedBytes = 2048
)

// listed is the store for lists of series, and exposed for their newest samples.
// There are never more of these than series, so in the heavy turn all may be had.
func (s *Store) listed(ctx context.Context) storage.Queryable { return s.flat(ctx, seriesBytes) }

func (s *Store) exposed(ctx context.Context) storage.Queryable { return s.flat(ctx, exposedBytes) }

func (s *Store) flat(ctx context.Context, each float64) storage.Queryable {
	if may := allowanceOf(ctx); may == light {
		return newMeter(s.db, may, func(ls labels.Labels) float64 { return each + 2*float64(ls.ByteSize()) })
	}
	return s.db
}

// priceOf is what a series that a query selects costs. The engine makes room
// for a point at each step in each series, whether there will be one or not,
// and the functions on labels make new ones of any length.
func priceOf(stmt *parser.EvalStmt) func(labels.Labels) float64 {
	steps := effortOf(stmt).widest
	each := seriesBytes + pointBytes*min(steps, pointsAhead)
	var grown growth
	parser.Inspect(stmt.Expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok && a.Op == parser.COUNT_VALUES {
			grown.values = true
		}
		return nil
	})
	grown.of(stmt.Expr)
	if grown.values { // a series for each value that there is at any step
		each *= steps
	}
	return func(ls labels.Labels) float64 {
		return each + grown.factor*float64(ls.ByteSize()) + grown.literal
	}
}

// growth bounds how long labels become: of a series whose labels have n bytes,
// factor × n + literal at most.
type growth struct {
	factor, literal float64
	values          bool // count_values is used
}

// size is a bound that depends on the bytes of a series' labels in the same way.
type size struct{ factor, literal float64 }

func (s size) max(o size) size { return size{max(s.factor, o.factor), max(s.literal, o.literal)} }

func (s size) plus(o size) size { return size{s.factor + o.factor, s.literal + o.literal} }

func (s size) times(n float64) size { return size{s.factor * n, s.literal * n} }

// of gives the bounds of the longest value and of all labels that a node has,
// and notes the largest.
func (g *growth) of(node parser.Node) (value, all size) {
	value, all = size{factor: 1}, size{factor: 1}
	var sum size
	for child := range parser.ChildrenIter(node) {
		v, a := g.of(child)
		value, all, sum = value.max(v), all.max(a), sum.plus(a)
	}
	switch n := node.(type) {
	case *parser.BinaryExpr:
		if n.VectorMatching != nil && len(n.VectorMatching.Include) > 0 {
			all = sum
		}
	case *parser.Call:
		if made, ok := madeLabel(n, value); ok {
			value, all = value.max(made), all.plus(made)
		}
	}
	g.factor, g.literal = max(g.factor, all.factor), max(g.literal, all.literal)
	return value, all
}

// madeLabel bounds the label that a function makes of values of such a size.
func madeLabel(call *parser.Call, value size) (size, bool) {
	switch {
	case call.Func.Name == "label_replace" && len(call.Args) == 5:
		text := literal(call.Args[2])
		return value.times(float64(strings.Count(text, "$"))).plus(size{literal: float64(len(text))}), true
	case call.Func.Name == "label_join" && len(call.Args) >= 3:
		n := float64(len(call.Args) - 3)
		return value.times(n).plus(size{literal: n * float64(len(literal(call.Args[2])))}), true
	}
	return size{}, false
}

// literal is the text of an argument that is one.
func literal(e parser.Expr) string {
	for {
		switch n := e.(type) {
		case *parser.ParenExpr:
			e = n.Expr
		case *parser.StepInvariantExpr:
			e = n.Expr
		case *parser.StringLiteral:
			return n.Val
		default:
			return ""
		}
	}
}
