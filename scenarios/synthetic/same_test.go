package synthetic

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/record"
)

// recordOf is the record of a run of one instance with faults, but for what chance has of it beside the faults: how late
// the collector's own timer was.
func recordOf(f faults) record.History {
	p := Params{Instances: 1, Workers: 1, Rate: 40, Shape: "constant", Insert: 9, Get: 1, Words: 20, Slow: 5 * time.Millisecond, Interval: time.Second,
		MaxGap: 2 * time.Second, Lag: 2 * time.Second, Rate1: 1, Timers: true, Others: true, Database: "docstore", Probe: time.Second, Jitter: time.Millisecond,
		Stop: 50 * time.Millisecond, Sockets: perWorker, Phases: []Phase{{Name: "warm-up", Long: 12 * time.Second}}}
	p.setClient(Client{Flush: 2 * time.Second, Bytes: 8192})
	w := newWorld(1, p, f, rand.New(rand.NewPCG(1, 1)))
	w.run()
	h := w.h
	h.Series = nil
	for _, s := range w.h.Series {
		if s.Name != prefix+"flush_lateness_seconds" {
			h.Series = append(h.Series, s)
		}
	}
	return h
}

// Some causes leave the very same record: no judge can tell them apart but by how likely it is that chance strikes just so.
func TestWhatNoRecordTells(t *testing.T) {
	const last = 2500*time.Millisecond + 9*time.Second
	sound := recordOf(faults{})
	for _, c := range []struct {
		one, other string
		a, b       faults
	}{
		{"went-silent", "datagrams-lost, which were the last",
			faults{leaves: func(_ *worker, _ call, at time.Duration) leaving { return leaving{at: at, never: at >= last} }},
			faults{datagrams: func(_ *instance, d *datagram) int {
				if d.at >= last {
					return 0
				}
				return 1
			}}},
		{"still-held", "went-silent",
			faults{keep: func(_ *worker, calls []call) []call { return without(calls, func(k call) bool { return k.at >= last }) }},
			faults{leaves: func(_ *worker, k call, at time.Duration) leaving { return leaving{at: at, never: k.at >= last} }}},
	} {
		one, other := recordOf(c.a), recordOf(c.b)
		if diff := cmp.Diff(one, other); diff != "" {
			t.Errorf("%s and %s leave different records (-one +other):\n%.2000s", c.one, c.other, diff)
		}
		if cmp.Equal(one, sound) {
			t.Errorf("%s leaves no trace", c.one)
		}
	}
}

// A run tells much whose clients sent often, and of which a timer is known.
func TestTelling(t *testing.T) {
	m := Made{Params: Params{Declared: time.Second, Interval: time.Second, Timers: true, Phases: []Phase{{Long: 20 * time.Second}}},
		Truth: Truth{Instances: map[string]Amount{"web-1": {Due: 100, Counted: 90}, "web-2": {Due: 100, Counted: 106}}}}
	if !m.Telling() {
		t.Error("10 too few and 6 too many in 20 windows tell nothing")
	}
	for about, change := range map[string]func(*Made){
		"fewer counts":    func(m *Made) { m.Truth.Instances = map[string]Amount{"web-1": {Due: 100, Counted: 85}} },
		"longer windows":  func(m *Made) { m.Params.Declared = 2 * time.Second },
		"fewer intervals": func(m *Made) { m.Params.Interval = 10 * time.Second },
		"no timer":        func(m *Made) { m.Params.Timers = false },
	} {
		poorer := m
		if change(&poorer); poorer.Telling() {
			t.Errorf("%s tell as much", about)
		}
	}
}
