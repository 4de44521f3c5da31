package run

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// withKilled gives a rig whose collector is a process of its own.
func withKilled(t *testing.T) *rig {
	return newRigOf(t, func(c *Config) { c.Collector = []string{os.Args[0], "collector"} },
		script.Phase{Do: []script.Step{{Move: script.BeginFault{Fault: script.KillCollector{}}}}})
}

// ofCollector are the journal's events of the collector's process, without what is different each time.
func ofCollector(events []record.Event) (out []record.Event, ids map[string]bool) {
	ids = map[string]bool{}
	for _, e := range events {
		if e.Kind == record.CollectorBegin || e.Kind == record.CollectorEnd {
			ids[e.ID] = true
			e.At, e.ID = 0, ""
			out = append(out, e)
		}
	}
	return out, ids
}

// The collector is killed while instances come and go, and the next one listens for all that are there.
func TestACollectorIsKilledWhileInstancesComeAndGo(t *testing.T) {
	r := withKilled(t)
	r.mustLaunch(2)
	kill := fault.KillCollector{Relays: r.telemetry.relays, Kill: r.telemetry.kill, Start: r.telemetry.restart, For: r.telemetry.cfg.Run.Interval}
	r.comeAndGo(1, kill)
	figures, err := r.telemetry.collector().Figures()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]string{} // also of those that are gone
	for _, l := range figures.Listeners {
		at[l.Instance] = l.Addr
	}
	for name, addr := range r.telemetry.listening("") {
		if at[name] != addr {
			t.Errorf("%s is listened for at %q, its relay sends to %q", name, at[name], addr)
		}
	}
	events := r.close()
	inOrder(t, events)
	begun := record.Event{Kind: record.CollectorBegin}
	killed := record.Event{Kind: record.CollectorEnd, Signal: "SIGKILL", Code: -1, Expected: true}
	told, ids := ofCollector(events)
	if diff := cmp.Diff([]record.Event{begun, killed, begun, killed, begun, killed, begun}, told); diff != "" || len(ids) != 4 {
		t.Errorf("%d processes, of which the journal tells (-want +got):\n%s", len(ids), diff)
	}
}

// A collector that ends by itself is told at once, and cannot be killed any more.
func TestACollectorThatDiesByItself(t *testing.T) {
	r := withKilled(t)
	c := r.telemetry.collector()
	if err := syscall.Kill(c.process().ID(), syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody notices")
	}
	if err := r.telemetry.kill(t.Context()); err == nil || err.Error() != "kill the collector: it ended by itself before (exit status 2)" {
		t.Errorf("killed when dead: %v", err)
	}
	if _, err := r.launch(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "the collector's process has ended") {
		t.Errorf("launched without a collector: %v", err)
	}
	if !r.telemetry.stop(context.WithoutCancel(t.Context())) {
		t.Error("it does not stop")
	}
	events := r.close()
	told, _ := ofCollector(events)
	if diff := cmp.Diff([]record.Event{{Kind: record.CollectorBegin}, {Kind: record.CollectorEnd, Code: 2}}, told); diff != "" {
		t.Errorf("the journal tells (-want +got):\n%s", diff)
	}
	troubles := 0
	for _, e := range events {
		if e.Kind == record.Trouble && e.About == "collector" {
			troubles++
		}
	}
	if troubles == 0 {
		t.Error("that it was gone at the end is no trouble")
	}
}

// A scenario that kills the collector needs to know how one is executed.
func TestAKilledCollectorNeedsAProgram(t *testing.T) {
	c := Config{Scenario: script.Scenario{Phases: []script.Phase{{Do: []script.Step{{Move: script.BeginFault{Fault: script.KillCollector{}}}}}}}}
	if _, err := newTelemetry(c, nil); err == nil || !strings.Contains(err.Error(), "nobody said how one is executed") {
		t.Errorf("%v", err)
	}
}
