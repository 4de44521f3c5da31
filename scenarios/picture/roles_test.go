package picture

import (
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// What another role counts under the same name is in no line of the counter's.
func TestCountsAreOfOneRole(t *testing.T) {
	for role, want := range map[record.Role]float64{"": 30, "api": 20} {
		p := New(record.Run{Interval: time.Second}, Counts{Metric: "app.hits", Role: role})
		meta := &collector.Meta{Sent: "app.hits", Type: collector.Counter}
		for _, name := range []string{"web-1", "api-1"} {
			p.Event(record.Event{Kind: record.Birth, Instance: name, Role: record.Role(name[:3])})
		}
		for k := range 3 {
			for name, each := range map[string]float64{"web-1": 5, "api-1": 10} {
				p.Sample(time.Duration(k+1)*time.Second, &collector.Sample{Name: "app_hits_total", Labels: collector.NewLabels("instance", name), Value: each * float64(k), Observed: 1, Meta: meta})
			}
		}
		var sum float64
		for _, i := range p.Now().Instances {
			sum += Total(i.Counted)
		}
		if sum != want {
			t.Errorf("of role %q %v were counted, want %v", role, sum, want)
		}
	}
}
