package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"throughline/collector/pipeline"
	"throughline/collector/statsd"
)

// collectorProcess is a running `throughline collect`.
type collectorProcess struct {
	t      *testing.T
	cmd    *exec.Cmd
	statsd string // host:port
	api    string // http://host:port
	out    *output
}

// output keeps what a program writes, line by line.
type output struct {
	mu   sync.Mutex
	text strings.Builder
	done chan struct{} // closed when the program has closed its end
}

func (l *output) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startCollect starts a collector on free ports and waits until it listens.
func startCollect(t *testing.T, args ...string) *collectorProcess {
	t.Helper()
	c := &collectorProcess{t: t, out: &output{done: make(chan struct{})}}
	c.cmd = exec.Command(binary, append([]string{"collect", "--statsd", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--interval", "100ms"}, args...)...)
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill() }) // it has ended, unless the test failed
	listening := make(chan struct{})
	go func() {
		defer close(c.out.done)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			line := scanner.Text()
			c.out.mu.Lock()
			fmt.Fprintln(&c.out.text, line)
			c.out.mu.Unlock()
			if _, at, ok := strings.Cut(line, "StatsD on udp://"); ok {
				c.statsd = at
			}
			if _, at, ok := strings.Cut(line, "for people, on http://"); ok {
				c.api, _, _ = strings.Cut("http://"+at, ";")
				close(listening)
			}
		}
	}()
	select {
	case <-listening:
	case <-c.out.done:
		t.Fatalf("collect ended:\n%s", c.out)
	case <-time.After(30 * time.Second):
		t.Fatalf("collect does not listen:\n%s", c.out)
	}
	return c
}

// end sends a signal and returns the exit status, -1 for a death by signal.
func (c *collectorProcess) end(signal os.Signal) int {
	c.t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
	<-c.out.done
	_ = c.cmd.Wait() // the status says it
	return c.cmd.ProcessState.ExitCode()
}

func (c *collectorProcess) send(datagrams ...string) {
	c.t.Helper()
	conn, err := net.Dial("udp", c.statsd)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	for _, d := range datagrams {
		if _, err := io.WriteString(conn, d); err != nil {
			c.t.Fatal(err)
		}
	}
}

// values asks for an expression now: the values of the series of the answer.
func (c *collectorProcess) values(expr string) []string {
	c.t.Helper()
	var answer struct {
		Data struct {
			Result []struct{ Value []any }
		}
	}
	c.fetch("/api/v1/query?query="+url.QueryEscape(expr), &answer)
	out := []string{}
	for _, r := range answer.Data.Result {
		out = append(out, fmt.Sprint(r.Value[1]))
	}
	return out
}

func (c *collectorProcess) fetch(path string, into any) {
	c.t.Helper()
	response, err := http.Get(c.api + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		c.t.Fatalf("%s: status %d: %v", path, response.StatusCode, err)
	}
}

// becomes waits until an expression has one value.
func (c *collectorProcess) becomes(expr, want string) {
	c.t.Helper()
	var got []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = c.values(expr); len(got) == 1 && got[0] == want {
			return
		}
	}
	c.t.Fatalf("%s is %v, want %s\n%s", expr, got, want, c.out)
}

// TestCollectIsKilled: a collector that dies keeps what it flushed; the next on
// the same directory goes on counting, and says for how long there was none.
func TestCollectIsKilled(t *testing.T) {
	dir := t.TempDir()
	first := startCollect(t, "--data", dir)
	first.send("hits:5|c\nhits.time:8|ms", "carts:+3|g")
	first.becomes("hits_total", "5")
	first.becomes("histogram_count(hits_time)", "1")
	first.becomes("carts", "3")
	if status := first.end(syscall.SIGKILL); status != -1 {
		t.Fatalf("exit status %d after SIGKILL", status)
	}
	second := startCollect(t, "--data", dir)
	if got := second.values("hits_total"); len(got) != 0 {
		t.Errorf("hits_total is %v after the restart, before anybody sent anything", got)
	}
	second.send("hits:2|c\nhits.time:8|ms", "carts:+1|g")
	second.becomes("hits_total", "7")
	second.becomes("histogram_count(hits_time)", "2")
	second.becomes("carts", "4")
	second.becomes("count(throughline_collector_outage_seconds > 0)", "1")
	var events struct {
		Data []struct{ At, Until time.Time }
	}
	second.fetch("/api/v1/events?kind=outage", &events)
	if len(events.Data) != 1 || !events.Data[0].At.Before(events.Data[0].Until) {
		t.Errorf("outages: %+v, want one", events.Data)
	}
	// The counter never fell, not even where the process changed.
	second.becomes("resets(hits_total[1h])", "0")
	if status := second.end(os.Interrupt); status != exitPass {
		t.Errorf("exit status %d after Ctrl-C:\n%s", status, second.out)
	}
}

// TestCollectSumsUp: what was lost is said at the end, and while it happens.
func TestCollectSumsUp(t *testing.T) {
	c := startCollect(t, "--max-series", "2")
	c.send("a.b:1|c\na_b:1|c\nx:y|c\nb:1|g\nc:1|g")
	c.becomes("sum(throughline_collector_lines_total)", "5")
	if status := c.end(os.Interrupt); status != exitPass {
		t.Errorf("exit status %d", status)
	}
	for _, want := range []string{
		`bad_value: "x:y|c"`, `series: "c:1|g"`,
		"1 datagram, 5 lines, 2 bad lines, 1 refused line, 0 datagrams dropped by the kernel",
		"name_collision: ",
	} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("it did not say %q:\n%s", want, c.out)
		}
	}
}

