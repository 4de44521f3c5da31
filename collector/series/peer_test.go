package series

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// program finds a program that the machine may lack.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed; install prometheus (Debian)", name)
	}
	t.Skipf("SKIPPED, NOTHING PROVED: %s is not installed; install prometheus (Debian) to have it", name)
	return ""
}

// prometheus runs a real one that scrapes target as jobs say, twice a second,
// and returns the address of its API.
func prometheus(t *testing.T, target string, jobs ...string) string {
	t.Helper()
	binary, dir := program(t, "prometheus"), t.TempDir()
	config := "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n"
	for _, job := range jobs {
		config += fmt.Sprintf("- {honor_labels: true, static_configs: [{targets: [%q]}], metric_relabel_configs: [{regex: job, action: labeldrop}], %s}\n", target, job)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	ctx, stop := context.WithCancel(context.Background())
	var log strings.Builder
	cmd := exec.CommandContext(ctx, binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--enable-feature=native-histograms", "--log.level=warn")
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("prometheus says:\n%s", log.String())
		}
	})
	base := "http://" + addr
	until(t, "prometheus is ready", func() string {
		r, err := http.Get(base + "/-/ready")
		if err != nil {
			return err.Error()
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return r.Status
		}
		return ""
	})
	return base
}

// until waits for a condition, which says what it lacks.
func until(t *testing.T, what string, lacks func() string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		text := lacks()
		if text == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s: %s", what, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// fetch asks an API and returns the status and what the JSON says.
func fetch(t *testing.T, base, target string) (int, any) {
	t.Helper()
	path, form, _ := strings.Cut(target, "?")
	r, err := http.Get(base + "/api/v1/" + path + "?" + escape(form))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%s%s: %v in %s", base, target, err, body)
	}
	return r.StatusCode, out
}

// fed is a store of present samples that is served, and a Prometheus that has
// scraped all of them by /federate, so that both have the same points.
func fed(t *testing.T) (ours, theirs string, begin time.Time) {
	t.Helper()
	program(t, "prometheus")
	s := openWith(t, t.TempDir(), Options{Now: time.Now})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	theirs = prometheus(t, server.Listener.Addr().String(),
		`job_name: fed, metrics_path: /federate, honor_timestamps: true, params: {"match[]": ['{__name__=~".+"}']}`)
	begin = time.Now().Truncate(time.Second).Add(-10 * time.Second)
	hits := &collector.Meta{Type: collector.Counter, Sent: "hits"}
	for i := range 5 {
		when, n := begin.Add(time.Duration(i)*2*time.Second), float64(i+1)
		h := &collector.Histogram{Schema: 3, Count: 5 * n, Sum: 7.5 * n, ZeroThreshold: 1e-9, ZeroCount: n,
			Positive: []collector.Bucket{{Index: -3, Count: n}, {Index: 4, Count: 2.5 * n}}, Negative: []collector.Bucket{{Index: 2, Count: n / 2}}}
		mustAppend(t, s,
			collector.Sample{Name: "hits_total", Labels: collector.NewLabels("instance", "web-1"), Meta: hits, At: when, Value: 10 * n},
			collector.Sample{Name: "hits_total", Labels: collector.NewLabels("instance", "web-2"), Meta: hits, At: when, Value: 20 * n},
			collector.Sample{Name: "load", Labels: collector.NewLabels("instance", "web-1", "path", `/<a>&"b"`), At: when, Value: 1e-7 * n},
			collector.Sample{Name: "delay", Labels: collector.NewLabels("instance", "web-1"), At: when, Histogram: h})
		until(t, fmt.Sprintf("prometheus has point %d", i), func() string {
			_, all := fetch(t, theirs, fmt.Sprintf(`query?query=count({__name__=~"hits_total|load|delay"} and on() (timestamp(load)==%d))&time=%d`, when.Unix(), when.Unix()))
			_, delay := fetch(t, theirs, fmt.Sprintf(`query?query=histogram_count(delay)==%v&time=%d`, 5*n, when.Unix()))
			if !strings.Contains(fmt.Sprint(all), " 4]") || !strings.Contains(fmt.Sprint(delay), "web-1") {
				return fmt.Sprint(all, delay)
			}
			return ""
		})
	}
	return server.URL, theirs, begin
}

