package platforms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"throughline/compose/docker"
	"throughline/compose/httpd"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
	"throughline/scratch"
)

func onDocker() Platform {
	return Platform{
		Name: "docker", About: "containers",
		Lacks: trial.Lacks{
			Commands:   "a container has nothing of this machine; give stack.web.image, or --platform local",
			OwnAddress: "containers share one StatsD address and are known by their own, which a relay would hide", Elsewhere: "use --platform local",
			Agents:  "an agent runs beside its instance, as a process of this machine, and a container does not reach it",
			OwnDisk: "a container has no file system of its own that could be filled from here",
			Respawn: "HAProxy is the first process of its container, which ends with it",
		},
		Prepare: docker.Prepare, Guard: docker.Guard, look: lookDocker,
		refuses: func(o Options) error {
			if err := o.Kubernetes.refusedElsewhere(); err != nil {
				return err
			}
			if o.HAProxy != "" {
				return fmt.Errorf("--haproxy %s: on docker HAProxy comes in an image; leave the flag out", o.HAProxy)
			}
			if o.Mongod != "" {
				return fmt.Errorf("--mongod %s: on docker MongoDB comes in an image; name that with --mongo-image", o.Mongod)
			}
			return nil
		},
	}
}

func lookDocker(ctx context.Context, all []script.Scenario, o Options) (trial.Environment, []error) {
	self, err := OwnFile()
	if err != nil {
		return trial.Environment{}, []error{err}
	}
	needs := docker.Needs{Self: self, Balancer: run.BalancerName, MongoURI: o.MongoURI, Mongo: o.MongoImage}
	for _, s := range all {
		needs.HTTPD = needs.HTTPD || s.Stack.HTTPD
		needs.Images = append(needs.Images, imagesOf(s)...)
		needs.Database = needs.Database || s.Stack.Mongo != script.MongoNone
	}
	found, missing := docker.Preflight(ctx, needs)
	return trial.Environment{
		HAProxyVersion: docker.HAProxyImage, HTTPD: httpd.InImage(docker.HTTPDImage), Web: found.Programs, Database: found.Database, MongoDB: found.MongoDB, Chosen: found.Chosen, Note: found.Note,
		Limit: 30 * time.Second,
		Open: func(ctx context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
			return openDocker(ctx, c, self, found.Images)
		},
	}, missing
}

// imagesOf are the images of the user's that a scenario runs: those of the stack, and those of versions that it deploys.
func imagesOf(s script.Scenario) (all []docker.Wanted) {
	for _, role := range s.Stack.Roles() {
		for i, web := range s.VersionsOf(role) {
			switch {
			case web.Image == "":
			case i == 0:
				all = append(all, docker.Wanted{Image: web.Image, By: s.Name + ": " + role.Key() + ".image"})
			case web.Image != role.Image:
				all = append(all, docker.Wanted{Image: web.Image, By: s.Name + ": deploy " + web.Version + ": image"})
			}
		}
	}
	return all
}

func openDocker(ctx context.Context, c run.Config, self string, images docker.Images) (run.Config, func(context.Context) error, error) {
	temporary, err := scratch.New("run")
	if err != nil {
		return c, nil, err
	}
	platform, err := docker.New(ctx, docker.Config{Dir: c.Dir, Run: c.Run.ID, Self: self, Guard: []string{self, "guard", "docker"}, Images: images})
	if err != nil {
		return c, nil, errors.Join(err, temporary.Remove())
	}
	c.Platform, c.Scratch, c.Collector, c.Worker = platform, temporary.Path, []string{self, "collector"}, []string{self, "worker"}
	return c, func(ctx context.Context) error { return errors.Join(platform.Close(ctx), temporary.Remove()) }, nil
}
