package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// versioned is a web instance of a version.
func versioned(version string, env map[string]string) script.Web {
	return script.Web{Version: version, Env: env, Command: []string{"web", "--addr", "{{.Host}}:{{.Port}}"}, Health: "/healthz", Stop: time.Minute}
}

// newVersioned is a rig whose instances are v1, and who make moves.
func newVersioned(t *testing.T) (*rig, *clock) {
	t.Helper()
	r := newRigOf(t, func(c *Config) { c.Scenario.Stack.Web = versioned("v1", nil) })
	return r, r.bed.clock()
}

func (r *rig) mustDo(c *clock, moves ...script.Move) {
	r.t.Helper()
	for _, m := range moves {
		if err := c.do(r.t.Context(), script.Step{Move: m, Within: time.Minute}); err != nil {
			r.t.Fatalf("%v: %v", m, err)
		}
	}
}

// born tells of each instance its version, as the journal has it.
func born(events []record.Event) map[string]string {
	of := map[string]string{}
	for _, e := range events {
		if e.Kind == record.Birth {
			of[e.Instance] = e.Version
		}
	}
	return of
}

// A deploy replaces all, a canary some; what is launched later is what was deployed, and the
// version before beside a canary. A rollback takes both back.
func TestDeploy(t *testing.T) {
	r, c := newVersioned(t)
	r.mustLaunch(3)
	v2, v3 := versioned("v2", map[string]string{"FLAG": "on"}), versioned("v3", nil)
	for _, step := range []struct {
		moves []script.Move
		want  string
	}{
		{[]script.Move{script.Deploy{Web: v2}}, "web-4:v2 web-5:v2 web-6:v2"},
		{[]script.Move{script.Deploy{Web: v3, Canary: 1}, script.Launch{Count: 1}}, "web-5:v2 web-6:v2 web-7:v3 web-8:v2"},
		{[]script.Move{script.Replace{Instance: "web-7"}}, "web-5:v2 web-6:v2 web-8:v2 web-9:v2"},
		{[]script.Move{script.Deploy{Web: v3, Canary: 1}, script.Deploy{Web: v3}}, "web-10:v3 web-11:v3 web-12:v3 web-13:v3"},
		{[]script.Move{script.Rollback{Version: "v1"}, script.Scale{Count: 5}}, "web-14:v1 web-15:v1 web-16:v1 web-17:v1 web-18:v1"},
	} {
		r.mustDo(c, step.moves...)
		of, serve := r.deployed().Of, []string{}
		for _, name := range r.serving() {
			serve = append(serve, name+":"+of[name])
		}
		if got := strings.Join(serve, " "); got != step.want {
			t.Errorf("after %v there are %s, want %s", step.moves, got, step.want)
		}
	}
	r.mustDo(c, script.Deploy{Web: versioned("v4", nil), Canary: 2}, script.Rollback{Version: "v1"})
	of := r.deployed().Of
	for _, name := range r.serving() {
		if of[name] != "v1" {
			t.Errorf("%s is %s after the canary was taken back", name, of[name])
		}
	}
	events := r.close()
	got := born(events)
	for name, want := range map[string]string{"web-1": "v1", "web-6": "v2", "web-7": "v3", "web-8": "v2", "web-19": "v4", "web-20": "v4", "web-21": "v1"} {
		if got[name] != want {
			t.Errorf("the journal has %s as %q, want %q", name, got[name], want)
		}
	}
	inOrder(t, events)
}

// Without versions, a birth has none, and no series a label of that name.
func TestNoVersions(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(1)
	if labels := r.telemetry.listeners["web-1"].labels; labels.Get(record.LabelVersion) != "" || labels.Get("zone") != "a" {
		t.Errorf("labels %v", labels)
	}
	if got := born(r.close()); got["web-1"] != "" {
		t.Errorf("web-1 is %q", got["web-1"])
	}
	r, c := newVersioned(t)
	r.mustLaunch(1)
	r.mustDo(c, script.Deploy{Web: versioned("v2", nil)})
	if labels := r.telemetry.listeners["web-2"].labels; labels.Get(record.LabelVersion) != "v2" || labels.Get("zone") != "b" {
		t.Errorf("labels %v", labels)
	}
}

// Each version is told what is its own.
func TestAVersionIsToldWhatIsItsOwn(t *testing.T) {
	r, c := newVersioned(t)
	told := map[string]map[string]string{}
	describe := r.describe
	r.describe = func(web script.Web, number int, statsd string) (compose.Instance, error) {
		i, err := describe(web, number, statsd)
		told[i.Name] = i.Env
		return i, err
	}
	r.mustLaunch(1)
	r.mustDo(c, script.Deploy{Web: versioned("v2", map[string]string{"FLAG": "on"})}, script.Rollback{Version: "v1"})
	if told["web-2"]["FLAG"] != "on" || told["web-2"]["VERSION"] != "v2" || told["web-3"]["FLAG"] != "" || told["web-3"]["VERSION"] != "v1" {
		t.Errorf("they were told %v", told)
	}
}

// held is a pool that adds nobody until it is let go.
type held struct {
	*rack
	adding chan string // who waits
	letGo  chan struct{}
}

