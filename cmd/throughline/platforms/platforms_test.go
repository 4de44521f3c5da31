package platforms

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

// Each entry is whole, and is found by its name alone.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range All() {
		if p.Name == "" || p.About == "" || p.Guard == nil || p.look == nil || seen[p.Name] {
			t.Errorf("%q is not whole, or there twice: %+v", p.Name, p)
		}
		seen[p.Name] = true
		if found, err := Find(p.Name); err != nil || found.Name != p.Name {
			t.Errorf("%s: %q is found: %v", p.Name, found.Name, err)
		}
	}
	if _, err := Find("vax"); err == nil || err.Error() != "vax: no such platform (have local, docker)" {
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
	if err := onDocker().Refuses(Options{}); err != nil {
		t.Errorf("docker without options: %v", err)
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
