package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"throughline/compose"
	"throughline/compose/docker"
	"throughline/compose/haproxy"
	"throughline/compose/local"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// The platforms, as they are called on the command line and in records.
const (
	onLocalName  = "local"
	onDockerName = "docker"
)

// What a record calls a database of ours and of others.
const (
	embedded = "docstore"
	foreign  = "mongodb"
)

// found is what preflight found.
type found struct {
	haproxy        string // path on this machine; "" on docker
	haproxyVersion string
	web            map[string]compose.Program // of the scenarios whose instances run an image
	database       compose.Program            // of an image; zero = the embedded one
	mongod         bool                       // the database is a MongoDB
	images         docker.Images
	note           string // about what was not found and replaced
}

// preflight lists all that is missing in one error, before anything starts.
func preflight(ctx context.Context, all []script.Scenario, flags runFlags) (found, error) {
	look := localPreflight
	if flags.platform == onDockerName {
		look = dockerPreflight
	}
	have, missing := look(ctx, all, flags)
	for _, s := range all {
		if s.Stack.Forget > 0 && (flags.mongo != "" || len(have.database.Command) > 0) {
			missing = append(missing, fmt.Errorf("%s: stack.mongo.forget %d: only the embedded database can forget; leave --mongo and MONGO_IMAGE out", s.Name, s.Stack.Forget))
		}
		if flags.mongo != "" && s.Uses(script.FreezeDatabase) {
			missing = append(missing, fmt.Errorf("%s: fault %s: only a database that the run has started can be frozen; leave --mongo out", s.Name, script.FreezeDatabase))
		}
	}
	if err := writable(flags.out); err != nil {
		missing = append(missing, err)
	}
	return have, joined(missing)
}

func localPreflight(ctx context.Context, all []script.Scenario, flags runFlags) (have found, missing []error) {
	var err error
	if have.haproxy, err = findHAProxy(flags.haproxy); err != nil {
		missing = append(missing, err)
	} else if release, err := haproxy.Version(ctx, have.haproxy); err != nil {
		missing = append(missing, err)
	} else {
		have.haproxyVersion = release.Text
	}
	for _, s := range all {
		if s.Stack.Web.Image != "" {
			missing = append(missing, fmt.Errorf("%s: stack.web.image %s: the local platform has no images; give stack.web.command, or --platform docker", s.Name, s.Stack.Web.Image))
			continue
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

// findHAProxy looks for HAProxy on PATH and where Debian keeps it out of the
// PATH of ordinary users, unless its path is given.
func findHAProxy(given string) (string, error) {
	if given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("--haproxy %s: cannot be executed: %w; give the path of HAProxy 2.6 or newer", given, err)
		}
		return path, nil
	}
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("haproxy: not found on PATH; install HAProxy 2.6 or newer (make deps does) or give --haproxy")
}

// move is what is done on a platform.
type move func(context.Context, run.Config) error

// onPlatform makes the platform of one run and takes it down again.
func onPlatform(ctx context.Context, c run.Config, have found, do move) error {
	if c.Run.Platform == onDockerName {
		return onDocker(ctx, c, have, do)
	}
	return onLocal(ctx, c, do)
}

// onLocal makes the local platform for one run and takes it down again.
func onLocal(ctx context.Context, c run.Config, do move) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	platform, err := local.New(local.Config{Dir: c.Dir, Self: self, Guard: []string{"guard", onLocalName}})
	if err != nil {
		return err
	}
	c.Platform, c.Scratch = platform, platform.Scratch()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, platform.Close(closing))
	}()
	return do(ctx, c)
}

func databaseOf(s script.Scenario, j job) string {
	switch {
	case s.Stack.Mongo == script.MongoNone:
		return run.NoDatabase
	case j.flags.mongo != "" || j.found.mongod:
		return foreign
	}
	return embedded
}
