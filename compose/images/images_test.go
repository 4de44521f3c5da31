// Package images_test tries the image files; there is no package to them. People
// build them by hand, compose.yaml builds them for a workshop.
package images_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func needEngine(t *testing.T) {
	t.Helper()
	out, err := exec.Command("docker", "version").CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no engine, and CI wants one: %v\n%s", err, out)
	}
	t.Skipf("SKIPPED, NOTHING PROVED: docker version: %v", err)
}

// last is what the last stage of a Dockerfile says, without its files.
func last(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, stage, found := strings.Cut(string(text), "FROM scratch\n")
	if !found {
		t.Fatalf("%s: no stage from scratch", path)
	}
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(stage), "\n") {
		if !strings.HasPrefix(line, "COPY ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestBothFilesMakeTheSameImage(t *testing.T) {
	if d := cmp.Diff(last(t, "Dockerfile"), last(t, "host.Dockerfile")); d != "" {
		t.Errorf("Dockerfile (-) and host.Dockerfile (+) differ:\n%s", d)
	}
}

func TestTheImageRunsReadOnlyAndUnprivileged(t *testing.T) {
	needEngine(t)
	binary := filepath.Join(t.TempDir(), "throughline")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/throughline")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	tag := fmt.Sprintf("throughline-images-test:%d", os.Getpid())
	out, err := exec.Command("./build.sh", tag, binary).CombinedOutput()
	if err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	t.Cleanup(func() { docker(t, "image", "rm", "-f", tag) })

	var config struct {
		User        string
		Entrypoint  []string
		Healthcheck struct{ Test []string }
	}
	if err := json.Unmarshal([]byte(docker(t, "image", "inspect", "-f", "{{json .Config}}", tag)), &config); err != nil {
		t.Fatal(err)
	}
	if config.User != "65532:65532" {
		t.Errorf("user %q", config.User)
	}
	if d := cmp.Diff([]string{"/throughline"}, config.Entrypoint); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"CMD", "/throughline", "health"}, config.Healthcheck.Test); d != "" {
		t.Error(d)
	}
	list := docker(t, "run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none", tag, "list")
	if !strings.Contains(list, "replace-an-instance") {
		t.Errorf("throughline list said %q", list)
	}
}
