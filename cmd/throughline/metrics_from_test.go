package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/cmd/throughline/cli"
	"throughline/scenarios/check/verdict"
)

// foreignScenario replaces an instance of an app that is scraped. Before anything is done, and after it, there is as long as a Prometheus needs
// to find an instance: its discovery hands on what it found every five seconds, and so does what scrapes.
const foreignScenario = `scenario: scraped-by-another
stack:
  mongo: none
  web:
    instances: 3
    command: [%s]
    env: {DEFECT: "%s"}
    metrics: {scrape: /metrics, every: 1s}
    routes: {insert: "POST /insert/{word}"}
load: {rate: 30/s, mix: {insert: 1}}
phases:
  - {phase: warm-up, for: 14s}
  - phase: one instance ends
    do: [{terminate: web-2}]
    for: 3s
  - phase: its replacement arrives
    do: [{launch: 1}]
    for: 15s
checks:
  - continuity:   {metric: words_total, route: insert, max_gap: 5s}
  - conservation: {metric: words_total, route: insert}
  - identity:     {metric: words_total, route: insert}
  - promql:       {expr: "sum(words_total) > 0", within: its replacement arrives}
`

// wordsApp builds the app of testdata.
func wordsApp(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "words")
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/words").CombinedOutput(); err != nil {
		t.Fatalf("build the app: %v\n%s", err, out)
	}
	return path
}

// server is a real Prometheus that is told of the instances by the page of a run.
type server struct {
	url, page string
	start     func() (kill func())
}

// newServer starts one that scrapes every second.
func newServer(t *testing.T) *server {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("SKIPPED, NOTHING PROVED: prometheus is not on PATH; make peers installs it")
	}
	dir, addr := t.TempDir(), freeTCP(t)
	s := &server{url: "http://" + addr, page: freeTCP(t)}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: shop\n    http_sd_configs: [{url: \"http://%s/inventory/prometheus\", refresh_interval: 1s}]\n", s.page)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start = func() func() {
		kill := background(t, nil, program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
		awaitReady(t, s.url+"/-/ready")
		return kill
	}
	return s
}

// awaitReady waits until a program says that it is.
func awaitReady(t *testing.T, url string) {
	t.Helper()
	for until := time.Now().Add(60 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get(url); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("%s: it is not ready after a minute", url)
}

// flags have a run read from it.
func (s *server) flags() []string { return []string{"--metrics-from", s.url, "--page", s.page} }

func writeScenario(t *testing.T, app, defect string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, foreignScenario, app, defect), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// failing are the checks that failed, and of which instances.
func (o outcome) failing() (all []string) {
	for _, f := range o.verdict.Findings {
		if f.Outcome == verdict.Fail && f.Check == "conservation" {
			all = append(all, strings.TrimSpace(f.Check+" "+f.Instance))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The verdict is the same whoever scrapes: the run's own collector, or a real Prometheus that is read afterwards.
func TestMetricsFromAServer(t *testing.T) {
	unhurried(t)
	app := wordsApp(t)
	for _, x := range []struct {
		defect string
		want   verdict.Outcome
	}{{"", verdict.Pass}, {"counted-twice", verdict.Fail}, {"lost-at-exit", verdict.Fail}} {
		name := x.defect
		if name == "" {
			name = "healthy"
		}
		t.Run(name, func(t *testing.T) {
			prometheus := newServer(t)
			stacked(t)
			prometheus.start()
			file := writeScenario(t, app, x.defect)
			theirs := runScenario(t, file, prometheus.flags()...)
			judgeAgain(t, theirs)
			own := runScenario(t, file)
			for who, o := range map[string]outcome{"the server": theirs, "the collector": own} {
				if o.verdict.Outcome == verdict.Inconclusive && x.want != verdict.Inconclusive {
					t.Skipf("SKIPPED, NOTHING PROVED: inconclusive as %s scraped: this machine was too busy\n%s", who, o.text())
				}
				if o.verdict.Outcome != x.want {
					t.Errorf("as %s scraped: %v, want %v\n%s", who, o.verdict.Outcome, x.want, o.text())
				}
			}
			if got, want := theirs.failing(), own.failing(); !slices.Equal(got, want) {
				t.Errorf("as the server scraped, there failed %v, and as the collector did, %v\n%s", got, want, theirs.text())
			}
			if n := theirs.verdict.Ledgers.Web.ByInstance["web-4"]; n == 0 {
				t.Errorf("nothing was counted for web-4: %v", theirs.verdict.Ledgers.Web.ByInstance)
			}
		})
	}
}

// A server that is away for some seconds proves nothing, and no instance is to blame.
func TestMetricsFromAServerThatWasAway(t *testing.T) {
	unhurried(t)
	app := wordsApp(t)
	prometheus := newServer(t)
	stacked(t)
	kill := prometheus.start()
	dir := filepath.Join(t.TempDir(), "run")
	cmd, events := startRun(t, dir, writeScenario(t, app, ""), prometheus.flags()...)
	events.await(t, "terminate web-2")
	kill()
	events.await(t, "launch 1")
	time.Sleep(2 * time.Second) // it is away for these, and for the phase before
	prometheus.start()
	for range events.next { // to its end
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInconclusive {
		out, _ := exec.Command(binary, "judge", dir).CombinedOutput()
		t.Fatalf("exit status %d (%v), want %d\n%s", cmd.ProcessState.ExitCode(), err, exitInconclusive, out)
	}
	out, _ := exec.Command(binary, "judge", "--all", dir).CombinedOutput()
	if text := strings.Join(strings.Fields(string(out)), " "); !strings.Contains(text, "did not scrape web-1, web-") || strings.Contains(text, "FAIL") {
		t.Errorf("it says\n%s", out)
	}
}

// What cannot be is said before anything starts.
func TestMetricsFromRefuses(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	file := writeScenario(t, "/bin/true", "")
	for _, x := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"a password", []string{"--metrics-from", "http://me:s3cr3tpassword@prometheus:9090", file}, cli.StatusUsage, "has a user or a password in it"},
		{"no URL", []string{"--metrics-from", "prometheus:9090", file}, cli.StatusUsage, "this is no URL of a Prometheus"},
		{"nobody there", []string{"--metrics-from", "http://" + nobody.Addr().String(), file}, cli.StatusUnable, "it cannot be reached"},
		{"nobody is scraped", []string{"--metrics-from", "http://127.0.0.1:1", "--metrics-every", "1s", "replace-an-instance"}, cli.StatusUsage, "no instances are scraped"},
		{"a flag alone", []string{"--metrics-every", "1s", file}, cli.StatusUsage, "there is no --metrics-from"},
		{"no token", []string{"--metrics-token-file", "/nowhere", file}, cli.StatusUsage, "the token cannot be read"},
	} {
		t.Run(x.name, func(t *testing.T) {
			cmd := exec.Command(binary, append([]string{"run", "--page", "off", "--out", t.TempDir()}, x.args...)...)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != x.status || !strings.Contains(string(out), x.says) || strings.Contains(string(out), "s3cr3t") {
				t.Errorf("exit status %d, want %d and %q\n%s", code, x.status, x.says, out)
			}
		})
	}
}
