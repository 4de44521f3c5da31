package series

import (
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// TestPromtool has Prometheus' own client ask.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED: promtool is not installed, so nothing but our own reading of the API was tested; install prometheus (Debian) to have it")
	}
	s := served(t)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	for _, c := range []struct {
		args string
		want string
	}{
		{"query instant --time=1582978200 %s hits_total", `hits_total{instance="web-1"} => 40 @[1582978200]` + "\n" + `hits_total{instance="web-2"} => 80 @[1582978200]` + "\n"},
		{"query instant --time=2020-02-29T12:10:00Z %s load", `load{instance="web-1", path="/<a>&\"b\""} => 0.0000001 @[1582978200]` + "\n"},
		{"query instant --time=1582978200 %s 1+2", "scalar: 3 @[1582978200]\n"},
		{"query instant --time=1582978200 %s histogram_count(delay)", `{instance="web-1"} => 7 @[1582978200]` + "\n"},
		{"query range --start=1582978190 --end=1582978194 --step=2s %s sum(hits_total)", "{} =>\n0 @[1582978190]\n30 @[1582978192]\n60 @[1582978194]\n"},
		{"query series --match=hits_total --start=1582970000 --end=1582978200 %s", `{__name__="hits_total", instance="web-1"}` + "\n" + `{__name__="hits_total", instance="web-2"}` + "\n"},
		{"query labels --start=1582970000 --end=1582978200 %s instance", "web-1\nweb-2\n"},
	} {
		args := strings.Fields(c.args)
		for i, arg := range args {
			if arg == "%s" {
				args[i] = server.URL
			}
		}
		out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("promtool %s: %v\n got %s\nwant %s", strings.Join(args, " "), err, out, c.want)
		}
	}
	out, err := exec.CommandContext(t.Context(), promtool, "query", "instant", server.URL, "up{").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "bad_data: invalid parameter \"query\": 1:4: parse error") {
		t.Errorf("promtool tells of a bad query %q, %v", out, err)
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(get(t, s, "/metrics").body)
	if out, err := check.CombinedOutput(); err != nil && !strings.Contains(fmt.Sprint(err), "exit status 3") { // 3: no help, which is only advice
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
