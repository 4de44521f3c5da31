package series

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

func TestSelectors(t *testing.T) {
	const expr = `sum(rate(hits_total{zone=~"a|b"}[5s] offset 1m)) > 1 or max_over_time(up{x!="1"}[5m:1s]) unless on() hits_total{zone=~"a|b"} and {__name__="load"}`
	got, err := Selectors(expr)
	if err != nil {
		t.Fatal(err)
	}
	var texts, names []string
	for _, s := range got {
		texts, names = append(texts, s.String()), append(names, s.Name())
	}
	if diff := cmp.Diff([]string{`hits_total{zone=~"a|b"}`, `up{x!="1"}`, `{__name__="load"}`}, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"hits_total", "up", "load"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		name   string
		labels []string
		want   bool
	}{
		{"hits_total", []string{"zone", "a"}, true},
		{"hits_total", []string{"zone", "ab"}, false}, // anchored
		{"hits_total", nil, false},
		{"hits", []string{"zone", "a"}, false},
	} {
		if is := got[0].Selects(c.name, collector.NewLabels(c.labels...)); is != c.want {
			t.Errorf("%s selects %s %v: %v", got[0], c.name, c.labels, is)
		}
	}
	if !got[1].Selects("up", nil) { // a label that is not there is empty
		t.Errorf("%s does not select up", got[1])
	}
	conditions := got[0].Conditions()
	if len(conditions) != 1 || conditions[0].Label != "zone" || conditions[0].Text != `zone=~"a|b"` || conditions[0].Holds("c") || !conditions[0].Holds("b") {
		t.Errorf("conditions %+v", conditions)
	}
	if none, err := Selectors("vector(1) + time()"); err != nil || len(none) != 0 {
		t.Errorf("%v %v", none, err)
	}
	if _, err := Selectors("sum("); err == nil {
		t.Error("no error")
	}
}

func TestWithout(t *testing.T) {
	for expr, want := range map[string]string{
		`sum(open)`: `sum(open{instance!~"web-2|web\\.3"})`,
		`sum(max_over_time(open{zone="a"}[5m])) + rate(hits[5s])`: `sum(max_over_time(open{instance!~"web-2|web\\.3",zone="a"}[5m])) + rate(hits[5s])`,
		`{__name__=~"o.*"}`: `{__name__=~"o.*"}`,
	} {
		if got, err := Without(expr, []string{"open"}, "instance", []string{"web-2", "web.3"}); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", expr, got, err, want)
		}
	}
	if got, err := Without("sum( open )", []string{"open"}, "instance", nil); err != nil || got != "sum( open )" {
		t.Errorf("without nobody: %q, %v", got, err)
	}
	if _, err := Without("sum(", []string{"open"}, "instance", []string{"web-2"}); err == nil {
		t.Error("what is no expression is taken")
	}
}
