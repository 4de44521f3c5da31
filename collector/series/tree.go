package series

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"
)

// formatQuery writes an expression as Prometheus' formatter does.
func (s *Store) formatQuery(r *http.Request) (any, annotations.Annotations, error) {
	expr, err := s.parser.ParseExpr(r.Form.Get("query"))
	if err != nil {
		return nil, nil, badParameter("query", err)
	}
	return expr.Pretty(0), nil, nil
}

// parseQuery tells how an expression is understood.
func (s *Store) parseQuery(r *http.Request) (any, annotations.Annotations, error) {
	expr, err := s.parser.ParseExpr(r.Form.Get("query"))
	if err != nil {
		return nil, nil, badParameter("query", err)
	}
	out, err := tree(expr)
	return out, nil, err
}

// tree is an expression in the shape that Prometheus' UI draws; nil for none.
// Source: prometheus/web/api/v1/translate_ast.go, which exports nothing.
func tree(node parser.Expr) (any, error) {
	if node == nil {
		return nil, nil
	}
	out, err := leaf(node)
	if out != nil || err != nil {
		return out, err
	}
	// What has other expressions in it.
	parts := map[string]parser.Expr{}
	switch n := node.(type) {
	case *parser.AggregateExpr:
		out = object{"type": "aggregation", "op": n.Op.String(), "grouping": list(n.Grouping), "without": n.Without}
		parts["expr"], parts["param"] = n.Expr, n.Param
	case *parser.BinaryExpr:
		out = object{"type": "binaryExpr", "op": n.Op.String(), "matching": matching(n.VectorMatching), "bool": n.ReturnBool}
		parts["lhs"], parts["rhs"] = n.LHS, n.RHS
	case *parser.Call:
		args := make([]any, len(n.Args))
		for i, arg := range n.Args {
			if args[i], err = tree(arg); err != nil {
				return nil, err
			}
		}
		out = object{"type": "call", "args": args,
			"func": object{"name": n.Func.Name, "argTypes": n.Func.ArgTypes, "variadic": n.Func.Variadic, "returnType": n.Func.ReturnType}}
	case *parser.SubqueryExpr:
		out = object{"type": "subquery", "range": n.Range.Milliseconds(), "rangeExpr": nil, "offset": n.OriginalOffset.Milliseconds(), "offsetExpr": nil,
			"step": n.Step.Milliseconds(), "stepExpr": nil, "timestamp": n.Timestamp, "startOrEnd": edge(n.StartOrEnd)}
		parts["expr"] = n.Expr
	case *parser.ParenExpr:
		out = object{"type": "parenExpr"}
		parts["expr"] = n.Expr
	case *parser.UnaryExpr:
		out = object{"type": "unaryExpr", "op": n.Op.String()}
		parts["expr"] = n.Expr
	default:
		return nil, fmt.Errorf("an expression of the unknown kind %T", node)
	}
	for name, part := range parts {
		if out[name], err = tree(part); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// leaf is an expression that has none in it; nil if it is another one.
func leaf(node parser.Expr) (object, error) {
	switch n := node.(type) {
	case *parser.NumberLiteral:
		return object{"type": "numberLiteral", "val": strconv.FormatFloat(n.Val, 'f', -1, 64)}, nil
	case *parser.StringLiteral:
		return object{"type": "stringLiteral", "val": n.Val}, nil
	case *parser.VectorSelector:
		return selector("vectorSelector", n), nil
	case *parser.MatrixSelector:
		of, ok := n.VectorSelector.(*parser.VectorSelector)
		if !ok {
			return nil, fmt.Errorf("a range of the unknown kind %T", n.VectorSelector)
		}
		out := selector("matrixSelector", of)
		out["range"], out["rangeExpr"] = n.Range.Milliseconds(), nil
		return out, nil
	}
	return nil, nil
}

// selector leaves the expressions of durations out, which are an experiment of
// Prometheus that the parser is not told to read.
func selector(kind string, n *parser.VectorSelector) object {
	matchers := make([]object, 0, len(n.LabelMatchers))
	for _, m := range n.LabelMatchers {
		matchers = append(matchers, matcher(m))
	}
	return object{"type": kind, "name": n.Name, "offset": n.OriginalOffset.Milliseconds(), "offsetExpr": nil, "matchers": matchers,
		"timestamp": n.Timestamp, "startOrEnd": edge(n.StartOrEnd), "anchored": n.Anchored, "smoothed": n.Smoothed}
}

func matcher(m *labels.Matcher) object {
	return object{"name": m.Name, "value": m.Value, "type": m.Type.String()}
}

func matching(m *parser.VectorMatching) any {
	if m == nil {
		return nil
	}
	return object{"card": m.Card.String(), "labels": list(m.MatchingLabels), "on": m.On, "include": list(m.Include),
		"fillValues": object{"lhs": m.FillValues.LHS, "rhs": m.FillValues.RHS}}
}

func edge(item parser.ItemType) any {
	if item == 0 {
		return nil
	}
	return item.String()
}

func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
