package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/collector/series"
	"throughline/compose/config"
	"throughline/compose/haproxy"
)

const dashboardFile = "../../compose/grafana/dashboards/all-layers.json"

// question is an expression of a dashboard, and where it stands. Grafana shows an
// annotation only where its expression is above zero.
type question struct {
	where, expr string
	annotation  bool
}

// questions are all expressions of the dashboard, as Grafana would ask them of
// a source with points every second.
func questions(t *testing.T, path string) (out []question) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Annotations struct {
			List []struct{ Name, Expr string }
		}
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, a := range dashboard.Annotations.List {
		out = append(out, question{a.Name, a.Expr, true})
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			out = append(out, question{p.Title + ", " + target.LegendFormat, strings.ReplaceAll(target.Expr, "$__rate_interval", "4s"), false})
		}
	}
	return out
}

// unanswered asks a Prometheus API each question over what has been since the
// stack was started, and lists those to which there is no number, or no answer.
func unanswered(t *testing.T, api string, since time.Time, all []question) (out []string) {
	t.Helper()
	for _, q := range all {
		form := url.Values{"query": {q.expr}, "step": {"1"}}
		form.Set("start", fmt.Sprint(since.Unix()))
		form.Set("end", fmt.Sprint(time.Now().Unix()))
		response, err := http.PostForm(api+"/api/v1/query_range", form)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Error string
			Data  struct {
				Result []struct{ Values [][2]any }
			}
		}
		err = json.NewDecoder(response.Body).Decode(&answer)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		numbers := 0
		for _, series := range answer.Data.Result {
			for _, v := range series.Values {
				n, err := strconv.ParseFloat(fmt.Sprint(v[1]), 64)
				if err != nil {
					t.Fatal(err)
				}
				if !math.IsNaN(n) && (n > 0 || !q.annotation) {
					numbers++
				}
			}
		}
		if numbers == 0 {
			out = append(out, fmt.Sprintf("%s: %s: no number; %s", q.where, q.expr, answer.Error))
		}
	}
	return out
}

// dashboardAnswered waits until every question of the dashboard has an answer.
func dashboardAnswered(t *testing.T, api string, since time.Time) {
	t.Helper()
	all := questions(t, dashboardFile)
	if len(all) < 20 {
		t.Fatalf("the dashboard has %d expressions only", len(all))
	}
	answered(t, api, since, all)
}

func answered(t *testing.T, api string, since time.Time, all []question) {
	t.Helper()
	var missing []string
	for deadline := time.Now().Add(25 * time.Second); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if missing = unanswered(t, api, since, all); len(missing) == 0 {
			return
		}
	}
	t.Errorf("%d of %d expressions have no answer:\n%s", len(missing), len(all), strings.Join(missing, "\n"))
}

