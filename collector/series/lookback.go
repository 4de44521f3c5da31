package series

import (
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// leastLookback is how far back any expression looks, for the last point of a series: some intervals of a collector.
const leastLookback = 5 * time.Second

// Lookback is how far back an expression looks from the moment at which it is evaluated: the longest of its ranges with
// its offset, subqueries included, and no less than 5 s. Of what cannot be parsed it is that, too.
func Lookback(expr string) time.Duration {
	parsed, err := newParser().ParseExpr(expr)
	if err != nil {
		return leastLookback
	}
	longest := leastLookback
	parser.Inspect(parsed, func(n parser.Node, above []parser.Node) error {
		reach := reachOf(n)
		for _, a := range above {
			if q, ok := a.(*parser.SubqueryExpr); ok {
				reach += q.Range + max(0, q.OriginalOffset)
			}
		}
		longest = max(longest, reach)
		return nil
	})
	return longest
}

// reachOf is how far back a selector looks by itself.
func reachOf(n parser.Node) time.Duration {
	switch n := n.(type) {
	case *parser.VectorSelector:
		return max(0, n.OriginalOffset)
	case *parser.MatrixSelector:
		return n.Range + reachOf(n.VectorSelector)
	}
	return 0
}
