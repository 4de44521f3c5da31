package check

import (
	"strings"
	"testing"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/script"
)

// TestMetricsOfAutoscalers: an expression by which no autoscaler could decide is refused before a run.
func TestMetricsOfAutoscalers(t *testing.T) {
	for _, c := range []struct{ form, expr, want string }{
		{autoscale.Sum, "sum(rate(fullstack_insert_total[5s]))", ""},
		{autoscale.Sum, "scalar(sum(up)) * 2", ""},
		{autoscale.Mean, "sum by (instance) (rate(fullstack_insert_total[5s]))", ""},
		{autoscale.Mean, "scalar(sum(up))", "gives a scalar: per: mean wants a series for each instance"},
		{autoscale.Sum, "fullstack_insert_total[5s]", "gives a matrix: want an instant vector"},
		{autoscale.Sum, `"text"`, "gives a string: want an instant vector"},
		{autoscale.Sum, "sum(", "unclosed left parenthesis"},
		{autoscale.Sum, "rate(x)", "expected type range vector"},
		{autoscale.Sum, `sum_over_time(count({__name__=~".+"})[10y:1ms])`, "the query evaluates 315360000002 steps"},
	} {
		s := script.Scenario{Autoscale: &script.Autoscale{Policy: autoscale.Policy{Form: c.form}, On: c.expr, Pos: script.Pos{File: "x.yaml", Line: 7, Column: 3}}}
		err := signals.ValidateExprs(s)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.expr, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.yaml:7:3: autoscale.on: ")):
			t.Errorf("%s: error %v, want %q", c.expr, err, c.want)
		}
	}
}