// TestDashboardsAreAnswered asks everything that the dashboard asks of a
// collector that sees a stack under load, told what it is told in compose.yaml.
func TestDashboardsAreAnswered(t *testing.T) {
	unhurried(t)
	stacked(t)
	began := time.Now()
	users, runtime, mongo := freeTCP(t), freeTCP(t), freeTCP(t)
	background(t, nil, binary, "docstore", "--listen", mongo, "--data", t.TempDir())
	usersUDP := freeTCP(t)
	c := startCollect(t, "--interval", "1s", "--origin", "container", "--expire", "5s", "--statsd", "users="+usersUDP,
		"--haproxy", runtime, "--mongo", "mongodb://"+mongo)
	balancer(t, users, runtime)
	lb := haproxy.NewRuntime(runtime)
	peer, sources := startPrometheus(t, c.api), []string{c.api}
	if peer != "" {
		sources = append(sources, peer)
	}
	var leave [2]func()
	for i, container := range []string{"4be1f0c2a9d7", "90c3de11b245"} {
		if i == 1 { // the second comes later, and the first leaves: annotations show both
			background(t, nil, binary, "load", "--target", "http://"+users, "--rate", "50/s", "--for", "0", "--statsd", usersUDP)
			for _, api := range sources {
				answered(t, api, began, []question{{where: "the first", expr: "fullstack_insert_total offset 2s"}})
			}
		}
		addr := freeTCP(t)
		host, port, _ := strings.Cut(addr, ":")
		statsdHost, statsdPort, _ := strings.Cut(c.statsd, ":")
		leave[i] = background(t, []string{"HOST=" + host, "PORT=" + port, "HOSTNAME=" + container, "INSTANCE=", "DD_TAGS=zone:a",
			"STATSD_HOST=" + statsdHost, "STATSD_PORT=" + statsdPort, "MONGODB_URI=mongodb://" + mongo}, binary, "app")
		listens(t, addr)
		if err := lb.Add(t.Context(), fmt.Sprintf("web-%d", i+1), addr); err != nil {
			t.Fatal(err)
		}
	}
	c.becomes(`count(fullstack_insert_total{instance=~"4be1f0c2a9d7|90c3de11b245", zone="a"})`, "2")
	leave[0]()
	t.Run("by the collector", func(t *testing.T) { dashboardAnswered(t, c.api, began) })
	t.Run("by Prometheus", func(t *testing.T) {
		if peer == "" {
			t.Skip("SKIPPED, NOTHING PROVED: prometheus is not on PATH; make peers installs it")
		}
		rulesHold(t, peer)
		dashboardAnswered(t, peer, began)
	})
	c.becomes(`count(users_requests_total{instance="users", route="insert", outcome="acked"})`, "1")

	wrong := []question{{where: "no series", expr: "rate(no_such_thing[4s])"}, {where: "no expression", expr: "sum(("},
		{where: "never above zero", expr: "-group(fullstack_insert_total)", annotation: true}}
	if missing := unanswered(t, c.api, began, wrong); len(missing) != 3 || !strings.Contains(missing[1], "parse error") {
		t.Errorf("of three expressions without an answer these were found: %q", missing)
	}
}

// rulesHold asks a Prometheus which alerting rules it evaluates: those of the file, and each without an error.
func rulesHold(t *testing.T, api string) {
	t.Helper()
	response, err := http.Get(api + "/api/v1/rules")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	source, err := config.Read(config.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	want, err := series.ParseRules(config.Alerts, source)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			got = append(got, r.Name)
			if r.Health != "ok" {
				t.Errorf("Prometheus says of rule %s: %s %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("Prometheus evaluates %q of %d rules", got, len(want))
	}
}

// startPrometheus starts one as compose.yaml does, and returns its address; ""
// where there is none.
func startPrometheus(t *testing.T, collector string) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		return ""
	}
	text, err := os.ReadFile("../../compose/config/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	const target = `"collector:9102"`
	if !bytes.Contains(text, []byte(target)) {
		t.Fatalf("prometheus.yml does not scrape %s", target)
	}
	file, addr := filepath.Join(t.TempDir(), "prometheus.yml"), freeTCP(t)
	rules, err := config.Read(config.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), config.Alerts), rules, 0o600); err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(target), fmt.Appendf(nil, "%q", strings.TrimPrefix(collector, "http://")))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, nil, path, "--config.file="+file, "--storage.tsdb.path="+t.TempDir(),
		"--enable-feature=native-histograms", "--web.listen-address="+addr)
	listens(t, addr)
	return "http://" + addr
}

// TestPrometheusTakesItsConfiguration asks the real promtool.
func TestPrometheusTakesItsConfiguration(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED, NOTHING PROVED: promtool is not on PATH; make peers installs it")
	}
	if out, err := exec.Command(promtool, "check", "config", "../../compose/config/prometheus.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.Command(promtool, "check", "rules", "../../compose/config/alerts.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// balancer starts HAProxy without servers.
func balancer(t *testing.T, users, runtime string) {
	t.Helper()
	text, err := haproxy.Config{}.Render(users, runtime)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := haproxy.Find("")
	if err != nil {
		t.Fatal(err)
	}
	background(t, nil, path, "-db", "-f", file)
	listens(t, runtime)
}

// background runs a program until the test ends, or until it is killed by the
// function that it returns.
func background(t *testing.T, env []string, name string, args ...string) (kill func()) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &said, &said, append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // an error means that it has ended, which its words explain
		_ = cmd.Wait()
	})
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("%s %s:\n%s", name, strings.Join(args, " "), said.String())
		}
	})
	return kill
}

// freeTCP is an address that was free a moment ago.
func freeTCP(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listens waits until somebody accepts connections at addr.
func listens(t *testing.T, addr string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var conn net.Conn
		if conn, err = net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatal(err)
}
