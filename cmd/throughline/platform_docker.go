package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"throughline/compose"
	"throughline/compose/docker"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

const (
	haproxyImage = "haproxy:3.0"
	mongoImage   = "mongo:8" // unless MONGO_IMAGE names another
)

// sharedAddress are the faults that need a StatsD address for each instance.
var sharedAddress = []string{script.DropDatagrams, script.DuplicateDatagrams, script.ReorderDatagrams, script.TruncateDatagrams, script.DelayDatagrams,
	script.LeftoverLines, script.RestartCollector}

const sharedAddressWhy = "containers share one StatsD address and are known by their own, which a relay would hide"

// dockerPreflight looks for the engine and for all images, which it pulls.
func dockerPreflight(ctx context.Context, all []script.Scenario, flags runFlags) (have found, missing []error) {
	have = found{haproxyVersion: haproxyImage, web: map[string]compose.Program{}, images: docker.Images{HAProxy: haproxyImage, Named: map[string]string{run.BalancerName: haproxyImage}}}
	for _, s := range all {
		if len(s.Stack.Web.Command) > 0 {
			missing = append(missing, fmt.Errorf("%s: stack.web.command %s: a container has nothing of this machine; give stack.web.image, or --platform local",
				s.Name, s.Stack.Web.Command[0]))
		}
	}
	for _, s := range all {
		for _, fault := range sharedAddress {
			if s.Uses(fault) {
				missing = append(missing, fmt.Errorf("%s: fault %s: %s; use --platform local", s.Name, fault, sharedAddressWhy))
			}
		}
	}
	if err := reachable(flags.mongo); err != nil {
		missing = append(missing, err)
	}
	self, err := os.Executable()
	if err == nil {
		err = docker.Static(self)
	}
	if err != nil {
		missing = append(missing, fmt.Errorf("this program in an image: %w", err))
	}
	if err := docker.Possible(ctx); err != nil {
		return have, append(missing, err) // without an engine there are no images to look for
	}
	if _, err := docker.Image(ctx, haproxyImage); err != nil {
		missing = append(missing, err)
	}
	for _, s := range all {
		image := s.Stack.Web.Image
		if image == "" {
			continue
		}
		if words, err := docker.Image(ctx, image); err != nil {
			missing = append(missing, fmt.Errorf("%s: stack.web.image: %w", s.Name, err))
		} else if len(words) == 0 {
			missing = append(missing, fmt.Errorf("%s: stack.web.image %s: has neither ENTRYPOINT nor CMD; give it one", s.Name, image))
		} else {
			have.web[image] = compose.Program{Command: words}
		}
	}
	if err := have.findDatabase(ctx, all, flags); err != nil {
		missing = append(missing, err)
	}
	return have, missing
}

// findDatabase looks for MongoDB's image where a scenario needs one. The user's
// choice has to be there; ours may be replaced by the embedded database. Any
// port will do, so that no two runs, nor a MongoDB on this machine, want the same.
func (have *found) findDatabase(ctx context.Context, all []script.Scenario, flags runFlags) error {
	needed := false
	for _, s := range all {
		needed = needed || s.Stack.Mongo != script.MongoNone
	}
	if !needed || flags.mongo != "" {
		return nil
	}
	chosen := os.Getenv("MONGO_IMAGE")
	image := chosen
	if image == "" {
		image = mongoImage
	}
	words, err := docker.Image(ctx, image)
	switch {
	case err != nil && chosen != "":
		return fmt.Errorf("MONGO_IMAGE: %w", err)
	case err != nil:
		have.note = fmt.Sprintf("no image %s to be had: the embedded database takes its place (MONGO_IMAGE chooses another image)", image)
	case slices.Contains(words, "docstore"):
		have.note = fmt.Sprintf("MONGO_IMAGE %s is the embedded database, no MongoDB", image)
		words = append(words, "--listen", "{{.Host}}:{{.Port}}", "--data", "{{.Dir}}/data")
	default:
		have.mongod = true
		words = append(words, "--bind_ip_all", "--port", "{{.Port}}")
	}
	if err == nil {
		have.database = compose.Program{Command: words}
		have.images.Named[run.DatabaseName] = image
	}
	return nil
}

// reachable refuses a MongoDB that listens where containers do not reach it.
func reachable(uri string) error {
	_, rest, _ := strings.Cut(uri, "://")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	for at := range strings.SplitSeq(rest, ",") {
		host, _, err := net.SplitHostPort(at)
		if err != nil {
			host = at
		}
		if addr, err := netip.ParseAddr(host); host == "localhost" || err == nil && addr.IsLoopback() {
			return fmt.Errorf("--mongo %s: in a container that is the container itself; give an address of this machine that containers reach", at)
		}
	}
	return nil
}

// onDocker makes the docker platform for one run and takes it down again.
func onDocker(ctx context.Context, c run.Config, have found, do move) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	if c.Scratch, err = os.MkdirTemp("", "throughline-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.Scratch)) }()
	images := have.images
	images.Command = c.Scenario.Stack.Web.Image
	platform, err := docker.New(ctx, docker.Config{Dir: c.Dir, Run: c.Run.ID, Self: self, Guard: []string{self, "guard", onDockerName}, Images: images})
	if err != nil {
		return err
	}
	c.Platform = platform
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, platform.Close(closing))
	}()
	return do(ctx, c)
}
