package draw

import (
	"strings"
	"testing"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// TestTheAutoscaler: its lines are stairs, and each decision says what it was made of.
func TestTheAutoscaler(t *testing.T) {
	value := 280.0
	h := record.History{Run: record.Run{Interval: second}, Events: []record.Event{
		{At: 0, Kind: record.LoadBegin},
		{At: 2 * second, Kind: record.Decided, Decision: &autoscale.Decision{Had: 3, Wanted: 5, Value: &value, Because: autoscale.Formula}},
		{At: 4 * second, Kind: record.Decided, Decision: &autoscale.Decision{Had: 5, Wanted: 5, Error: "connection <refused>", Because: autoscale.NoMetric}},
		{At: 10 * second, Kind: record.RunEnd},
	}}
	v := New(picture.Of(h, picture.Counts{}).Now())
	svg := string(v.Layer(v.s.Layers[0]))
	wellFormed(t, "fleet", v.Layer(v.s.Layers[0]))
	for _, want := range []string{
		`<title>2.0 s: 3 → 5 (value 280, formula)</title>`, `<title>4.0 s: 5 → 5 (no metric: connection &lt;refused&gt;)</title>`,
		`class="decision changed"`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
	if n := strings.Count(svg, `class="decision`); n != 2 {
		t.Errorf("%d decisions are marked, want 2", n)
	}
	axis := linear(0, 5, layerHeight)
	three, five := coord(axis.y(3)), coord(axis.y(5))
	for name, want := range map[string]string{"had": "M100 " + three + "H200H300V" + five + "H400H1000", "wanted": "M100 " + five + "H200H1000"} {
		if !strings.Contains(svg, `d="`+want+`"`) {
			t.Errorf("the line of %s is not %s in\n%s", name, want, svg)
		}
	}
}
