package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/compose/httpd"
	"throughline/scenarios/check/verdict"
)

// runNodes runs a scenario whose instances are Apache HTTP servers with daemons of mod_wsgi, in a copy of that example
// which these, who may be nobody, can read. The sockets of those that are killed stay in there.
func runNodes(t *testing.T, scenario func(dir string) (string, error)) outcome {
	t.Helper()
	unhurried(t)
	found, err := httpd.Find(t.Context())
	if err == nil {
		_, err = os.Stat(filepath.Join(found.Modules, "mod_wsgi.so"))
	}
	if err == nil {
		err = exec.Command("/usr/bin/python3", "-c", "import bottle, pymongo, statsd").Run()
	}
	if err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: no Apache HTTP server with mod_wsgi, bottle, pymongo and statsd (make deps installs them on Debian): %v", err)
	}
	stacked(t)
	top, err := os.MkdirTemp("", "nodes-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, example := range []string{"mod-wsgi", "python-bottle"} {
		if err := os.CopyFS(filepath.Join(top, example), os.DirFS(filepath.Join("../../docs/examples", example))); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(top, "mod-wsgi")
	text, err := scenario(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "test.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(text, "env: {", fmt.Sprintf("env: {TMPDIR: %q, ", top), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return runScenario(t, file)
}

// An httpd with mod_wsgi can be the patient, and is killed with all its daemons.
func TestModWSGI(t *testing.T) {
	o := runNodes(t, func(dir string) (string, error) {
		text, err := os.ReadFile(filepath.Join(dir, "replace-an-instance.yaml"))
		return string(text), err
	})
	passes(t, o)
	for _, instance := range []string{"web-1", "web-2", "web-3", "web-4"} {
		if o.verdict.Ledgers.Web.ByInstance[instance] == 0 {
			t.Errorf("nothing was counted for %s: %v", instance, o.verdict.Ledgers.Web.ByInstance)
		}
	}
}

// Its daemons' clients send 26 lines at a time, of 13 inserts, and nothing when they end.
const inBatches = `scenario: mod-wsgi-in-batches
stack:
  web:
    instances: 2
    command: [/bin/sh, serve]
    env: {RUN_DIR: "{{.Dir}}", PYTHONDONTWRITEBYTECODE: "1", STATSD_BATCH: "26"}
    routes: {insert: "POST /insert/{word}"}
load: {rate: 100/s, shape: sine, swing: 40/s, period: 4s, mix: {insert: 1}}
phases:
  - {phase: before, for: 6s}
  - {phase: after, for: 5s, do: [{terminate: web-2, within: 30s}]}
checks:
  - conservation: {metric: fullstack.insert, route: insert, client_window: 1s}
  - shutdown:     {metric: fullstack.insert, route: insert, client_window: 1s}
`

// What its daemons hold when it ends is lost, which is told.
func TestModWSGIInBatches(t *testing.T) {
	o := runNodes(t, func(string) (string, error) { return inBatches, nil })
	if o.verdict.Outcome == verdict.Inconclusive {
		t.Skipf("SKIPPED, NOTHING PROVED: inconclusive: this machine was too busy\n%s", o.text())
	}
	if o.status != exitFail || !slices.ContainsFunc(o.verdict.Findings, func(f verdict.Finding) bool {
		return f.Outcome == verdict.Fail && f.Check == "conservation" && f.Instance != "" && f.Lost > 0 && f.Lost <= 2*13
	}) {
		t.Errorf("exit status %d, and nobody lost what a client holds:\n%s", o.status, o.text())
	}
}
