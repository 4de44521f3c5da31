package run

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/loadgen"
	"throughline/loadgen/crew"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// A load that workers share needs to know how one is executed.
func TestWorkersNeedAProgram(t *testing.T) {
	c := Config{Scenario: script.Scenario{Load: script.Load{Workers: 2}}}
	if _, err := assemble(t.Context(), c, loadgen.Config{}, loadgen.Form{}, nil); err == nil || err.Error() != "the scenario has workers, and nobody said how one is executed" {
		t.Errorf("%v", err)
	}
	c.Worker = []string{"/nowhere/at/all"}
	load := loadgen.Config{Target: "http://127.0.0.1:1", Run: "r", Routes: []loadgen.Route{{Name: "get", Path: "/"}}}
	if _, err := assemble(t.Context(), c, load, loadgen.Form{Rate: 1}, &journal{}); err == nil || !strings.HasPrefix(err.Error(), "start worker 1: /nowhere/at/all: ") {
		t.Errorf("%v", err)
	}
}

// TestWorkersAreWrittenDown: the journal has when each began and ended, and how well its clock was known.
func TestWorkersAreWrittenDown(t *testing.T) {
	kept := newLogged(t)
	w := workers{&journal{record: kept.Writer}}
	w.Begun(2, "17")
	w.Compared(2, crew.Comparison{Offset: 3 * time.Second, Bound: time.Millisecond, Exchanges: 8})
	w.Ended(2, crew.Ending{ID: "17", How: "its connection is gone", Unknown: 5})
	w.Ended(1, crew.Ending{ID: "16", Expected: true})
	if err := kept.Flush(); err != nil {
		t.Fatal(err)
	}
	h, err := record.Read(kept.Dir())
	if err != nil || len(h.Damage) > 0 {
		t.Fatal(err, h.Damage)
	}
	want := []record.Event{
		{Kind: record.WorkerBegin, Worker: 2, ID: "17"},
		{Kind: record.WorkerCompared, Worker: 2, Offset: 3 * time.Second, Bound: time.Millisecond, Count: 8},
		{Kind: record.WorkerEnd, Worker: 2, ID: "17", Error: "its connection is gone", Count: 5},
		{Kind: record.WorkerEnd, Worker: 1, ID: "16", Expected: true},
	}
	var got []record.Event
	for _, e := range h.Events {
		if e.Worker > 0 {
			e.At = 0
			got = append(got, e)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the journal has (-want +got):\n%s", diff)
	}
}