func (p held) add(ctx context.Context, h compose.Handle) error {
	select {
	case p.adding <- h.Name():
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-p.letGo:
		return p.rack.add(ctx, h)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// One of the old version that somebody else was just launching when the deploy began is
// replaced too, and one that somebody else ends meanwhile is done.
func TestADeployBesideAnActor(t *testing.T) {
	r, c := newVersioned(t)
	r.mustLaunch(2)
	p := held{r.rack, make(chan string), make(chan struct{})}
	r.pool = p
	launched := make(chan error, 1)
	go func() {
		_, err := r.launch(context.WithoutCancel(t.Context()), 1) // web-3, of v1
		launched <- err
	}()
	if name := <-p.adding; name != "web-3" {
		t.Fatalf("%s is being launched", name)
	}
	r.pool = r.rack
	deployed := make(chan error, 1)
	go func() {
		deployed <- c.do(context.WithoutCancel(t.Context()), script.Step{Move: script.Deploy{Web: versioned("v2", nil)}, Within: time.Minute})
	}()
	for r.deployed().Of["web-5"] == "" || len(r.serving()) != 2 || r.deployed().Of[r.serving()[0]] != "v2" {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-deployed:
		t.Fatalf("the deploy was over before web-3 served: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(p.letGo)
	if err := errors.Join(<-launched, <-deployed); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"web-4", "web-5", "web-6"}, r.serving()); diff != "" {
		t.Errorf("who serves (-want +got):\n%s", diff)
	}
}

// Deploys hold beside an actor that launches and ends at will.
func TestADeployBesideARestlessActor(t *testing.T) {
	r, c := newVersioned(t)
	r.mustLaunch(3)
	beside := &restless{seed: 3, most: 3, every: time.Millisecond}
	acting := startActors(t.Context(), []actor{beside}, r.fleet, r.journal)
	for _, m := range []script.Move{script.Deploy{Web: versioned("v2", nil)}, script.Rollback{Version: "v1"}, script.Deploy{Web: versioned("v3", nil)}} {
		r.mustDo(c, m)
		version, of := r.deployed().Current(), r.deployed().Of
		for _, name := range r.serving() {
			if of[name] != version {
				t.Errorf("after %v, %s of %s serves", m, name, of[name])
			}
		}
	}
	acting.stop(time.Minute)
	inOrder(t, r.close())
	if beside.launched.Load() == 0 || beside.ended.Load() == 0 {
		t.Errorf("the actor launched %d and ended %d", beside.launched.Load(), beside.ended.Load())
	}
}

// A version that does not come to serve ends the step, and what served goes on.
func TestAVersionThatDoesNotServe(t *testing.T) {
	r, c := newVersioned(t)
	r.mustLaunch(2)
	broken := versioned("v2", nil)
	broken.Command = []string{"nothing"}
	if err := c.do(t.Context(), script.Step{Move: script.Deploy{Web: broken}, Within: time.Minute}); err == nil {
		t.Error("it was deployed")
	}
	if diff := cmp.Diff([]string{"web-1", "web-2"}, r.serving()); diff != "" {
		t.Errorf("who serves (-want +got):\n%s", diff)
	}
	r.mustDo(c, script.Rollback{Version: "v1"}, script.Launch{Count: 1})
	if of := r.deployed().Of; of["web-4"] != "v1" {
		t.Errorf("%v after the rollback", of)
	}
}

// By hand it is as in a file; what a version was told is not in the record.
func TestDeployByHand(t *testing.T) {
	h := NewHand()
	r := newRigOf(t, func(c *Config) {
		c.Hand, c.Scenario.Stack.Web, c.Scenario.Load.Rate = h, versioned("", nil), 10
		c.Scenario.Stack.Web.Instances = 2
	})
	r.mustLaunch(2)
	done := make(chan []script.Improvisation, 1)
	go func() { done <- h.on(t.Context(), r.bed, r.bed.clock()) }()
	for !h.Standing().Up {
		time.Sleep(time.Millisecond)
	}
	h.mustMove(t, "{deploy: {version: v2, env: {TOKEN: correcthorse}}, canary: 1}")
	h.mustMove(t, "rollback")
	h.mustMove(t, "deploy v2")
	for text, want := range map[string]string{
		"deploy v1": "want rollback: v1", "rollback v3": "no such version before that point (have v1, v2)",
		"{deploy: {version: v3, image: shop}}": "deploy v3: image shop: it was not looked for",
	} {
		if _, err := h.Move(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	h.End()
	r.bed.improvised(<-done)
	of := born(r.close())
	if of["web-1"] != "v1" || of["web-3"] != "v2" || of["web-4"] != "v1" || of["web-5"] != "v2" {
		t.Errorf("%v", of)
	}
	history, err := record.Read(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(history.Scenario); strings.Contains(text, "correcthorse") || !strings.Contains(text, "deploy: {version: v2, env: {TOKEN: \"***\"}}") || !strings.Contains(text, "{deploy: v2}") {
		t.Errorf("the record's scenario:\n%s", text)
	}
	if _, err := script.Parse("x", history.Scenario, script.Options{}); err != nil {
		t.Errorf("it cannot be run again: %v", err)
	}
}
