package run

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose/local"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// restless launches and ends instances at random, until it is stopped.
type restless struct {
	seed  uint64
	own   bool          // it ends only those that it has launched
	most  int           // it launches at once
	every time.Duration // between its moves

	launched, ended, lost atomic.Int32
}

func (*restless) name() string { return "restless" }

func (a *restless) act(ctx context.Context, on moves) error {
	random := rand.New(rand.NewPCG(a.seed, 0))
	var mine []string
	moving := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		var who []string
		for _, m := range on.roster() {
			if !m.since.IsZero() {
				who = append(who, m.name)
			}
		}
		if a.own {
			who = slices.DeleteFunc(mine, func(name string) bool { return !slices.Contains(who, name) })
		}
		if n := len(who); n == 0 || n < 6 && a.ended.Load() > 0 && random.IntN(2) == 0 {
			names, err := on.order(moving, 1+random.IntN(a.most)).await()
			if err != nil {
				return err
			}
			mine = append(mine, names...)
			a.launched.Add(int32(len(names)))
		} else {
			var err error
			if name := who[random.IntN(n)]; random.IntN(2) == 0 {
				err = on.kill(moving, name)
			} else {
				err = on.terminate(moving, name, random.IntN(3) > 0)
			}
			switch {
			case err == nil:
				a.ended.Add(1)
			case endedByOther(err):
				a.lost.Add(1)
			default:
				return err
			}
		}
		_ = sleepUntil(ctx, time.Now().Add(a.every))
	}
	return ctx.Err()
}

// failing returns an error at once.
type failing struct{ err error }

func (failing) name() string                       { return "failing" }
func (f failing) act(context.Context, moves) error { return f.err }

// stubborn does not stop when it is told to.
type stubborn struct{ until chan struct{} }

func (stubborn) name() string { return "stubborn" }
func (s stubborn) act(context.Context, moves) error {
	<-s.until
	return errors.New("too late to be told")
}

func steps(all ...script.Step) script.Phase {
	for i := range all {
		all[i].Within = time.Minute
	}
	return script.Phase{Name: "all at once", Do: all}
}

// Two actors act at random beside the steps of a scenario, and books and journal
// are those of the instances that are there.
func TestActorsBesideSteps(t *testing.T) {
	r := newRig(t)
	first := r.mustLaunch(3)
	one, two := &restless{seed: 1, own: true, most: 2}, &restless{seed: 2, own: true, most: 2}
	acting := startActors(t.Context(), []actor{one, two}, r.fleet, r.journal)
	c := &clock{progress: &notes{}, journal: r.journal, fleet: r.fleet}
	err := c.steps(t.Context(), steps(
		script.Step{Move: script.Scale{Count: 6}}, script.Step{Move: script.Launch{Count: 2}}, script.Step{Move: script.Kill{Instance: first[0]}},
		script.Step{Move: script.Scale{Count: 4}}, script.Step{Move: script.Launch{Count: 2}},
		script.Step{Move: script.Replace{Instance: script.ReplaceAll}}, script.Step{Move: script.Scale{Count: 9}}, script.Step{Move: script.Scale{Count: 1}}))
	if err != nil {
		t.Error(err)
	}
	acting.stop(time.Minute)
	r.settled(t, one, two)
}

// The same without regard for each other: a step may lose its instance to an actor,
// and says so.
func TestActorsAgainstSteps(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(3)
	one, two := &restless{seed: 3, most: 2}, &restless{seed: 4, most: 2}
	acting := startActors(t.Context(), []actor{one, two}, r.fleet, r.journal)
	c := &clock{progress: &notes{}, journal: r.journal, fleet: r.fleet}
	for range 8 {
		for _, do := range []func(who string) script.Move{
			func(string) script.Move { return script.Launch{Count: 1} },
			func(who string) script.Move { return script.Kill{Instance: who} },
			func(who string) script.Move { return script.Terminate{Instance: who} },
		} {
			who := append(r.serving(), "") // none, and nothing can be done to nobody
			move := do(who[0])
			if who[0] == "" && move.Kind() != "launch" {
				continue
			}
			if err := c.steps(t.Context(), steps(script.Step{Move: move})); err != nil && !endedByOther(err) {
				t.Error(err)
			}
		}
	}
	acting.stop(time.Minute)
	r.settled(t, one, two)
}

