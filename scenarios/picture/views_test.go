package picture

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/collector"
	"throughline/scenarios/record"
)

// The same CPU by two sources is one chart, in the same unit and on the same clock, though the one has the time of its period's beginning, and
// comes late.
func TestTwoViews(t *testing.T) {
	h := record.History{Run: record.Run{Interval: second}}
	for i, name := range []string{"web-1", "web-2"} {
		h.Events = append(h.Events, record.Event{At: time.Duration(i+1) * second, Kind: record.Birth, Instance: name, Role: record.Web,
			Cloud: &record.Cloud{Monitoring: &record.Monitoring{Period: 2 * second, CPUs: 4}}})
		cloud := record.Series{Name: record.HypervisorCPU, Labels: collector.NewLabels("instance", name), Meta: collector.Meta{Type: collector.Gauge}}
		for at := time.Duration(0); at < 6*second; at += 2 * second {
			cloud.Points = append(cloud.Points, record.Point{At: at, Value: 10 * float64(i+1), Observed: 1})
		}
		cloud.Points = append(cloud.Points, record.Point{At: 6 * second, Stale: true})
		agent := record.Series{Name: "cpu_total", Labels: collector.NewLabels("instance", name), Meta: collector.Meta{Type: collector.Counter, Sent: "cpu", Origin: "listener"}}
		for at := 2; at <= 6; at++ {
			agent.Points = append(agent.Points, record.Point{At: time.Duration(at) * second, Value: 300 * float64(at), Observed: 1})
		}
		h.Series = append(h.Series, cloud, agent)
	}
	h.Series = append(h.Series, record.Series{Name: record.HypervisorCPU, Labels: collector.NewLabels("instance", "web-9"), Points: []record.Point{{At: 0, Value: 90, Observed: 1}}})
	counts := Counts{Metric: "hits", Agent: &Agent{Metric: "cpu", Unit: time.Millisecond}}
	lines := func(s Snapshot) map[string][]float64 {
		got := map[string][]float64{}
		for _, l := range s.Layers {
			if l.ID != ViewsLayer {
				continue
			}
			if l.Unit != "cores" {
				t.Errorf("the unit is %s", l.Unit)
			}
			for _, line := range l.Lines {
				got[line.Name] = line.Values
			}
		}
		return got
	}
	hole := math.NaN()
	// 10 % of four CPUs are 0.4, and 20 % are 0.8; web-1 was born within its first period.
	want := map[string][]float64{
		byHypervisor: {hole, hole, 1.2, 1.2, 1.2, 1.2},
		byAgent:      {hole, hole, 0.6, 0.6, 0.6, 0.6},
	}
	same := cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)}
	if diff := cmp.Diff(want, lines(Of(h, counts).Now()), same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	live := New(h.Run, counts)
	for _, e := range h.Events {
		live.Event(e)
	}
	for i := len(h.Series) - 1; i >= 0; i-- { // the sources come in any order
		for k, p := range h.Series[i].Points {
			live.Sample(p.At, sampleOf(&h.Series[i], int32(k)))
		}
	}
	if diff := cmp.Diff(want, lines(live.Now()), same); diff != "" {
		t.Errorf("while it goes on (-want +got):\n%s", diff)
	}
	if got := lines(New(h.Run, counts).Now()); len(got) != 0 {
		t.Errorf("without either there is %v", got)
	}
}
