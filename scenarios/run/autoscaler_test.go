package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// teller is a metric that answers when the test says so: one decision after the other.
type teller struct {
	asked   chan struct{} // somebody waits for an answer
	answers chan reply
	closed  chan struct{}
}

type reply struct {
	value float64
	err   error
}

func newTeller() *teller {
	return &teller{asked: make(chan struct{}), answers: make(chan reply), closed: make(chan struct{})}
}

func (*teller) time(t time.Time) time.Time { return t }
func (m *teller) close()                   { close(m.closed) }

func (m *teller) ask(ctx context.Context, _ time.Time) ([]autoscale.Sample, error) {
	select {
	case m.asked <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-m.answers:
		if a.err != nil {
			return nil, a.err
		}
		return []autoscale.Sample{{Value: a.value}}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// scaling is an autoscaler at work on a platform in memory.
type scaling struct {
	*rig
	metric *teller
	acting *acting
}

// scale begins it and waits until it asks. The target is 60 for each.
func scale(t *testing.T, r *rig, p autoscale.Policy) *scaling {
	t.Helper()
	p.Form, p.Target, p.Tolerance, p.Every, p.Missing = autoscale.Sum, 60, 0.1, 5*time.Millisecond, autoscale.Hold
	a := newAutoscaler(r.cfg, script.Autoscale{Policy: p}, r.telemetry, r.journal, r.bed.cloud)
	s := &scaling{rig: r, metric: newTeller()}
	a.metric = s.metric
	s.acting = startActors(t.Context(), []actor{a}, r.fleet, r.journal)
	<-s.metric.asked
	return s
}

// tell has it decide by a value, and returns when it has, and has begun its moves.
func (s *scaling) tell(value float64) { s.answer(reply{value: value}) }

func (s *scaling) answer(a reply) {
	s.metric.answers <- a
	<-s.metric.asked
}

// until waits for instances to come or go.
func (s *scaling) until(serve ...string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !cmp.Equal(s.serving(), serve) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%v serve, want %v", s.serving(), serve)
		}
		time.Sleep(time.Millisecond)
	}
}

// decisions ends the load, takes all down, and gives what was decided, as "2 → 4 formula".
func (s *scaling) decisions() (decided []string, events []record.Event) {
	s.t.Helper()
	s.acting.stop(time.Minute)
	<-s.metric.closed
	events = s.close()
	for _, e := range events {
		if e.Kind == record.Decided {
			decided = append(decided, fmt.Sprintf("%d → %d %s", e.Decision.Had, e.Decision.Wanted, e.Decision.Because))
		}
	}
	return decided, events
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
}

func TestAutoscalerFollowsItsMetric(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(2)
	s := scale(t, r, autoscale.Policy{Min: 2, Max: 6})
	s.tell(120)
	s.tell(290)
	s.until("web-1", "web-2", "web-3", "web-4", "web-5")
	s.answer(reply{err: errors.New("connection refused")})
	s.tell(1000)
	s.until("web-1", "web-2", "web-3", "web-4", "web-5", "web-6")
	s.tell(170) // the newest go first
	s.until("web-1", "web-2", "web-3")
	s.tell(0)
	s.until("web-1", "web-2")
	got, events := s.decisions()
	want(t, got, "2 → 2 tolerance", "2 → 5 formula", "5 → 5 no metric", "5 → 6 max", "6 → 3 formula", "3 → 2 min")
	if count := inOrder(t, events); count[record.Serving] != 6 || count[record.Removed] != 4 {
		t.Errorf("%v, want 6 that came and 4 that went", count)
	}
	replayed(t, autoscale.Policy{Min: 2, Max: 6, Form: autoscale.Sum, Target: 60, Tolerance: 0.1, Missing: autoscale.Hold}, events)
}

// replayed makes the decisions of a journal again.
func replayed(t *testing.T, p autoscale.Policy, events []record.Event) (decided []autoscale.Decision) {
	t.Helper()
	scaler := autoscale.New(p)
	for _, e := range events {
		if e.Kind != record.Decided {
			continue
		}
		again, err := json.Marshal(scaler.Decide(e.Decision.At, e.Decision.Reading()))
		if err != nil {
			t.Fatal(err)
		}
		if was, _ := json.Marshal(e.Decision); string(was) != string(again) {
			t.Errorf("decided again: %s, was %s", again, was)
		}
		decided = append(decided, *e.Decision)
	}
	return decided
}

