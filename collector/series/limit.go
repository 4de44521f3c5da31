package series

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/strutil"
)

// The limits of an expression. Prometheus has none of them: its parser takes a
// time that grows with the square of the nesting and cannot be stopped, and its
// engine makes room for every step of a subquery before it counts a sample.
const (
	// maxExprBytes is how long the text of an expression, or of all selectors
	// of a request, may be.
	maxExprBytes = 64 << 10
	// maxNesting is how many operators and open brackets an expression may have.
	maxNesting = 500
	// maxRegexpSize is how long the regular expressions of an expression may be
	// together once their repetitions are written out: (ab){1000} has 2,000.
	maxRegexpSize = 100_000
	// maxSelectors is how many match[] a request may have.
	maxSelectors = 100
	// maxSteps is how many steps a query and its subqueries may evaluate.
	maxSteps = 1_000_000
	// maxReads is how many steps of subqueries a query may look at, each as
	// often as a window has it: a range query of 1,000 steps looks a thousand
	// times at the 3,600 of [1h:1s]. It does so without a look at its deadline.
	maxReads = 100_000_000
)

// subqueryStep is the step of a subquery that gives none.
const subqueryStep = time.Second

// LimitError says that an expression is more than is evaluated, and what to do.
type LimitError struct{ text string }

func (e *LimitError) Error() string { return e.text }

func beyond(format string, args ...any) error { return &LimitError{fmt.Sprintf(format, args...)} }

// CheckExpr tells whether expr is a PromQL expression that is evaluated when it
// is asked for every step over span; both are 0 for one moment. The error says
// where it is wrong, or which limit it passes (a LimitError).
func CheckExpr(expr string, span, step time.Duration) error {
	parsed, err := newParser().ParseExpr(expr)
	if err != nil {
		return err
	}
	start := time.UnixMilli(0)
	if parsed, err = promql.PreprocessExpr(parsed, start, start.Add(span), step); err != nil {
		return err
	}
	return effortOf(&parser.EvalStmt{Expr: parsed, Start: start, End: start.Add(span), Interval: step}).check()
}

// Type is what an expression gives.
type Type string

// The types of expressions, as Prometheus names them.
const (
	Scalar = Type(parser.ValueTypeScalar)
	Vector = Type(parser.ValueTypeVector)
	Matrix = Type(parser.ValueTypeMatrix)
	String = Type(parser.ValueTypeString)
)

// TypeOf reads an expression within the limits of its text. The error says
// where it is wrong.
func TypeOf(expr string) (Type, error) {
	parsed, err := newParser().ParseExpr(expr)
	if err != nil {
		return "", err
	}
	return Type(parsed.Type()), nil
}

// limitedParser looks at a text before it parses it.
type limitedParser struct{ parser.Parser }

func newParser() limitedParser { return limitedParser{parser.NewParser(parser.Options{})} }

func (p limitedParser) ParseExpr(text string) (parser.Expr, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	return p.Parser.ParseExpr(text)
}

func (p limitedParser) ParseMetricSelectors(texts []string) ([][]*labels.Matcher, error) {
	if len(texts) > maxSelectors {
		return nil, beyond("there are %d selectors: want at most %d; ask several times, or select with a regular expression", len(texts), maxSelectors)
	}
	if err := checkText(strings.Join(texts, "\n")); err != nil {
		return nil, err
	}
	return p.Parser.ParseMetricSelectors(texts)
}

// checkText keeps what would take the parser long, or much memory, from it. It
// reads the text once.
func checkText(text string) error {
	if len(text) > maxExprBytes {
		return beyond("the expression has %d bytes: want at most %d; ask for its parts one by one", len(text), maxExprBytes)
	}
	var nested, size int
	braces := false
	lexer := parser.Lex(text)
	for {
		var item parser.Item
		lexer.NextItem(&item)
		switch item.Typ {
		case parser.EOF, parser.ERROR: // of which the parser tells more
			return nil
		case parser.LEFT_BRACE, parser.RIGHT_BRACE:
			braces = item.Typ == parser.LEFT_BRACE
		case parser.LEFT_PAREN, parser.LEFT_BRACKET:
			nested++
		case parser.STRING:
			size += regexpSize(item.Val)
		default:
			if item.Typ.IsOperator() && !braces { // in braces it compares a label
				nested++
			}
		}
		if nested > maxNesting {
			return beyond("the expression has more than %d operators and brackets: ask for its parts one by one", maxNesting)
		}
		if size > maxRegexpSize {
			return beyond("the regular expressions have more than %d characters once their repetitions are written out: repeat less, or use *", maxRegexpSize)
		}
	}
}

// regexpSize is the size of a quoted string, if it is a regular expression, with
// its repetitions written out, as the compiler of regular expressions does.
func regexpSize(quoted string) int {
	text, err := strutil.Unquote(quoted)
	if err != nil || !strings.Contains(text, "{") {
		return 0
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0 // the parser tells
	}
	return written(tree)
}

func written(tree *syntax.Regexp) int {
	size := 1 + len(tree.Rune)
	for _, sub := range tree.Sub {
		size += written(sub)
		size = min(size, 2*maxRegexpSize)
	}
	if tree.Op == syntax.OpRepeat {
		size *= max(tree.Min, tree.Max, 1)
	}
	return min(size, 2*maxRegexpSize)
}

// effort is what evaluating an expression takes, as far as its text tells.
type effort struct {
	steps  float64 // evaluated, those of subqueries included
	reads  float64 // steps of subqueries that windows look at
	widest float64 // the steps of the one with the most
}

func effortOf(stmt *parser.EvalStmt) effort {
	e := effort{}
	e.add(stmt.Expr, stmt.End.Sub(stmt.Start), stmt.Interval)
	return e
}

// add adds the effort of an expression that is evaluated every step over span.
func (e *effort) add(node parser.Node, span, step time.Duration) {
	e.evaluate(count(span, step))
	e.walk(node, span, step)
}

func (e *effort) evaluate(steps float64) {
	e.steps += steps
	e.widest = max(e.widest, steps)
}

func (e *effort) walk(node parser.Node, span, step time.Duration) {
	switch n := node.(type) {
	case *parser.StepInvariantExpr: // is evaluated once
		span, step = 0, 0
	case *parser.SubqueryExpr:
		each := n.Step
		if each <= 0 {
			each = subqueryStep
		}
		e.reads += count(span, step) * count(n.Range, each)
		// The engine evaluates it once, over all windows together.
		whole := span + n.Range
		if whole < span {
			whole = 1<<63 - 1
		}
		e.evaluate(count(whole, each))
		span, step = whole, each
	}
	for child := range parser.ChildrenIter(node) {
		e.walk(child, span, step)
	}
}

// count is how many steps there are over span, both ends included.
func count(span, step time.Duration) float64 {
	if step <= 0 {
		return 1
	}
	return float64(span/step) + 1
}

func (e effort) check() error {
	const advice = "ask for less time, or give longer steps (to a subquery like [1h:10s])"
	if e.steps > maxSteps {
		return beyond("the query evaluates %.0f steps, those of its subqueries included: want at most %d; %s", e.steps, maxSteps, advice)
	}
	if e.reads > maxReads {
		return beyond("the query looks at %.0f steps of subqueries in its windows: want at most %d; %s", e.reads, maxReads, advice)
	}
	return nil
}