// settled checks what is left when all have stopped, and takes it down.
func (r *rig) settled(t *testing.T, actors ...*restless) {
	t.Helper()
	serving := r.serving()
	if diff := cmp.Diff(serving, r.rack.names()); diff != "" {
		t.Errorf("who serves (-), and whom the load balancer has (+):\n%s", diff)
	}
	if diff := cmp.Diff(serving, r.registered()); diff != "" {
		t.Errorf("who serves (-), and who is listened for (+):\n%s", diff)
	}
	count := inOrder(t, r.close())
	if born, ended := count[record.Serving], count[record.Death]; born != count[record.Birth] || ended != count[record.Removed] || born-ended != len(serving) {
		t.Errorf("%v, want births less deaths to be the %d that serve", count, len(serving))
	}
	var launched, ended int32
	for _, a := range actors {
		launched, ended = launched+a.launched.Load(), ended+a.ended.Load()
	}
	if launched == 0 || ended == 0 {
		t.Errorf("the actors launched %d and ended %d", launched, ended)
	}
}

// What goes wrong with an actor is a trouble of the run, while the run is there.
func TestTroubleWithActors(t *testing.T) {
	r := newRig(t)
	late := stubborn{make(chan struct{})}
	acting := startActors(t.Context(), []actor{failing{errors.New("no idea")}, failing{nil}, failing{context.Canceled}, late}, r.fleet, r.journal)
	acting.stop(time.Second)
	close(late.until)
	<-acting.done
	var said []string
	for _, e := range r.close() {
		if e.Kind == record.Trouble {
			said = append(said, e.About+": "+e.Error)
		}
	}
	slices.Sort(said)
	want := []string{"actors: still at work 1s after they were told to stop; what they do is called off with the stack", "failing: no idea"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// runLocally is a whole run on the local platform with HAProxy, of a web server of the tests as {{app}}, and gives its
// record. change changes how it is run.
func runLocally(t *testing.T, source string, change func(*Config)) (script.Scenario, record.History) {
	t.Helper()
	bin, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("NOT TESTED: haproxy is not on PATH")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	source = strings.ReplaceAll(source, "{{app}}", self+`, web, --addr, "{{.Host}}:{{.Port}}"`)
	scenario, err := script.Parse("x.yaml", []byte(source), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	platform, err := local.New(local.Config{Dir: filepath.Join(dir, "run"), Self: self})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Scenario: scenario, Dir: filepath.Join(dir, "run"), Scratch: platform.Scratch(), Platform: platform, HAProxy: bin, Progress: &notes{},
		Run: record.Run{ID: "r", Scenario: "x", Start: time.Now(), Interval: 200 * time.Millisecond, Database: record.NoDatabase},
	}
	change(&c)
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	history, err := record.Read(c.Dir)
	if err != nil || len(history.Damage) > 0 {
		t.Fatal(err, history.Damage)
	}
	inOrder(t, withoutLoadTroubles(history.Events))
	return scenario, history
}

// A whole run on the local platform with HAProxy, and an actor beside its steps.
func TestActorBesideARun(t *testing.T) {
	beside := &restless{seed: 5, own: true, most: 1, every: 50 * time.Millisecond}
	_, history := runLocally(t, `
scenario: x
stack:
  mongo: none
  web: {instances: 2, command: [{{app}}], routes: {look: GET /env}}
load: {rate: 20/s, mix: {look: 1}}
phases:
  - {phase: more, do: [{scale: 4}, {kill: web-1}], for: 1s}
  - {phase: less, do: [{scale: 2}, {launch: 2}], for: 1s}
checks:
  - continuity: {metric: any.thing}
`, func(c *Config) { c.actors = []actor{beside} })
	if beside.launched.Load() == 0 || beside.ended.Load() == 0 {
		t.Errorf("the actor launched %d and ended %d", beside.launched.Load(), beside.ended.Load())
	}
	done := 0
	for i, e := range history.Events {
		switch {
		case e.Kind == record.StepEnd && e.Error == "":
			done++
		case e.Kind == record.StepEnd:
			t.Errorf("%s: %s", e.Step, e.Error)
		case e.Kind == record.LoadEnd:
			for _, after := range history.Events[i:] {
				if after.Role == record.Web && after.Kind != record.Note {
					t.Errorf("%s %s after the load", after.Kind, after.Instance)
				}
			}
		}
	}
	if done != 4 || history.Events[len(history.Events)-1].Kind != record.RunEnd {
		t.Errorf("%d steps were done, and last came %v", done, history.Events[len(history.Events)-1].Kind)
	}
}

// withoutLoadTroubles leaves out that a busy machine kept the load from its
// schedule, or the kernel from its buffers.
func withoutLoadTroubles(events []record.Event) []record.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e record.Event) bool {
		return e.Kind == record.Trouble && (e.About == "load" || strings.HasPrefix(e.About, "poller "))
	})
}
