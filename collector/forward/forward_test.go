package forward

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
)

var (
	_ Forwarder      = (*Relay)(nil)
	_ Forwarder      = (*RemoteWrite)(nil)
	_ Forwarder      = (*Graphite)(nil)
	_ collector.Sink = (*RemoteWrite)(nil)
	_ collector.Sink = (*Graphite)(nil)
)

// TestSamples has each figure in its series, and each series documented.
func TestSamples(t *testing.T) {
	f := Figures{To: "udp://agent:8125", Kind: "relay", Queued: 1, In: 16, Sent: 3, Dropped: 12, Full: 3, Refused: 4, Unsent: 5, Retries: 6, Bytes: 7, Up: true}
	balanced(t, f)
	want := map[string]float64{"in_total": 16, "sent_total": 3, "dropped_total full": 3, "dropped_total refused": 4, "dropped_total unsent": 5,
		"retries_total": 6, "bytes_total": 7, "queued": 1, "up": 1}
	documented := (&outbox{}).Metrics()
	at := time.Unix(1, 0)
	samples := Samples(at, f)
	for _, s := range samples {
		name := strings.TrimSpace(strings.TrimPrefix(s.Name, prefix) + " " + s.Labels.Get("reason"))
		if v, ok := want[name]; !ok || v != s.Value || s.At != at || s.Observed != 1 || s.Labels.Get("to") != f.To || s.Labels.Get("kind") != "relay" {
			t.Errorf("sample %+v, want %v", s, v)
		}
		i := slices.IndexFunc(documented, func(m collector.Metric) bool { return m.Name == s.Name })
		if i < 0 || documented[i].Help == "" || documented[i].Type != s.Meta.Type || documented[i].Unit != s.Meta.Unit ||
			documented[i].Loss != strings.Contains(s.Name, "dropped") {
			t.Errorf("%s is documented as %+v", s.Name, documented)
		}
	}
	if len(samples) != len(want) || len(documented) != len(want)-2 { // dropped has three reasons
		t.Errorf("%d samples, %d documented; want %d", len(samples), len(documented), len(want))
	}
	if down := Samples(at, Figures{}); down[len(down)-1].Value != 0 {
		t.Error("up is not 0")
	}
}
