package run

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// inHand has a hand make moves on two instances, until end, which tells what is written
// down and gives the journal.
func inHand(t *testing.T) (h *Hand, r *rig, end func() ([]script.Improvisation, []record.Event)) {
	t.Helper()
	r = newRig(t)
	r.mustLaunch(2)
	h = NewHand()
	r.bed.cfg.Hand = h
	done := make(chan []script.Improvisation, 1)
	go func() { done <- h.on(t.Context(), r.bed, r.bed.clock()) }()
	for !h.Standing().Up {
		time.Sleep(time.Millisecond)
	}
	return h, r, func() ([]script.Improvisation, []record.Event) {
		h.End()
		return <-done, r.close()
	}
}

// mustMove makes a move that has its effect.
func (h *Hand) mustMove(t *testing.T, text string) {
	t.Helper()
	if m, err := h.Move(text); err != nil || m.Error != "" || m.Step == "" {
		t.Errorf("%s: %+v, %v", text, m, err)
	}
}

// Moves are made at once and journalled as steps, each in a phase of its own; they are
// written down as a scenario would have them.
func TestMovesByHand(t *testing.T) {
	h, _, end := inHand(t)
	h.mustMove(t, "kill web-2")
	h.mustMove(t, "launch")
	h.mustMove(t, "replace all")
	h.mustMove(t, "scale 1")
	standing := h.Standing()
	if diff := cmp.Diff([]string{"web-4"}, standing.Instances); diff != "" {
		t.Errorf("who serves (-want +got):\n%s", diff)
	}
	if len(standing.Moved) != 4 || standing.Moved[0].Step != "kill web-2" || standing.Moving != "" {
		t.Errorf("%+v", standing)
	}
	done, events := end()
	var phases, steps, journalled []string
	for _, d := range done {
		phases, steps = append(phases, d.Phase), append(steps, d.Step)
		if d.For <= 0 || d.Failed != "" {
			t.Errorf("%+v", d)
		}
	}
	want := []string{"before the first move", "1: kill web-2", "2: launch 1", "3: replace all", "4: scale 1"}
	if diff := cmp.Diff(want, phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "{kill: web-2}", "{launch: 1}", "{replace: all}", "{scale: 1}"}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	for _, e := range events {
		switch e.Kind {
		case record.PhaseBegin, record.PhaseEnd:
			journalled = append(journalled, string(e.Kind)+" "+e.Phase)
		case record.StepBegin, record.StepEnd:
			journalled = append(journalled, string(e.Kind)+" "+e.Step+e.Error)
			if !strings.HasSuffix(e.Phase, e.Step) {
				t.Errorf("%s in phase %q", e.Step, e.Phase)
			}
		}
	}
	if diff := cmp.Diff([]string{"phase-begin before the first move", "phase-end before the first move", "phase-begin 1: kill web-2", "step-begin kill web-2",
		"step-end kill web-2", "phase-end 1: kill web-2", "phase-begin 2: launch 1"}, journalled[:7]); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

// What cannot be done is refused and leaves no trace; so is a move beside another one, and
// one before and after the stack is up.
func TestMovesThatAreRefused(t *testing.T) {
	early := NewHand()
	if _, err := early.Move("kill web-1"); err == nil || err.Error() != "kill web-1: the stack is not up yet; wait until it is" {
		t.Errorf("before the stack is up: %v", err)
	}
	h, r, end := inHand(t)
	for text, want := range map[string]string{
		"kill web-9":           "kill web-9: no such instance at that point (have web-1, web-2)",
		"kil web-1":            `kil: no such move: did you mean "kill"?`,
		"scale 2":              "nothing would happen",
		"heal":                 "heal: no fault has begun",
		"limit web-1 cpus=0.1": "limit web-1, cpus: 0.1: the instances of a stack that is up",
		"fault reload-lb":      "fault reload-lb: the load balancer of a stack that is up has no master",
	} {
		if m, err := h.Move(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", text, m, err, want)
		}
	}
	slow := &hold{pool: r.rack, held: make(chan struct{}), let: make(chan struct{})}
	r.pool = slow
	first := make(chan error, 1)
	go func() { _, err := h.Move("kill web-1"); first <- err }()
	<-slow.held
	if got := h.Standing().Moving; got != "kill web-1" {
		t.Errorf("under way is %q", got)
	}
	if _, err := h.Move("kill web-2"); err == nil || !strings.HasPrefix(err.Error(), "kill web-2: kill web-1 is under way; there is one move at a time") {
		t.Errorf("beside another: %v", err)
	}
	h.End() // waits for it
	close(slow.let)
	if err := <-first; err != nil {
		t.Error(err)
	}
	done, _ := end()
	if len(done) != 2 || done[1].Step != "{kill: web-1}" {
		t.Errorf("%+v", done)
	}
	if _, err := h.Move("kill web-2"); err == nil || err.Error() != "kill web-2: the stack is being taken down" {
		t.Errorf("afterwards: %v", err)
	}
}

// hold is a pool in which a dead instance is marked down only when it is let.
type hold struct {
	pool
	held, let chan struct{}
}

func (h *hold) awaitDown(ctx context.Context, name string) error {
	close(h.held)
	select {
	case <-h.let:
		return h.pool.awaitDown(ctx, name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// One that has no effect is told, and ends nothing. It is no step of what is written down.
func TestAMoveThatFails(t *testing.T) {
	h, r, end := inHand(t)
	r.pool = &hold{pool: r.rack, held: make(chan struct{}), let: make(chan struct{})}
	m, err := h.Move("kill web-1 within=50ms")
	if err != nil || !strings.Contains(m.Error, "kill web-1: no effect within 50ms") {
		t.Fatalf("%+v, %v", m, err)
	}
	r.pool = r.rack
	h.mustMove(t, "launch 2")
	done, events := end()
	if len(done) != 3 || done[1].Step != "" || done[1].Failed == "" || done[2].Step != "{launch: 2}" {
		t.Errorf("%+v", done)
	}
	for kind, about := range map[record.Kind]string{record.StepEnd: "", record.Note: "move kill web-1"} {
		if !slices.ContainsFunc(events, func(e record.Event) bool {
			return e.Kind == kind && e.About == about && strings.Contains(e.Error, "no effect within 50ms")
		}) {
			t.Errorf("the journal has no %s of it", kind)
		}
	}
}

// When the run is called off, so is the move under way.
func TestAMoveIsCalledOffWithTheRun(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(1)
	slow := &hold{pool: r.rack, held: make(chan struct{}), let: make(chan struct{})}
	r.pool = slow
	h := NewHand()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { defer close(over); h.on(ctx, r.bed, r.bed.clock()) }()
	for !h.Standing().Up {
		time.Sleep(time.Millisecond)
	}
	go h.Move("kill web-1")
	<-slow.held
	cancel()
	<-over
}

// What was done stands in the record as its scenario, which the seal covers.
func TestWhatWasDoneIsTheScenario(t *testing.T) {
	h, r, end := inHand(t)
	h.mustMove(t, "kill web-2")
	h.End()
	for h.Standing().Up {
		time.Sleep(time.Millisecond)
	}
	r.bed.cfg.Scenario.Stack.Web.Instances, r.bed.cfg.Scenario.Load.Rate = 2, 50
	r.bed.improvised([]script.Improvisation{{Phase: "1: kill web-2", Step: "{kill: web-2}", For: time.Second}})
	end()
	history, err := record.Read(r.dir)
	if err != nil || len(history.Damage) > 0 {
		t.Fatalf("%v, %v", err, history.Damage)
	}
	s, err := script.Parse("x", history.Scenario, script.Options{Ran: true})
	if err != nil || len(s.Phases) != 1 || s.Phases[0].Do[0].String() != "kill web-2" {
		t.Errorf("%v, %+v", err, s.Phases)
	}
	if _, err := os.Stat(filepath.Join(r.dir, record.ScenarioFile)); err != nil {
		t.Error(err)
	}
}
