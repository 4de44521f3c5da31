package series

import (
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// TestPromtool has Prometheus' own client ask.
func TestPromtool(t *testing.T) {
	promtool := program(t, "promtool")
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
		{"query series --match=load --match=delay --start=1582970000 --end=1582978200 %s", `{__name__="delay", instance="web-1"}` + "\n" + `{__name__="load", instance="web-1", path="/<a>&\"b\""}` + "\n"},
		{"query series --match=nothing %s", ""},
		{"query instant --time=1582978200 %s histogram_sum(delay)/histogram_count(delay)", `{instance="web-1"} => 1.7857142857142858 @[1582978200]` + "\n"},
		{"query range --start=1582978200 --end=1582978201 --step=1s %s nothing", "\n"},
		{"query labels --match=hits_total --start=1582970000 --end=1582978200 %s __name__", "hits_total\n"},
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
	for _, path := range []string{"/metrics", "/federate?match[]=hits_total"} {
		check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
		check.Stdin = strings.NewReader(get(t, s, path).body)
		out, err := check.CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "no help text") { // which is only advice
				t.Errorf("promtool check metrics of %s (%v): %s", path, err, line)
			}
		}
	}
}
