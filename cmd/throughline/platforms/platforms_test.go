package platforms

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/compose/docker"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

// Each entry is whole, and is found by its name alone.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range All() {
		if p.Name == "" || p.About == "" || p.look == nil || seen[p.Name] {
			t.Errorf("%q is not whole, or there twice: %+v", p.Name, p)
		}
		seen[p.Name] = true
		if found, err := Find(p.Name); err != nil || found.Name != p.Name {
			t.Errorf("%s: %q is found: %v", p.Name, found.Name, err)
		}
	}
	if _, err := Find("vax"); err == nil || err.Error() != "vax: no such platform (have local, docker, kubernetes)" {
		t.Errorf("a platform that is none: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	o := Options{HAProxy: "/opt/haproxy"}
	if err := onLocal().Refuses(o); err != nil {
		t.Errorf("local: %v", err)
	}
	if err := onDocker().Refuses(o); err == nil || !strings.HasPrefix(err.Error(), "--haproxy /opt/haproxy: ") {
		t.Errorf("docker: %v", err)
	}
	for flag, o := range map[string]Options{"haproxy /opt/haproxy": o, "mongod /opt/mongod": {Mongod: "/opt/mongod"}, "mongo-image mongo:8": {MongoImage: "mongo:8"}} {
		if err := onKubernetes().Refuses(o); err == nil || !strings.HasPrefix(err.Error(), "--"+flag+": on kubernetes ") {
			t.Errorf("kubernetes: %v", err)
		}
	}
	for flag, k := range map[string]Kubernetes{"kube-context x": {Context: "x"}, "registry x": {Registry: "x"}, "harness-address x": {Home: "x"}} {
		for _, p := range []Platform{onLocal(), onDocker()} {
			if err := p.Refuses(Options{Kubernetes: k}); err == nil || !strings.HasPrefix(err.Error(), "--"+flag+": it is for --platform kubernetes") {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
		if err := onKubernetes().Refuses(Options{Kubernetes: k}); err != nil {
			t.Errorf("kubernetes: %v", err)
		}
	}
	if err := onDocker().Refuses(Options{}); err != nil {
		t.Errorf("docker without options: %v", err)
	}
}

// What cannot be done in pods is told before anything starts.
func TestNotInPods(t *testing.T) {
	for stack, want := range map[string]string{"{web: {instances: 2}}": "", "{web: {instances: 2}, httpd: yes}": "s: stack.httpd: "} {
		s, err := script.Parse("dir/s.yaml", []byte("scenario: s\nstack: "+stack+"\nload: {rate: 10/s}\nphases:\n  - {phase: a, for: 5s}\nchecks:\n  - conservation: {metric: fullstack.insert}\n"), script.Options{})
		if err != nil {
			t.Fatal(err)
		}
		missing := NotInPods(s)
		if len(missing) > 0 != (want != "") || len(missing) > 0 && !strings.HasPrefix(missing[0].Error(), want) {
			t.Errorf("%s: %v", stack, missing)
		}
	}
}

// What a scenario deploys is looked for before anything starts, as what its stack runs is.
func TestVersionsAreLookedFor(t *testing.T) {
	parsed := func(web, steps string) script.Scenario {
		s, err := script.Parse("dir/s.yaml", []byte("scenario: s\nstack:\n  web: {instances: 2"+web+"}\nload: {rate: 10/s}\nphases:\n  - {phase: a, for: 5s, do: ["+steps+"]}\nchecks:\n  - conservation: {metric: fullstack.insert}\n"), script.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := parsed(`, image: "shop:1"`, `{deploy: {version: v2, image: "shop:2"}}, {deploy: {version: v3, env: {A: b}}}, {rollback: v2}`)
	want := []docker.Wanted{{Image: "shop:1", By: "s: stack.web.image"}, {Image: "shop:2", By: "s: deploy v2: image"}}
	if got := imagesOf(s); !slices.Equal(got, want) {
		t.Errorf("images %v, want %v", got, want)
	}
	s = parsed("", `{deploy: {version: v2, command: [no-such-program-anywhere]}}, {deploy: v3}`)
	if missing := impossible(s); len(missing) != 1 || !strings.HasPrefix(missing[0].Error(), "s: deploy v2: ") || !strings.Contains(missing[0].Error(), "no-such-program-anywhere") {
		t.Errorf("missing %v", missing)
	}
	s = parsed(", command: [no-such-program-anywhere]", `{deploy: {version: v2, env: {A: b}}}`)
	if missing := impossible(s); len(missing) != 1 || !strings.HasPrefix(missing[0].Error(), "s: ") || strings.Contains(missing[0].Error(), "deploy") {
		t.Errorf("missing %v", missing)
	}
}

// All that is missing is one error: what the platform lacks, what it did not find, what
// the database cannot do, and where nothing can be written.
func TestPreflight(t *testing.T) {
	absent := errors.New("no engine answers")
	p := Platform{Name: "vax", Lacks: trial.Lacks{Images: "no images"},
		look: func(context.Context, []script.Scenario, Options) (trial.Environment, []error) {
			return trial.Environment{HAProxyVersion: "3.0"}, []error{absent}
		}}
	s := script.Scenario{Name: "s"}
	s.Stack.Web.Image = "ours:1"
	s.Stack.Forget = 2
	have, err := p.Preflight(t.Context(), []script.Scenario{s}, Options{MongoURI: "mongodb://x", Out: filepath.Join("/dev/null", "out")})
	if have.Platform != "vax" || have.HAProxyVersion != "3.0" {
		t.Errorf("it has %+v", have)
	}
	for _, want := range []string{"s: stack.web.image ours:1: no images", absent.Error(), "s: stack.mongo.forget 2: ", "--out /dev/null/out: "} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("it does not tell once %q: %v", want, err)
		}
	}
}
