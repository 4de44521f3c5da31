package run

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// handle stands in for an instance; what else a test needs of it is embedded.
type handle struct {
	compose.Handle
	name string
}

func (h handle) Name() string { return h.name }

// Wait never sees the end.
func (h handle) Wait(context.Context) (compose.Exit, error) { select {} }

// limitable notes how it was limited.
type limitable struct {
	handle
	cpus *[]float64
	fail error
}

func (l limitable) LimitCPU(_ context.Context, cpus float64) error {
	*l.cpus = append(*l.cpus, cpus)
	return l.fail
}

func (l limitable) Footprint(context.Context) (compose.Footprint, error) {
	return compose.Footprint{PID: 7, OwnCgroup: true}, l.fail
}

// starts gives the handles that are named like the instances.
type starts struct {
	compose.Platform
	handles map[string]compose.Handle
}

func (s starts) Start(_ context.Context, i compose.Instance) (compose.Handle, error) {
	return s.handles[i.Name], nil
}

// limits is a scenario with a limit.
var limits = script.Scenario{Phases: []script.Phase{{Do: []script.Step{{Move: script.Limit{Instance: "web-1", CPUs: 0.2}}}}}}

func TestWhatCannotBeLimitedIsSaidBeforeTheLoad(t *testing.T) {
	f := &fleet{cfg: Config{Scenario: limits, Run: record.Run{Platform: "paper"}}}
	const want = "limit web-1: the platform paper cannot limit CPU; leave the step limit out"
	if err := f.meter(t.Context(), handle{name: "web-1"}); err == nil || err.Error() != want {
		t.Errorf("meter = %v, want %s", err, want)
	}
	var cpus []float64
	broken := errors.New("no cgroups")
	if err := f.meter(t.Context(), limitable{handle{name: "web-1"}, &cpus, broken}); !errors.Is(err, broken) {
		t.Errorf("meter = %v, want %v", err, broken)
	}
	f.cfg.Scenario = script.Scenario{}
	if err := f.meter(t.Context(), handle{name: "web-1"}); err != nil {
		t.Errorf("a scenario that limits nobody: %v", err)
	}
}

func TestLimitsAreLiftedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := record.Create(dir, record.Run{Start: time.Now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var one, two, gone []float64
	handles := map[string]compose.Handle{
		"web-1": limitable{handle{name: "web-1"}, &one, nil}, "web-2": limitable{handle{name: "web-2"}, &two, nil},
		"web-3": limitable{handle{name: "web-3"}, &gone, errors.New("it is gone")}, "haproxy-1": handle{name: "haproxy-1"},
	}
	l := newLives(t.Context(), starts{handles: handles}, &journal{record: w}, nil)
	for _, name := range []string{"web-1", "web-2", "web-3", "haproxy-1"} {
		role := record.Web
		if name == "haproxy-1" {
			role = record.LoadBalancer
		}
		one, err := l.start(t.Context(), compose.Instance{Name: name}, role, "")
		if err != nil {
			t.Fatal(err)
		}
		if role == record.Web {
			l.admit(one)
		}
	}
	f := &fleet{cfg: Config{Scenario: limits}, journal: l.journal, lives: l}

	if err := f.limit(t.Context(), "web-1", 0.2); err != nil {
		t.Fatal(err)
	}
	if err := f.limit(t.Context(), "web-3", 0.3); err == nil {
		t.Error("web-3 was limited although it is gone")
	}
	if err := f.limit(t.Context(), "web-9", 0.3); err == nil {
		t.Error("web-9 was limited, which nobody started")
	}
	f.unlimit(t.Context())
	f.unlimit(t.Context())
	if diff := cmp.Diff([][]float64{{0.2, 0}, nil, {0.3}}, [][]float64{one, two, gone}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	footprints, err := l.footprints(t.Context())
	want := []poll.HostInstance{{Name: "web-1", PID: 7, OwnCgroup: true}, {Name: "web-2", PID: 7, OwnCgroup: true}}
	if diff := cmp.Diff(want, footprints); diff != "" || err != nil {
		t.Errorf("footprints: %v\n%s", err, diff)
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	history, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var told []float64
	for _, e := range history.Events {
		if e.Kind == record.Limited && e.Instance == "web-1" && e.Role == record.Web {
			told = append(told, e.CPUs)
		}
	}
	if diff := cmp.Diff([]float64{0.2, 0}, told); diff != "" {
		t.Errorf("in the journal (-want +got)\n%s", diff)
	}
}
