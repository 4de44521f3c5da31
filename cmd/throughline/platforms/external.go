package platforms

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"throughline/compose/external"
	"throughline/scenarios/record"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
	"throughline/scratch"
)

// A stack that is there already (stack.external) is not chosen by --platform: the scenario says that it is there.

// lookThere looks for what scenarios need whose stacks are there: addresses that may be put under load, and the programs of their
// commands. Nothing of a stack is asked or changed.
func lookThere(ctx context.Context, all []script.Scenario, o Options) (trial.Environment, []error) {
	guard := external.Guard{Own: o.Own}
	var missing []error
	for _, s := range all {
		x := s.Stack.External
		say := func(err error) { missing = append(missing, fmt.Errorf("%s: stack.external.%w", s.Name, err)) }
		if _, err := guard.Resolve(ctx, x.URL); err != nil {
			say(fmt.Errorf("url: %w", err))
		}
		if x.Health != "" {
			// An instance that is to be launched may have no address yet; each probe looks at the one that it connects to.
			if _, err := guard.Resolve(ctx, strings.ReplaceAll(x.Health, "{{.Name}}", x.Instances[0])); err != nil {
				say(fmt.Errorf("health: %w", err))
			}
		}
		for _, c := range commandsOf(*x) {
			if err := external.Find(c.words, dirOf(s)); err != nil {
				say(fmt.Errorf("%s: %w", c.key, err))
			}
		}
	}
	return trial.Environment{Platform: record.External, Open: openThere(guard), Limit: 10 * time.Second}, missing
}

// command is one of the user's, with its key.
type command struct {
	key   string
	words []string
}

func commandsOf(x script.External) (all []command) {
	add := func(key string, words []string) {
		if len(words) > 0 {
			all = append(all, command{key, words})
		}
	}
	add("alive", x.Alive)
	for _, kind := range []string{external.Kill, external.Terminate, external.Launch, external.Scale} {
		add("do."+kind, x.Do[kind])
	}
	add("after", x.After)
	return all
}

// dirOf is where the commands of a scenario run: beside its file.
func dirOf(s script.Scenario) string { return filepath.Dir(s.File) }

// openThere resolves where users go once more, and has that address held for the run.
func openThere(guard external.Guard) func(context.Context, run.Config) (run.Config, func(context.Context) error, error) {
	return func(ctx context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
		x := c.Scenario.Stack.External
		dial, err := guard.Resolve(ctx, x.URL)
		if err != nil {
			return c, nil, err
		}
		self, err := OwnFile()
		if err != nil {
			return c, nil, err
		}
		dir, err := scratch.New("external")
		if err != nil {
			return c, nil, err
		}
		hears := func(run.Command) {}
		told := func(r external.Ran) { hears(heard(r)) }
		platform := external.New(external.Config{Instances: x.Instances, Do: x.Do, Alive: x.Alive, Health: x.Health, Dir: dirOf(c.Scenario), Guard: guard, Told: told})
		c.Platform, c.Scratch, c.Worker = platform, dir.Path, []string{self, "worker"}
		c.There = run.There{Dial: dial, Tell: func(to func(run.Command)) { hears = to }}
		if len(x.After) > 0 {
			c.There.After = func(ctx context.Context) error {
				r := platform.Run(ctx, x.After)
				told(r)
				return r.Failed()
			}
		}
		return c, func(ctx context.Context) error { return errors.Join(platform.Close(ctx), dir.Remove()) }, nil
	}
}

func heard(r external.Ran) run.Command {
	return run.Command{Text: strings.Join(r.Command, " "), Instance: r.Instance, Begin: r.Begin, Code: r.Code, Output: r.Output, Err: r.Err}
}

// apart are the scenarios whose stack is there already, and the others.
func apart(all []script.Scenario) (there, ours []script.Scenario) {
	for _, s := range all {
		if s.Stack.External != nil {
			there = append(there, s)
		} else {
			ours = append(ours, s)
		}
	}
	return there, slices.Clip(ours)
}
