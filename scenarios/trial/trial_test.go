package trial

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/live"
	"throughline/scenarios/record"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// saved are records of real runs.
const saved = "../testdata/records"

// savedBy is the version that the saved verdicts name.
const savedBy = "tests"

// scenario is one that reads.
func scenario(t *testing.T, name, stack, do string) script.Scenario {
	t.Helper()
	s, err := script.Parse(name+".yaml", []byte(`scenario: `+name+`
stack: `+stack+`
load: {rate: 10/s}
phases:
  - {phase: one, for: 2s`+do+`}
checks:
  - continuity: {metric: fullstack.insert}
`), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What goes wrong after a record was closed takes no verdict away; what goes wrong
// before does, and the record of another run is no substitute.
func TestARecordThatIsWholeIsJudged(t *testing.T) {
	quiet := filepath.Join(saved, "quiet")
	whole, err := record.Read(quiet)
	if err != nil {
		t.Fatal(err)
	}
	cut := t.TempDir()
	if err := os.CopyFS(cut, os.DirFS(quiet)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(cut, record.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	journal := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(filepath.Join(cut, record.JournalFile), []byte(strings.Join(journal[:len(journal)-2], "")), 0o644); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("mongo-1 is still there")
	for _, c := range []struct {
		name, dir, id string
		failed, want  error
	}{
		{"in order", quiet, whole.Run.ID, nil, nil},
		{"it failed after the end", quiet, whole.Run.ID, failed, nil},
		{"it failed before the end", cut, whole.Run.ID, failed, failed},
		{"another run's", quiet, "x", failed, failed},
		{"no record", t.TempDir(), "x", failed, failed},
	} {
		h, err := readRecorded(c.dir, c.id, c.failed)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.want == nil && len(h.Requests) != len(whole.Requests) {
			t.Errorf("%s: %d requests, want %d", c.name, len(h.Requests), len(whole.Requests))
		}
	}
}

// A run's configuration is the trial's, and tells the record what was used.
func TestConfig(t *testing.T) {
	none := scenario(t, "none", "{web: {instances: 1, command: [app]}, mongo: none}", "")
	some := scenario(t, "some", "{web: {instances: 1}}", "")
	for _, c := range []struct {
		trial Trial
		want  string
	}{
		{Trial{Scenario: none, MongoURI: "mongodb://x"}, record.NoDatabase},
		{Trial{Scenario: some}, Embedded},
		{Trial{Scenario: some, MongoURI: "mongodb://x"}, foreign},
		{Trial{Scenario: some, On: Environment{MongoDB: true}}, foreign},
	} {
		if got := c.trial.config(time.Now()).Run.Database; got != c.want {
			t.Errorf("%s with %q: the record has database %s, want %s", c.trial.Scenario.Name, c.trial.MongoURI, got, c.want)
		}
	}
	at := time.UnixMilli(1)
	c := Trial{Scenario: some, Seed: 7, Dir: "d", Version: "v1", On: Environment{Platform: "local", HAProxyVersion: "2.6"}}.config(at)
	if r := c.Run; r.Seed != 7 || r.Platform != "local" || r.Interval != Interval || !r.Start.Equal(at) || r.Versions["throughline"] != "v1" || r.Versions["haproxy"] != "2.6" || c.Dir != "d" {
		t.Errorf("the configuration is %+v", c)
	}
}

// What a run tells reaches who watches; a run that nobody watches tells nobody.
func TestFeed(t *testing.T) {
	var stream live.Stream
	v := stream.Watch(10)
	for _, f := range []feed{{&stream}, {nil}} {
		f.Phase("one", 2)
		f.Step("kill web-1", time.Second, errors.New("no effect"))
		f.Tick(live.Status{Acked: 3})
		f.EndPhase(time.Minute, live.Status{Acked: 4})
		f.Note("waiting")
	}
	stream.End()
	for _, want := range []func(live.Event) bool{
		func(e live.Event) bool { return e.Kind == live.PhaseBegin && e.Phase == "one" && e.Index == 2 },
		func(e live.Event) bool {
			return e.Kind == live.StepEnd && e.Took == time.Second && e.Error == "no effect"
		},
		func(e live.Event) bool { return e.Kind == live.Tick && e.Status.Acked == 3 },
		func(e live.Event) bool {
			return e.Kind == live.PhaseEnd && e.Took == time.Minute && e.Status.Acked == 4
		},
		func(e live.Event) bool { return e.Kind == live.Note && e.Text == "waiting" },
	} {
		if e, _, err := v.Next(t.Context()); err != nil || !want(e) {
			t.Errorf("a viewer sees %+v (%v)", e, err)
		}
	}
	if _, _, err := v.Next(t.Context()); err == nil {
		t.Error("a viewer sees more than was told")
	}
}

// A platform is taken away again with a time of its own, also when the run was called
// off; and what goes wrong then is told.
func TestAnEnvironmentIsTakenAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	left, stuck := errors.New("left"), errors.New("stuck")
	e := Environment{Limit: time.Minute, Open: func(_ context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
		c.Scratch = "here"
		return c, func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); ctx.Err() != nil || !limited {
				t.Errorf("its context: %v, limited %v", ctx.Err(), limited)
			}
			return left
		}, nil
	}}
	err := e.do(ctx, run.Config{}, func(_ context.Context, c run.Config) error {
		cancel()
		if c.Scratch != "here" {
			t.Error("the run does not get what was opened")
		}
		return stuck
	})
	if !errors.Is(err, left) || !errors.Is(err, stuck) {
		t.Errorf("the error is %v, want both", err)
	}
	e.Open = func(_ context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
		return c, nil, left
	}
	if err := e.do(t.Context(), run.Config{}, nil); !errors.Is(err, left) {
		t.Errorf("a platform that cannot be made: %v", err)
	}
}
