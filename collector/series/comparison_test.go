package series

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestComparisonOf: what is a comparison is taken apart, and all else refused by the part that is more.
func TestComparisonOf(t *testing.T) {
	hits := Figure{Aggregate: "sum", By: []string{"zone"}, Func: "rate", Window: 5 * time.Second, Name: "hits_total", Matchers: []Matcher{{"role", "=", "web"}}}
	got, err := ComparisonOf(`(sum by (zone) (rate(hits_total{role="web"}[5s])) / sum(increase(all_total[1m]))) >= 0.5 or absent(hits_total)`)
	want := Comparison{Left: hits, Over: &Figure{Aggregate: "sum", Func: "increase", Window: time.Minute, Name: "all_total"}, Op: ">=", Threshold: 0.5, Absent: true}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	got, err = ComparisonOf("histogram_quantile(0.9, sum(rate(took[5s]))) > 3")
	if err != nil || got.Left.Quantile != 0.9 || got.Left.Name != "took" || got.Threshold != 3 {
		t.Errorf("a quantile is %+v, %v", got, err)
	}
	for expr, want := range map[string]string{
		"up":                                   "up",
		"up == 1":                              "the operator ==",
		"up > bool 1":                          "what it is compared with, 1",
		"up > down":                            "what it is compared with, down",
		"count(up) < 1":                        "the aggregation count",
		"sum without (zone) (up) < 1":          "an aggregation without labels",
		"sum(delta(up[5s])) < 1":               "the function delta",
		"sum(rate(sum(up)[5s:1s])) < 1":        "the subquery sum(up)[5s:1s]",
		"sum(up offset 5s) < 1":                "the offset of up offset 5s",
		"sum(up @ 3) < 1":                      "the offset of up @ 3.000",
		"sum(up) - sum(down) < 1":              "the operator -",
		"sum(up) / on (zone) sum(down) < 1":    "the operator /",
		`{__name__=~"a|b"} < 1`:                `{__name__=~"a|b"}, which has no name`,
		"histogram_quantile(scalar(q), x) < 1": "the quantile scalar(q)",
		"up < 1 unless down":                   "the operator unless",
	} {
		if _, err := ComparisonOf(expr); !errors.Is(err, ErrNoComparison) || err.Error() != ErrNoComparison.Error()+": "+want {
			t.Errorf("%s: %v, want %s", expr, err, want)
		}
	}
	if _, err := ComparisonOf("sum(("); err == nil || errors.Is(err, ErrNoComparison) {
		t.Errorf("what is no expression: %v", err)
	}
}
