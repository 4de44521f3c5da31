package check

import (
	"regexp"
	"testing"
	"time"
)

// oneOfMany finds a plural behind a 1.
var oneOfMany = regexp.MustCompile(`(?:^|[ (])1 (?:[a-z]+ ){0,2}?(?:instances|servers|cells|intervals|requests|points|writes|words|values|events|steps|datagrams|lines|samples)\b`)

// A run with one of everything is told in the singular.
func TestOneIsSingular(t *testing.T) {
	p := talk()
	p.instances, p.phases = 1, []act{{name: "warm-up", long: 12 * time.Second}}
	p.words = 1
	p.checks = `  - conservation: {metric: fullstack.insert, route: insert}
  - identity: {metric: fullstack.insert, route: insert}
  - gauge: {metric: fullstack.inflight, at_rest: 0}
  - nesting: {web: fullstack.insert.time, db: fullstack.db.time, route: insert}
  - hygiene: {max_series: 40, growth: 0}
  - audit: {route: insert}
  - failures: {at_most: 0}
  - correlation: {layers: [users, lb, web, db], at_least: 0.5, metric: fullstack.insert}
`
	v := judged(t, p.make())
	looked := 0
	for _, f := range v.Findings {
		looked++
		if bad := oneOfMany.FindString(f.Summary); bad != "" {
			t.Errorf("%q in %s: %s", bad, f.Check, f.Summary)
		}
	}
	if looked < 12 {
		t.Errorf("only %d findings were looked at", looked)
	}
}
