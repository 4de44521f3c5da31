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
	"throughline/scenarios/check/diagnose"
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

// newServer gives one that scrapes every second, with more said in its job.
func newServer(t *testing.T, more ...string) *server {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("SKIPPED, NOTHING PROVED: prometheus is not on PATH; make peers installs it")
	}
	dir, addr := t.TempDir(), freeTCP(t)
	s := &server{url: "http://" + addr, page: freeTCP(t)}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: shop\n    http_sd_configs: [{url: \"http://%s/inventory/prometheus\", refresh_interval: 1s}]\n", s.page)
	for _, line := range more {
		text += "    " + line + "\n"
	}
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

// A server that lets exposed labels win stores three instances as one that nobody scrapes. What is missing of each is told with that as its
// cause, whoever scrapes; and where instances expose no label of the kind nothing is wrong.
func TestMetricsFromAServerThatHonorsLabels(t *testing.T) {
	unhurried(t)
	app := wordsApp(t)
	for _, defect := range []string{"", "own-instance"} {
		t.Run("defect "+defect, func(t *testing.T) {
			prometheus := newServer(t, "honor_labels: true")
			stacked(t)
			prometheus.start()
			file := writeScenario(t, app, defect)
			theirs := runScenario(t, file, prometheus.flags()...)
			judgeAgain(t, theirs)
			if defect == "" {
				passes(t, theirs)
				return
			}
			fails(t, theirs, diagnose.Honored)
			for _, name := range []string{"web-1", "web-3"} {
				want := theirs.verdict.Ledgers.Users.ByInstance[name]
				at := slices.IndexFunc(theirs.verdict.Findings, func(f verdict.Finding) bool {
					return f.Check == "conservation" && f.Instance == name && f.Cause == diagnose.Honored
				})
				if at < 0 || theirs.verdict.Findings[at].Lost != want {
					t.Errorf("not told that all %d of %s are stored as somebody else's\n%s", want, name, theirs.text())
				}
			}
			for _, f := range theirs.verdict.Findings {
				if f.Outcome == verdict.Fail && f.Cause != "" && f.Cause != diagnose.Honored && f.Cause != "metric-differs" {
					t.Errorf("%s of %s: %s", f.Cause, f.Instance, f.Summary)
				}
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			own := scenarioFile(t, strings.Replace(string(text), "every: 1s}", "every: 1s, honor_labels: yes}", 1))
			fails(t, runScenario(t, own), diagnose.Honored)
		})
	}
}

// exposedThere has the metrics of a stack that somebody else runs come from a server that scrapes it, and gives the scenario.
func (s *theirs) exposedThere(t *testing.T, from string, phases ...string) string {
	t.Helper()
	file := s.scenario(t, "kill", phases...)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	there := strings.NewReplacer(fmt.Sprintf("    statsd: {listen: %q, tag: instance}\n", s.statsd), "", "fullstack.insert", "fullstack_insert_total",
		"  - shutdown:     {metric: fullstack.insert}\n", "").Replace(string(text)) + fmt.Sprintf("metrics_from: {url: %q, every: 1s}\n", from)
	file = filepath.Join(s.dir, "scraped.yaml")
	if err := os.WriteFile(file, []byte(there), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// scraper starts a Prometheus that has the instances of a stack in its configuration, by their names.
func (s *theirs) scraper(t *testing.T) (url string) {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("SKIPPED, NOTHING PROVED: prometheus is not on PATH; make peers installs it")
	}
	var text strings.Builder
	text.WriteString("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: theirs\n    static_configs:\n")
	for i := range mostTheirs {
		name := fmt.Sprintf("web-%d", i+1)
		fmt.Fprintf(&text, "      - {targets: [\"127.0.0.1:%s\"], labels: {instance: %s}}\n", s.ports[name], name)
	}
	config, addr := filepath.Join(s.dir, "prometheus.yml"), freeTCP(t)
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, nil, program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(s.dir, "prometheus"), "--web.listen-address="+addr)
	awaitReady(t, "http://"+addr+"/-/ready")
	return "http://" + addr
}

// A stack that somebody else runs, and whose metrics somebody else scrapes: the outcome is what the collector's is, of who is sound and of who is not.
func TestMetricsFromAServerOfAStackThatIsThere(t *testing.T) {
	slow := []string{
		"{phase: warm-up, for: 5s, require: {users: 80/s}}",
		"{phase: one dies, do: {kill: web-2}, for: 4s}",
		"{phase: another comes, do: {launch: 1}, for: 5s}",
		"{phase: one is replaced, do: {replace: web-1}, for: 6s}",
	}
	for name, c := range map[string]struct {
		defects map[string]string
		want    verdict.Outcome
	}{"healthy": {nil, verdict.Pass}, "one does not count": {map[string]string{"web-3": "not-counted"}, verdict.Fail}} {
		t.Run(name, func(t *testing.T) {
			unhurried(t)
			stacked(t)
			by := map[string]outcome{}
			there := newTheirs(t, c.defects)
			by["the server"] = runScenario(t, there.exposedThere(t, there.scraper(t), slow...))
			judgeAgain(t, by["the server"])
			by["the collector"] = runScenario(t, newTheirs(t, c.defects).scenario(t, "kill", slow...))
			for who, o := range by {
				if strings.Contains(o.text(), "trouble with") { // which a busy machine is no reason for
					t.Fatalf("by %s:\n%s", who, o.text())
				}
				if o.verdict.Outcome == verdict.Inconclusive {
					t.Skipf("SKIPPED, NOTHING PROVED: inconclusive by %s: this machine was too busy\n%s", who, o.text())
				}
				if o.verdict.Outcome != c.want {
					t.Errorf("by %s: %v, want %v\n%s", who, o.verdict.Outcome, c.want, o.text())
				}
			}
			if got, want := by["the server"].failing(), by["the collector"].failing(); !slices.Equal(got, want) {
				t.Errorf("by the server there failed %v, and by the collector %v\n%s", got, want, by["the server"].text())
			}
			if n := by["the server"].verdict.Ledgers.Web.ByInstance["web-4"]; n == 0 {
				t.Errorf("nothing was counted for web-4, which was launched: %v", by["the server"].verdict.Ledgers.Web.ByInstance)
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