// TestAnswersAreThoseOfPrometheus asks a real Prometheus and the store the same
// of the same samples. Left out is what Prometheus 3 does unlike the 2.42 of
// Debian: ranges without their first moment, quantiles of native histograms that
// are interpolated exponentially.
func TestAnswersAreThoseOfPrometheus(t *testing.T) {
	t.Parallel()
	ours, theirs, begin := fed(t)
	from, to := begin.Unix(), begin.Add(8*time.Second).Unix()
	span := fmt.Sprintf("start=%d&end=%d", from, to)
	for _, target := range []string{
		fmt.Sprintf("query?query=hits_total&time=%d", to), fmt.Sprintf("query?query=sum(hits_total)&time=%d.5", to),
		fmt.Sprintf("query?query=load&time=%d", to), fmt.Sprintf("query?query=delay&time=%d", to), fmt.Sprintf("query?query=delay[5s]&time=%d", to),
		fmt.Sprintf("query?query=hits_total[5s]&time=%d", to),
		fmt.Sprintf("query?query=rate(hits_total[7s])&time=%d", to), fmt.Sprintf("query?query=histogram_sum(sum(delay))&time=%d", to),
		fmt.Sprintf("query?query=nothing&time=%d", to), fmt.Sprintf("query?query=1%%2B1&time=%d", to), fmt.Sprintf(`query?query="text"&time=%d`, to),
		fmt.Sprintf("query?query=1/0&time=%d", to), fmt.Sprintf("query?query=topk(1,hits_total)&time=%d", to),
		"query_range?query=hits_total&step=1&" + span, "query_range?query=delay&step=2&" + span, "query_range?query=sum by (instance)(hits_total)&step=1s&" + span,
		"query_range?query=nothing&step=1&" + span, "query_range?query=1&step=4&" + span,
		"series?match[]=hits_total&" + span, "series?match[]=nothing&" + span, `series?match[]={instance="web-1"}&` + span,
		"labels?match[]=hits_total&match[]=load&" + span, "labels?match[]=nothing&" + span,
		"label/instance/values?match[]=hits_total&" + span, "label/nope/values?" + span, "label/__name__/values?match[]={instance=~\"web-.\"}&" + span,
		"metadata?metric=nothing", "query_exemplars?query=hits_total&" + span, "rules", "alerts",
		// What is wrong has the same status and kind; the words have changed since 2.42.
		"query", "query?query=up{", "query?query=up&time=soon", "query?query=up&timeout=soon", "query_range?query=up&start=2&end=1&step=1", "query_range?query=up&start=1&end=2&step=0",
		"query_range?query=up&start=0&end=11001&step=1", "series", "series?match[]={}", "labels?match[]=a(", "labels?start=x", "query_exemplars?query=up{&" + span, "query_exemplars?query=up&start=1",
		"metadata?limit=x", fmt.Sprintf("query?query=hits_total*on()load&time=%d", to),
	} {
		ourStatus, our := fetch(t, ours, target)
		theirStatus, their := fetch(t, theirs, target)
		if ourStatus >= 400 {
			delete(our.(map[string]any), "error")
			delete(their.(map[string]any), "error")
		}
		if m := our.(map[string]any); m["infos"] != nil { // which came after 2.42
			delete(m, "infos")
		}
		if diff := cmp.Diff(their, our); diff != "" || ourStatus != theirStatus {
			t.Errorf("%s: %d, Prometheus says %d (-prometheus +ours):\n%s", target, ourStatus, theirStatus, diff)
		}
	}
}

