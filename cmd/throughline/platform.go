package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"throughline/compose/docker"
	"throughline/compose/haproxy"
	"throughline/compose/local"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

// platform is all that this program knows of a platform: a new one is an entry of the
// table below, and a word of it is nowhere else.
type platform struct {
	name, about string
	lacks       trial.Lacks
	prepare     func()               // called once, when the program begins; nil: nothing is to be done
	refuses     func(runFlags) error // what of the command line has no meaning on it; nil: nothing
	// look finds what scenarios need of it, and all that is missing besides lacks.
	look  func(context.Context, []script.Scenario, runFlags) (trial.Environment, []error)
	guard func(io.Reader, io.Writer) error // ends what a killed runner leaves behind
}

// platforms is the table; the first is what runs instances unless another is named.
func platforms() []platform {
	return []platform{{
		name: "local", about: "child processes",
		lacks: trial.Lacks{Images: "the local platform has no images; give stack.web.command, or --platform docker"},
		look:  lookLocal, guard: local.Guard,
	}, {
		name: "docker", about: "containers",
		lacks: trial.Lacks{
			Commands:   "a container has nothing of this machine; give stack.web.image, or --platform local",
			OwnAddress: "containers share one StatsD address and are known by their own, which a relay would hide", Elsewhere: "use --platform local",
		},
		prepare: docker.Prepare,
		refuses: func(f runFlags) error {
			if f.haproxy != "" {
				return fmt.Errorf("--haproxy %s: on docker HAProxy comes in an image; leave the flag out", f.haproxy)
			}
			return nil
		},
		look: lookDocker, guard: docker.Guard,
	}}
}

func platformNames() (names []string) {
	for _, p := range platforms() {
		names = append(names, p.name)
	}
	return names
}

// platformCalled finds an entry of the table.
func platformCalled(name string) (platform, error) {
	for _, p := range platforms() {
		if p.name == name {
			return p, nil
		}
	}
	return platform{}, fmt.Errorf("%s: no such platform (have %s)", name, strings.Join(platformNames(), ", "))
}

// preflight lists all that is missing in one error, before anything starts.
func preflight(ctx context.Context, all []script.Scenario, flags runFlags) (trial.Environment, error) {
	p, err := platformCalled(flags.platform)
	if err != nil {
		return trial.Environment{}, err
	}
	var missing []error
	for _, s := range all {
		missing = append(missing, p.lacks.Of(s)...)
	}
	have, absent := p.look(ctx, all, flags)
	have.Platform = p.name
	missing = append(missing, absent...)
	for _, s := range all {
		missing = append(missing, have.DatabaseLacks(s, flags.mongo)...)
	}
	return have, errors.Join(append(missing, trial.Writable(flags.out))...)
}

func lookLocal(ctx context.Context, all []script.Scenario, flags runFlags) (have trial.Environment, missing []error) {
	have = trial.Environment{Open: openLocal, Limit: 10 * time.Second}
	var err error
	if have.HAProxy, err = haproxy.Find(flags.haproxy); err != nil {
		missing = append(missing, err)
	} else if release, err := haproxy.Version(ctx, have.HAProxy); err != nil {
		missing = append(missing, err)
	} else {
		have.HAProxyVersion = release.Text
	}
	for _, s := range all {
		if s.Stack.Web.Image != "" {
			continue // which it lacks
		}
		if err := local.Possible(run.WebProgram(s)); err != nil {
			missing = append(missing, fmt.Errorf("%s: %w", s.Name, err))
		}
		if !s.Limits() {
			continue
		}
		if err := local.CanLimitCPU(); err != nil {
			missing = append(missing, fmt.Errorf("%s: %w", s.Name, err))
		}
	}
	return have, missing
}

func openLocal(_ context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
	self, err := ownFile()
	if err != nil {
		return c, nil, err
	}
	platform, err := local.New(local.Config{Dir: c.Dir, Self: self, Guard: []string{"guard", "local"}})
	if err != nil {
		return c, nil, err
	}
	c.Platform, c.Scratch = platform, platform.Scratch()
	return c, platform.Close, nil
}

func lookDocker(ctx context.Context, all []script.Scenario, flags runFlags) (trial.Environment, []error) {
	self, err := ownFile()
	if err != nil {
		return trial.Environment{}, []error{err}
	}
	needs := docker.Needs{Self: self, Balancer: run.BalancerName, MongoURI: flags.mongo}
	for _, s := range all {
		if image := s.Stack.Web.Image; image != "" {
			needs.Images = append(needs.Images, docker.Wanted{Image: image, By: s.Name + ": stack.web.image"})
		}
		if s.Stack.Mongo != script.MongoNone {
			needs.Database = run.DatabaseName
		}
	}
	found, missing := docker.Preflight(ctx, needs)
	return trial.Environment{
		HAProxyVersion: docker.HAProxyImage, Web: found.Programs, Database: found.Database, MongoDB: found.MongoDB, Note: found.Note,
		Limit: 30 * time.Second,
		Open: func(ctx context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
			return openDocker(ctx, c, self, found.Images)
		},
	}, missing
}

func openDocker(ctx context.Context, c run.Config, self string, images docker.Images) (run.Config, func(context.Context) error, error) {
	scratch, err := os.MkdirTemp("", "throughline-")
	if err != nil {
		return c, nil, err
	}
	images.Command = c.Scenario.Stack.Web.Image
	platform, err := docker.New(ctx, docker.Config{Dir: c.Dir, Run: c.Run.ID, Self: self, Guard: []string{self, "guard", "docker"}, Images: images})
	if err != nil {
		return c, nil, errors.Join(err, os.RemoveAll(scratch))
	}
	c.Platform, c.Scratch = platform, scratch
	return c, func(ctx context.Context) error { return errors.Join(platform.Close(ctx), os.RemoveAll(scratch)) }, nil
}

// ownFile is the path of this program, which is also what instances and guards run.
func ownFile() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program's own file: %w", err)
	}
	return self, nil
}
