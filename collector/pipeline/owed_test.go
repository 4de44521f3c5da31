package pipeline

import (
	"strings"
	"testing"
	"time"

	"throughline/collector"
)

// TestOwed: what an earlier collector owes is stored before anything asks how far it came, and owing what was stored is no error.
func TestOwed(t *testing.T) {
	dir, at := t.TempDir(), time.Now().Add(-10*time.Second).Truncate(time.Second)
	labels := collector.NewLabels("instance", "web-1")
	hits := func(value float64) collector.Sample {
		return collector.Sample{Name: "hits_total", Labels: labels, Meta: &collector.Meta{Type: collector.Counter}, At: at.Add(time.Duration(value) * time.Second), Value: value}
	}
	var owed []collector.Sample
	for value := 1.0; value <= 3; value++ {
		owed = append(owed, hits(value)) // those of the rounds before are stored already
		p, err := New(Config{Dir: dir, Owed: owed})
		if err != nil {
			t.Fatal(err)
		}
		if last, ok := p.store.Last("hits_total", labels); !ok || last.Value != value {
			t.Errorf("owing up to %v, the last is %+v, %v", value, last, ok)
		}
		if from, _, ok := p.store.Outage(); !ok || !from.Equal(hits(value).At) {
			t.Errorf("owing up to %v, nobody filled the store from %v on, want %v", value, from, hits(value).At)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	other := hits(3)
	other.Value = 4
	if _, err := New(Config{Dir: dir, Owed: []collector.Sample{other}}); err == nil || !strings.Contains(err.Error(), "store what an earlier collector owes") {
		t.Errorf("owing another value than was stored: %v", err)
	}
}
