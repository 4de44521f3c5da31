package series

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"throughline/collector"
)

// Selector is what an expression asks for: the series that its name and its
// label matchers select.
type Selector struct {
	text     string
	matchers []*labels.Matcher
}

// Condition is one matcher of a selector that is no equality with its name.
type Condition struct {
	Label, Text string // zone, zone="b"
	matcher     *labels.Matcher
}

// Holds tells whether a label of that value fulfils the condition; "" is the
// value of a label that is not there.
func (c Condition) Holds(value string) bool { return c.matcher.Matches(value) }

// Selectors gives the vector selectors of an expression, those of ranges and
// within subqueries too, each once and in the order in which they stand there.
// What an expression asks with an offset or an @ is not told apart.
func Selectors(expr string) ([]Selector, error) {
	root, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, err
	}
	var out []Selector
	parser.Inspect(root, func(n parser.Node, _ []parser.Node) error {
		v, is := n.(*parser.VectorSelector)
		if !is {
			return nil
		}
		plain := parser.VectorSelector{Name: v.Name, LabelMatchers: v.LabelMatchers}
		s := Selector{text: plain.String(), matchers: v.LabelMatchers}
		if !slices.ContainsFunc(out, func(o Selector) bool { return o.text == s.text }) {
			out = append(out, s)
		}
		return nil
	})
	return out, nil
}

// String gives the selector as PromQL has it: hits_total{zone="b"}.
func (s Selector) String() string { return s.text }

// Name is the name that the series must have; "" where it is not asked for by
// an equality.
func (s Selector) Name() string {
	for _, m := range s.matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// Conditions are the matchers beside the name.
func (s Selector) Conditions() []Condition {
	var out []Condition
	for _, m := range s.matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			continue
		}
		out = append(out, Condition{Label: m.Name, Text: m.String(), matcher: m})
	}
	return out
}

// Selects tells whether the series of that name and those labels is one of
// those asked for.
func (s Selector) Selects(name string, l collector.Labels) bool {
	for _, m := range s.matchers {
		value := name
		if m.Name != model.MetricNameLabel {
			value = l.Get(m.Name)
		}
		if !m.Matches(value) {
			return false
		}
	}
	return true
}

// Without gives an expression that asks the same, but of no series under one of the names whose
// label has one of the values: sum(hits) without the instance "web-2" is
// sum(hits{instance!~"web-2"}). A selector that names no series by an equality is left alone.
func Without(expr string, names []string, label string, values []string) (string, error) {
	root, err := newParser().ParseExpr(expr)
	if err != nil || len(values) == 0 {
		return expr, err
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	not, err := labels.NewMatcher(labels.MatchNotRegexp, label, strings.Join(quoted, "|"))
	if err != nil {
		return "", err
	}
	parser.Inspect(root, func(n parser.Node, _ []parser.Node) error {
		if v, is := n.(*parser.VectorSelector); is && slices.Contains(names, v.Name) {
			v.LabelMatchers = append(v.LabelMatchers, not)
		}
		return nil
	})
	return root.String(), nil
}