// TestPrometheusScrapesMetrics in the formats it asks for by itself, with native
// histograms and without, and with names it does not know.
func TestPrometheusScrapesMetrics(t *testing.T) {
	t.Parallel()
	program(t, "prometheus")
	s := openWith(t, t.TempDir(), Options{Now: time.Now})
	// Each way has a path of its own, for Prometheus asks for one format.
	kinds := make(chan string, 1000)
	handler := s.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		way := r.URL.Path
		switch r.URL.Path = "/metrics"; way {
		case "/text":
			r.Header.Set("Accept", acceptText)
		case "/open":
			r.Header.Set("Accept", acceptOpenMetrics)
		}
		handler.ServeHTTP(w, r)
		select {
		case kinds <- way + " " + strings.Split(w.Header().Get("Content-Type"), ";")[0]:
		default:
		}
	}))
	t.Cleanup(server.Close)
	now := time.Now()
	mustAppend(t, s,
		collector.Sample{Name: "hits_total", Labels: collector.NewLabels("instance", "web-1"), At: now, Value: 40, Meta: &collector.Meta{Type: collector.Counter, Sent: "hits", Origin: "listener"}},
		collector.Sample{Name: "größe", Labels: collector.NewLabels("straße", "süd", "strüße", "nord"), At: now, Value: 3, Meta: &collector.Meta{Type: collector.Gauge, Sent: "größe"}},
		collector.Sample{Name: "gr__e", At: now, Value: 4},
		collector.Sample{Name: "took_seconds", Labels: collector.NewLabels("le", "5"), At: now, Meta: &collector.Meta{Type: collector.Summary, Sent: "took", Unit: "seconds"},
			// Version 2.42 takes one of floats with no threshold for a classic one.
			Histogram: &collector.Histogram{Schema: 3, ZeroThreshold: 0x1p-128, Count: 3.5, Sum: 9, Positive: []collector.Bucket{{Index: 2, Count: 3.5}}}})
	base := prometheus(t, server.Listener.Addr().String(), "job_name: proto, metrics_path: /proto, relabel_configs: [{target_label: way, replacement: proto}]",
		"job_name: text, metrics_path: /text, relabel_configs: [{target_label: way, replacement: text}]", "job_name: open, metrics_path: /open, relabel_configs: [{target_label: way, replacement: open}]")
	ask := func(expr string) string {
		_, got := fetch(t, base, "query?query="+url.QueryEscape(expr))
		return fmt.Sprint(got)
	}
	until(t, "three scrapes succeed", func() string {
		if got := ask("sum(up)"); !strings.Contains(got, " 3]") {
			_, targets := fetch(t, base, "targets")
			return fmt.Sprint(got, targets)
		}
		return ""
	})
	for expr, want := range map[string]string{
		"sum by (instance)(hits_total)":                         "map[instance:web-1] value:[",
		"sum(hits_total)":                                       " 120]",
		`sum(U__gr_f6__df_e{stra_e="süd"})`:                     " 9]", // each name but the first is written in full
		"sum(gr__e)":                                            " 12]",
		"sum(took_seconds_count)":                               " 7]", // in both texts
		"sum(took_seconds_sum)":                                 " 18]",
		`count(took_seconds_bucket{exported_le="5",le="+Inf"})`: " 2]",
		"sum(histogram_count(took_seconds))":                    " 3.5]",
		`sum(histogram_sum(took_seconds{exported_le="5"}))`:     " 9]",
		"count(count by (way)(hits_total))":                     " 3]",
	} {
		until(t, expr, func() string { // on a busy machine a scrape may time out
			if got := ask(expr); !strings.Contains(got, want) {
				return fmt.Sprintf("is %s, want %s", got, want)
			}
			return ""
		})
	}
	_, meta := fetch(t, base, "metadata?metric=hits_total")
	if got := fmt.Sprint(meta); !strings.Contains(got, "help:StatsD hits; instance by listener type:counter") {
		t.Errorf("metadata: %s", got)
	}
	seen := map[string]bool{}
	for len(kinds) > 0 {
		seen[<-kinds] = true
	}
	for _, kind := range []string{"/proto application/vnd.google.protobuf", "/text text/plain", "/open application/openmetrics-text"} {
		if !seen[kind] {
			t.Errorf("no scrape was %s; they were %v", kind, seen)
		}
	}
}