// TestAutoscalerDecidesBeforeItMoves: what the journal has of a decision comes before what it brought about.
func TestAutoscalerDecidesBeforeItMoves(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(2)
	s := scale(t, r, autoscale.Policy{Min: 1, Max: 6})
	s.tell(170)
	s.until("web-1", "web-2", "web-3")
	s.tell(60)
	s.until("web-1")
	_, events := s.decisions()
	var order []string
	for _, e := range events {
		if e.Kind == record.Decided && e.Decision.Wanted != e.Decision.Had || e.Kind == record.Birth && e.Instance == "web-3" || e.Kind == record.Signalled {
			order = append(order, string(e.Kind))
		}
	}
	if diff := cmp.Diff([]string{"decided", "birth", "decided", "signalled", "signalled"}, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// gate is a pool that lets nobody in until it is opened.
type gate struct {
	*rack
	open chan struct{}
}

func (p gate) add(ctx context.Context, h compose.Handle) error {
	select {
	case <-p.open:
		return p.rack.add(ctx, h)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestAutoscalerWaitsForNoMove: while instances are being launched it goes on to decide, and counts them; one that it wants
// no more goes when it serves.
func TestAutoscalerWaitsForNoMove(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(2)
	p := gate{r.rack, make(chan struct{})}
	r.pool = p
	s := scale(t, r, autoscale.Policy{Min: 2, Max: 6})
	s.tell(240)
	s.tell(240)
	s.tell(300)
	s.tell(180) // two of the three that are being launched
	s.tell(180)
	if serving := s.serving(); len(serving) != 2 {
		t.Errorf("%v serve though nobody was let in", serving)
	}
	close(p.open)
	s.until("web-1", "web-2", "web-3")
	got, events := s.decisions()
	want(t, got, "2 → 4 formula", "4 → 4 tolerance", "4 → 5 formula", "5 → 3 formula", "3 → 3 tolerance")
	if count := inOrder(t, events); count[record.Serving] != 5 || count[record.Removed] != 2 {
		t.Errorf("%v, want 5 that came and 2 that went", count)
	}
	for _, e := range events {
		if e.Kind == record.Decided && e.Decision.Had > 2 && len(e.Decision.Ready) != 2 {
			t.Errorf("%v were ready of %d, though nobody was let in", e.Decision.Ready, e.Decision.Had)
		}
	}
}

// TestAutoscalerLeavesAReplacementAlone: an instance that a step is launching cannot be terminated yet; the next newest is.
func TestAutoscalerLeavesAReplacementAlone(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(3)
	p := gate{r.rack, make(chan struct{})}
	r.pool = p
	c := &clock{progress: &notes{}, journal: r.journal, fleet: r.fleet}
	done := make(chan error)
	go func() { done <- c.steps(t.Context(), steps(script.Step{Move: script.Replace{Instance: "web-1"}})) }()
	for len(r.lives.parts.Names()) < 4 {
		time.Sleep(time.Millisecond)
	}
	s := scale(t, r, autoscale.Policy{Min: 1, Max: 6})
	s.tell(120)
	s.until("web-1", "web-2")
	close(p.open)
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.until("web-2", "web-4")
	got, events := s.decisions()
	want(t, got, "3 → 2 formula")
	inOrder(t, events)
}

// TestAutoscalerReplacesWhoDies: nobody else does; a fleet that is too small is filled up without a metric.
func TestAutoscalerReplacesWhoDies(t *testing.T) {
	r := newRig(t)
	names := r.mustLaunch(3)
	s := scale(t, r, autoscale.Policy{Min: 2, Max: 6})
	s.tell(180)
	if err := s.kill(t.Context(), names[0]); err != nil {
		t.Fatal(err)
	}
	s.tell(180)
	s.until("web-2", "web-3", "web-4")
	for _, name := range names[1:] {
		if err := s.kill(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	// The question that was waited for meanwhile counts for nothing.
	s.answer(reply{err: errors.New("no answer")})
	s.until("web-4", "web-5")
	got, _ := s.decisions()
	want(t, got[:2], "3 → 3 tolerance", "2 → 3 formula")
	if got[2] != "1 → 2 out of bounds" {
		t.Errorf("with one left: %s", got[2])
	}
}

// TestAutoscalerTellsOfFailedLaunches: the run goes on, and the next decision sees fewer.
func TestAutoscalerTellsOfFailedLaunches(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(2)
	describe := r.describe
	r.describe = func(web script.Web, number int, statsd string) (compose.Instance, error) {
		if number == 3 {
			return compose.Instance{}, errors.New("no idea what it is")
		}
		return describe(web, number, statsd)
	}
	s := scale(t, r, autoscale.Policy{Min: 2, Max: 6})
	s.tell(180)
	for len(s.roster()) != 2 {
		time.Sleep(time.Millisecond)
	}
	s.tell(180)
	s.until("web-1", "web-2", "web-4")
	got, events := s.decisions()
	want(t, got, "2 → 3 formula", "2 → 3 formula")
	var troubles []string
	for _, e := range events {
		if e.Kind == record.Trouble {
			troubles = append(troubles, e.About+": "+e.Error)
		}
	}
	if diff := cmp.Diff([]string{"autoscaler: launch web-3: no idea what it is"}, troubles); diff != "" {
		t.Errorf("troubles (-want +got):\n%s", diff)
	}
}

// TestAutoscalerFinishesItsMoves: the end of the load ends decisions, and waits for moves that have begun.
func TestAutoscalerFinishesItsMoves(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(2)
	p := gate{r.rack, make(chan struct{})}
	r.pool = p
	s := scale(t, r, autoscale.Policy{Min: 2, Max: 6})
	s.tell(180)
	s.acting.cancel()
	select {
	case <-s.acting.done:
		t.Error("it did not wait")
	case <-time.After(50 * time.Millisecond): // it would have returned at once
	}
	close(p.open)
	<-s.acting.done
	if serving := s.serving(); len(serving) != 3 {
		t.Errorf("%v serve after the last move, want 3", serving)
	}
}

// TestWarmUp: who serves is ready when it has done so for its time; who is launched or replaced is not.
func TestWarmUp(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		since  time.Time
		warmUp time.Duration
		want   bool
	}{
		{time.Time{}, 0, false}, {now, 0, true}, {now.Add(-time.Second), time.Second, true}, {now.Add(-time.Second), 2 * time.Second, false},
	} {
		if got := (member{since: c.since}).ready(now, c.warmUp); got != c.want {
			t.Errorf("serving since %v, warm-up %v: ready is %v", now.Sub(c.since), c.warmUp, got)
		}
	}
}

// TestRosterBesideAReplacement: the old one counts no more from the begin of the step, so that the fleet is never one too large.
func TestRosterBesideAReplacement(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(2)
	p := gate{r.rack, make(chan struct{})}
	r.pool = p
	c := &clock{progress: &notes{}, journal: r.journal, fleet: r.fleet}
	done := make(chan error)
	go func() { done <- c.steps(t.Context(), steps(script.Step{Move: script.Replace{Instance: "web-1"}})) }()
	for len(r.lives.parts.Names()) < 3 {
		time.Sleep(time.Millisecond)
	}
	var names []string
	for _, m := range r.roster() {
		names = append(names, m.name)
	}
	if got := strings.Join(names, " "); got != "web-2 web-3" {
		t.Errorf("on the roster are %s, want web-2 and web-3", got)
	}
	close(p.open)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestStepsOnWhoeverItIs: a step does it to whom its word stands for, and the journal tells who that was; the same seed
// draws the same.
func TestStepsOnWhoeverItIs(t *testing.T) {
	drawn := func(seed uint64) (all []string) {
		r := newRig(t)
		r.mustLaunch(6)
		r.bed.cfg.Run.Seed = seed
		c := r.bed.clock()
		err := c.steps(t.Context(), steps(
			script.Step{Move: script.Kill{Instance: script.Newest}}, script.Step{Move: script.Terminate{Instance: script.Oldest}},
			script.Step{Move: script.Replace{Instance: script.Newest}}, script.Step{Move: script.Kill{Instance: script.AnyOne}},
			script.Step{Move: script.Terminate{Instance: script.AnyOne}}, script.Step{Move: script.Kill{Instance: "web-7"}}))
		if err != nil && err.Error() != "kill web-7: web-7: is gone by now, so there is no such instance" && !endedByOther(err) {
			t.Error(err)
		}
		events := r.close()
		inOrder(t, events)
		for _, e := range events {
			if e.Kind == record.StepEnd {
				all = append(all, e.Step+": "+e.Instance)
			}
		}
		return all
	}
	one := drawn(1)
	want(t, one[:3], "kill newest: web-6", "terminate oldest: web-1", "replace newest: web-5")
	if one[5] != "kill web-7: " {
		t.Errorf("a step that names an instance: %q", one[5])
	}
	want(t, drawn(1), one...)
	others := 0
	for seed := range uint64(8) {
		if drawn(seed + 2)[3] != one[3] {
			others++
		}
	}
	if others == 0 {
		t.Errorf("nine seeds drew %q", one[3])
	}
}

// TestNobodyStandsForAWord: where nobody serves, a step has no effect and says why.
func TestNobodyStandsForAWord(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(1)
	c := r.bed.clock()
	err := c.steps(t.Context(), steps(script.Step{Move: script.Kill{Instance: script.AnyOne}}, script.Step{Move: script.Kill{Instance: script.Newest}}))
	if err == nil || err.Error() != "kill newest: no instance serves" {
		t.Errorf("got %v", err)
	}
}