// TestCollectTags: tags in names are understood if asked for, and else said at
// once to be part of the name.
func TestCollectTags(t *testing.T) {
	c := startCollect(t, "--tags", "influxdb")
	c.send("hits,zone=a,role=web:1|c", "hits#zone=a:1|c")
	c.becomes(`hits_total{zone="a",role="web"}`, "1")
	c.becomes("sum(throughline_collector_lines_total)", "2")
	want := "tags_in_name: hits has tags in its name that became part of it; --tags librato understands them (1 line)"
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(c.out.String(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not say %q:\n%s", want, c.out)
		}
	}
	if strings.Contains(c.out.String(), "--tags influxdb") {
		t.Errorf("it finds fault with what it understands:\n%s", c.out)
	}
	if status := c.end(os.Interrupt); status != exitPass {
		t.Errorf("exit status %d", status)
	}
}

// TestCollectBeacons: where beacons are taken is said, they become series, and whose pages may not send any is refused.
func TestCollectBeacons(t *testing.T) {
	c := startCollect(t, "--rum", "127.0.0.1:0", "--rum-origin", "https://www.example.com")
	found := regexp.MustCompile(`Beacons of pages of https://www.example.com on (http://127.0.0.1:[0-9]+/rum)`).FindStringSubmatch(c.out.String())
	if found == nil {
		t.Fatalf("it does not say where beacons are taken:\n%s", c.out)
	}
	send := func(origin string) int {
		req, err := http.NewRequest(http.MethodPost, found[1], strings.NewReader(`{"id":"page-1","route":"insert","latency_ms":12.5}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Content-Type", "text/plain")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if good, bad := send("https://www.example.com"), send("https://example.com"); good != http.StatusNoContent || bad != http.StatusForbidden {
		t.Errorf("answered with %d and %d", good, bad)
	}
	c.becomes("rum_page_views_total", "1")
	c.becomes("histogram_sum(rum_page_latency)", "12.5")
	c.becomes(`throughline_collector_rum_bad_beacons_total{reason="origin"}`, "1")
	if status := c.end(os.Interrupt); status != exitPass {
		t.Errorf("exit status %d", status)
	}
}

// TestCollectFlags: what is wrong with a flag is said with its name.
func TestCollectFlags(t *testing.T) {
	for _, c := range []struct {
		flags collectFlags
		want  string
	}{
		{collectFlags{tags: "influx"}, `--tags: "influx" is no style of tags: want dogstatsd, influxdb, librato, signalfx or all`},
		{collectFlags{haproxy: "unix:"}, "--haproxy unix:: no path"},
		{collectFlags{haproxy: "localhost"}, "--haproxy localhost: want host:port"},
		{collectFlags{haproxy: "unix:/run/haproxy.sock"}, ""},
		{collectFlags{haproxy: "/run/haproxy.sock"}, ""},
		{collectFlags{haproxy: "127.0.0.1:9999", tags: "all"}, ""},
	} {
		f := c.flags
		f.origin, f.gauges, f.format, f.tags = "listener", "auto", "tags", cmp.Or(f.tags, "dogstatsd")
		f.config = pipeline.Config{HTTP: "127.0.0.1:0", Interval: time.Second,
			StatsD: statsd.Config{MaxSeries: 1, MaxSeriesTotal: 1, MaxOrigins: 1, MaxTags: 1, MaxName: 1}}
		_, err := f.read()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c.flags, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: %v, want %q", c.flags, err, c.want)
		}
	}
}

// TestCollectRelays: a second collector gets what the first one got, datagram by
// datagram, and the first one's account says so.
func TestCollectRelays(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "statsd.sock")
	peer := startCollect(t, "--statsd", "unix://"+socket)
	c := startCollect(t, "--relay", "unixgram://"+socket)
	for i := range 100 {
		c.send(fmt.Sprintf("hits:%d|c|#n:%d", i, i%7), "junk")
	}
	peer.becomes("sum(hits_total)", "4950")
	peer.becomes("sum(throughline_collector_bad_lines_total)", "100")
	c.becomes("sum(throughline_collector_forward_sent_total)", "200")
	if status := c.end(os.Interrupt); status != exitPass {
		t.Errorf("exit status %d", status)
	}
	if want := "relay to unixgram://" + socket + ": 200 of 200 sent, 0 dropped"; !strings.Contains(c.out.String(), want) {
		t.Errorf("it did not say %q:\n%s", want, c.out)
	}
	if status := peer.end(os.Interrupt); status != exitPass {
		t.Errorf("the peer's exit status is %d", status)
	}
}

// TestCollectLeavesNothing: what a collector keeps for itself alone goes with it; what
// one that was killed left is removed by the next.
func TestCollectLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	left := func() (names []string) {
		found, err := filepath.Glob(filepath.Join(temp, "throughline-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if status := startCollect(t).end(syscall.SIGKILL); status != -1 {
		t.Fatalf("exit status %d after SIGKILL", status)
	}
	behind := left()
	if len(behind) != 1 {
		t.Fatalf("the killed one left %v", behind)
	}
	living := startCollect(t)
	beside := startCollect(t)
	if now := left(); len(now) != 2 || now[0] == behind[0] || now[1] == behind[0] {
		t.Errorf("while two run there are %v; the killed one left %v", now, behind)
	}
	living.send("hits:1|c")
	living.becomes("hits_total", "1")
	for _, c := range []*collectorProcess{living, beside} {
		if status := c.end(os.Interrupt); status != exitPass {
			t.Errorf("exit status %d", status)
		}
	}
	if now := left(); len(now) != 0 {
		t.Errorf("two that ended left %v", now)
	}
}
