package platforms

import (
	"context"
	"fmt"
	"slices"
	"time"

	"throughline/compose/haproxy"
	"throughline/compose/httpd"
	"throughline/compose/local"
	"throughline/compose/mongoset"
	"throughline/compose/owndisk"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

func onLocal() Platform {
	return Platform{
		Name: "local", About: "child processes",
		Lacks: trial.Lacks{Images: "the local platform has no images; give stack.web.command, or --platform docker"},
		Guard: local.Guard, look: lookLocal,
		refuses: func(o Options) error {
			if err := o.Kubernetes.refusedElsewhere(); err != nil {
				return err
			}
			if o.MongoImage != "" {
				return fmt.Errorf("--mongo-image %s: the local platform has no images; name a mongod of this machine with --mongod, or take --platform docker", o.MongoImage)
			}
			return nil
		},
	}
}

func lookLocal(ctx context.Context, all []script.Scenario, o Options) (have trial.Environment, missing []error) {
	have = trial.Environment{Open: openLocal, Limit: 10 * time.Second}
	var err error
	if have.HAProxy, err = haproxy.Find(o.HAProxy); err != nil {
		missing = append(missing, err)
	} else if release, err := haproxy.Version(ctx, have.HAProxy); err != nil {
		missing = append(missing, err)
	} else {
		have.HAProxyVersion = release.Text
	}
	if slices.ContainsFunc(all, func(s script.Scenario) bool { return s.Stack.HTTPD }) {
		if have.HTTPD, err = httpd.Find(ctx); err != nil {
			missing = append(missing, err)
		}
	}
	if o.Mongod != "" {
		if have.Mongod, err = mongoset.Find(ctx, o.Mongod); err != nil {
			missing = append(missing, err)
		}
		have.Database, have.MongoDB, have.Chosen = run.MongodProgram(have.Mongod.Path), true, true
	}
	for _, s := range all {
		missing = append(missing, impossible(s)...)
		for _, look := range looks {
			if !s.Needs(look.need) {
				continue
			}
			if err := look.possible(); err != nil {
				missing = append(missing, fmt.Errorf("%s: %w", s.Name, err))
			}
		}
	}
	return have, missing
}

// looks are what a scenario may need of this machine, in the order in which it is told that it lacks them.
var looks = []struct {
	need     script.Need
	possible func() error
}{{script.CPULimits, local.CanLimitCPU}, {script.OwnDisk, diskPossible}}

// impossible tells which versions of the application cannot be executed here, each program
// once. Those that are images it lacks.
func impossible(s script.Scenario) (missing []error) {
	if s.Stack.Agent.There() {
		if err := local.Possible(run.AgentProgram(s)); err != nil {
			missing = append(missing, fmt.Errorf("%s: stack.agent: %w", s.Name, err))
		}
	}
	for _, role := range s.Stack.Roles() {
		for i, web := range s.VersionsOf(role) {
			if web.Image != "" || i > 0 && slices.Equal(web.Command, role.Command) && role.Image == "" {
				continue
			}
			err := local.Possible(run.WebProgram(web, s.Dir()))
			switch {
			case err != nil && i == 0:
				missing = append(missing, fmt.Errorf("%s: %w", s.Name, err))
			case err != nil:
				missing = append(missing, fmt.Errorf("%s: deploy %s: %w", s.Name, web.Version, err))
			}
		}
	}
	return missing
}

func diskPossible() error {
	if err := owndisk.Possible(); err != nil {
		return fmt.Errorf("fault %s: %w; leave it out", script.FillDisk{}.Name(), err)
	}
	return nil
}

func openLocal(_ context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
	self, err := OwnFile()
	if err != nil {
		return c, nil, err
	}
	platform, err := local.New(local.Config{Dir: c.Dir, Self: self, Guard: []string{"guard", "local"}})
	if err != nil {
		return c, nil, err
	}
	c.Platform, c.Scratch, c.Collector, c.Worker = platform, platform.Scratch(), []string{self, "collector"}, []string{self, "worker"}
	return c, platform.Close, nil
}
