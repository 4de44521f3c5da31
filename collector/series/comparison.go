package series

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Comparison is an expression that compares one figure, or the ratio of two, with a number: what other languages of alerts can
// say, too.
type Comparison struct {
	Left      Figure
	Over      *Figure // Left is divided by it; nil: by nothing
	Op        string  // "<", "<=", ">" or ">="
	Threshold float64
	// Absent: the expression has an element too when there is no series at all (… or absent(…)).
	Absent bool
}

// Figure is what is made of the series of one name.
type Figure struct {
	Aggregate string        // "sum", "avg", "min", "max"; "": the series one by one
	By        []string      // the labels of the Aggregate
	Func      string        // "rate" or "increase"; "": the series' values
	Window    time.Duration // of Func
	Quantile  float64       // above 0: of a histogram, over Func and Aggregate
	Name      string        // of the series
	Matchers  []Matcher     // beside the name
}

// Matcher is a condition on a label: Op is "=", "!=", "=~" or "!~".
type Matcher struct{ Label, Op, Value string }

// ErrNoComparison is wrapped by the errors of ComparisonOf for expressions that say something else.
var ErrNoComparison = errors.New("no comparison of a figure with a number")

// ComparisonOf takes an expression apart. The error says which part of it is more than a Comparison.
func ComparisonOf(expr string) (Comparison, error) {
	root, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return Comparison{}, err
	}
	c, err := comparison(bare(root))
	if err != nil {
		return Comparison{}, fmt.Errorf("%w: %w", ErrNoComparison, err)
	}
	return c, nil
}

// bare is an expression without its parentheses.
func bare(e parser.Expr) parser.Expr {
	for {
		switch x := e.(type) {
		case *parser.ParenExpr:
			e = x.Expr
		case *parser.StepInvariantExpr:
			e = x.Expr
		default:
			return e
		}
	}
}

func comparison(e parser.Expr) (c Comparison, err error) {
	b, is := e.(*parser.BinaryExpr)
	if !is {
		return c, errors.New(e.String())
	}
	if b.Op == parser.LOR {
		if absent, is := bare(b.RHS).(*parser.Call); is && absent.Func.Name == "absent" {
			c, err = comparison(bare(b.LHS))
			c.Absent = true
			return c, err
		}
	}
	switch b.Op {
	case parser.LSS, parser.LTE, parser.GTR, parser.GTE:
	default:
		return c, fmt.Errorf("the operator %s", b.Op)
	}
	number, is := bare(b.RHS).(*parser.NumberLiteral)
	if !is || b.ReturnBool {
		return c, fmt.Errorf("what it is compared with, %s", b.RHS)
	}
	c.Op, c.Threshold = b.Op.String(), number.Val
	left := bare(b.LHS)
	if ratio, is := left.(*parser.BinaryExpr); is {
		if ratio.Op != parser.DIV || ratio.VectorMatching != nil && (ratio.VectorMatching.On || len(ratio.VectorMatching.MatchingLabels) > 0) {
			return c, fmt.Errorf("the operator %s", ratio.Op)
		}
		over, err := figure(bare(ratio.RHS))
		if err != nil {
			return c, err
		}
		c.Over = &over
		left = bare(ratio.LHS)
	}
	c.Left, err = figure(left)
	return c, err
}

func figure(e parser.Expr) (f Figure, err error) {
	if call, is := e.(*parser.Call); is && call.Func.Name == "histogram_quantile" {
		q, is := bare(call.Args[0]).(*parser.NumberLiteral)
		if !is {
			return f, fmt.Errorf("the quantile %s", call.Args[0])
		}
		f.Quantile, e = q.Val, bare(call.Args[1])
	}
	if a, is := e.(*parser.AggregateExpr); is {
		switch a.Op {
		case parser.SUM, parser.AVG, parser.MIN, parser.MAX:
		default:
			return f, fmt.Errorf("the aggregation %s", a.Op)
		}
		if a.Without {
			return f, errors.New("an aggregation without labels")
		}
		f.Aggregate, f.By, e = a.Op.String(), a.Grouping, bare(a.Expr)
	}
	if call, is := e.(*parser.Call); is {
		if call.Func.Name != "rate" && call.Func.Name != "increase" {
			return f, fmt.Errorf("the function %s", call.Func.Name)
		}
		over, is := bare(call.Args[0]).(*parser.MatrixSelector)
		if !is {
			return f, fmt.Errorf("the subquery %s", call.Args[0])
		}
		f.Func, f.Window, e = call.Func.Name, over.Range, over.VectorSelector
	}
	v, is := e.(*parser.VectorSelector)
	switch {
	case !is:
		return f, errors.New(e.String())
	case v.OriginalOffset != 0 || v.OriginalOffsetExpr != nil || v.Timestamp != nil || v.StartOrEnd != 0:
		return f, fmt.Errorf("the offset of %s", v)
	}
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			f.Name = m.Value
			continue
		}
		f.Matchers = append(f.Matchers, Matcher{m.Name, m.Type.String(), m.Value})
	}
	if f.Name == "" {
		return f, fmt.Errorf("%s, which has no name", v)
	}
	return f, nil
}
