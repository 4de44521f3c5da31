package record

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// notes is an observer that writes down what it sees.
type notes []string

func (n *notes) Event(e Event)     { *n = append(*n, fmt.Sprintf("%v %s", e.At, e.Kind)) }
func (n *notes) Request(r Request) { *n = append(*n, fmt.Sprintf("%v request %d", r.Done, r.Seq)) }
func (n *notes) Sample(at time.Duration, s *collector.Sample) {
	*n = append(*n, fmt.Sprintf("%v %s %v", at, s.Name, s.Value))
}

// An observer sees what is recorded, in its order; not what came before.
func TestObserver(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "run"), testRun, nil)
	if err != nil {
		t.Fatal(err)
	}
	record := func(second int) {
		at := time.Duration(second) * time.Second
		if err := errors.Join(w.Event(Event{At: at, Kind: Birth}), w.Request(Request{Seq: uint64(second), Done: at}),
			w.Append(collector.Sample{Name: "x_total", Meta: &collector.Meta{}, At: testStart.Add(at), Value: 0.5})); err != nil {
			t.Fatal(err)
		}
	}
	var seen notes
	record(1)
	w.Observe(&seen)
	record(2)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(notes{"2s birth", "2s request 2", "2s x_total 0.5"}, seen); diff != "" {
		t.Errorf("the observer saw (-want +got):\n%s", diff)
	}
}
