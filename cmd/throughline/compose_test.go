package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// project is the stack of compose.yaml with the embedded database, as people
// bring it up, on ports of its own.
type project struct {
	t    *testing.T
	name string
	env  []string
	api  string // of the collector
}

// needCompose skips where there is no engine, no compose or no image of HAProxy.
func needCompose(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED by -short: it brings up containers for half a minute")
	}
	for _, args := range [][]string{{"version"}, {"compose", "version"}, {"image", "inspect", "haproxy:3.0"}} {
		if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED, NOTHING PROVED: docker %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// composeUp builds the image out of this source and brings the stack up with
// four instances.
func composeUp(t *testing.T) *project {
	t.Helper()
	p := &project{t: t, name: fmt.Sprintf("throughline-test-%d", os.Getpid())}
	static := filepath.Join(t.TempDir(), "throughline")
	build := exec.Command("go", "build", "-o", static, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if out, err := exec.Command("../../compose/images/build.sh", p.name, static).CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "-f", p.name).Run() })
	p.env = append(os.Environ(), "COMPOSE_PROJECT_NAME="+p.name, "THROUGHLINE_IMAGE="+p.name, "USERS_PORT=0", "METRICS_PORT=0",
		"COMPOSE_FILE=../../compose/compose.yaml"+string(os.PathListSeparator)+"../../compose/compose.docstore.yaml")
	t.Cleanup(p.down)
	p.docker("compose", "up", "--detach", "--scale", "web=4", "--wait")
	p.api = "http://" + strings.TrimSpace(p.docker("compose", "port", "collector", "9102"))
	return p
}

func (p *project) docker(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *project) try(args ...string) (string, error) {
	p.t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = p.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	began := time.Now()
	out, err := cmd.Output()
	if took := time.Since(began); took > time.Second {
		p.t.Logf("docker %s: %v", strings.Join(args, " "), took)
	}
	if err != nil {
		return "", fmt.Errorf("docker %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// down takes everything away, and looks whether that is so.
func (p *project) down() {
	if p.t.Failed() {
		p.t.Log(p.try("compose", "logs", "--no-color", "--tail", "20"))
	}
	p.docker("compose", "down", "--volumes", "--timeout", "5")
	mine := "label=com.docker.compose.project=" + p.name
	for _, list := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		if left := p.docker(append(list, "--filter", mine)...); left != "" {
			p.t.Errorf("down left in docker %s: %s", list[0], left)
		}
	}
}

// instances are those of which web's counter has grown in the last seconds,
// sorted.
func (p *project) instances() []string {
	p.t.Helper()
	response, err := http.Get(p.api + "/api/v1/query?query=" + url.QueryEscape("rate(fullstack_insert_total[4s]) > 0 and fullstack_insert_total"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, r := range answer.Data.Result {
		out = append(out, r.Metric["instance"])
	}
	slices.Sort(out)
	return out
}

// become waits until the instances that are heard of are those of the running
// containers of web, so many, and returns them.
func (p *project) become(n int) []string {
	p.t.Helper()
	var heard, running []string
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		running = running[:0]
		for id := range strings.FieldsSeq(p.docker("compose", "ps", "--quiet", "--status", "running", "web")) {
			running = append(running, id[:12])
		}
		slices.Sort(running)
		if heard = p.instances(); len(heard) == n && slices.Equal(heard, running) {
			return heard
		}
	}
	p.t.Fatalf("of web the containers %v run, and %v are heard of; want %d", running, heard, n)
	return nil
}

// TestComposeReplacesAnInstance is the workshop: four instances, one is killed,
// another comes, and the metrics go on.
func TestComposeReplacesAnInstance(t *testing.T) {
	needCompose(t)
	began := time.Now()
	p := composeUp(t)
	before := p.become(4)
	victim := before[1]
	p.docker("kill", "--signal", "SIGKILL", victim)
	if left := p.become(3); slices.Contains(left, victim) {
		t.Errorf("%s was killed, and is still heard of", victim)
	}
	p.docker("compose", "rm", "--force", "web")
	p.docker("compose", "up", "--detach", "--scale", "web=4", "--no-recreate", "--wait")
	var fresh []string
	for _, name := range p.become(4) {
		if !slices.Contains(before, name) {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) != 1 || fresh[0] == victim {
		t.Errorf("in place of %s came %v", victim, fresh)
	}
	dashboardAnswered(t, p.api, began)
	p.docker("compose", "kill", "--signal", "SIGKILL", "web")
	p.become(0)
}
