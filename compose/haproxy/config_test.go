package haproxy

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"throughline/compose"
)

func TestRenderRefusesWhatWouldChangeTheConfiguration(t *testing.T) {
	for _, c := range []struct {
		config        Config
		http, runtime string
		want          string
	}{
		{Config{HealthPath: "healthz"}, "127.0.0.1:80", "127.0.0.1:81", "absolute path"},
		{Config{HealthPath: "/a b"}, "127.0.0.1:80", "127.0.0.1:81", "without spaces"},
		{Config{HealthPath: "/a\nbackend x"}, "127.0.0.1:80", "127.0.0.1:81", "health path"},
		{Config{HealthPath: "/a#b"}, "127.0.0.1:80", "127.0.0.1:81", "health path"},
		{Config{}, "80", "127.0.0.1:81", "http address"},
		{Config{}, "127.0.0.1:80", "", "runtime address"},
		{Config{Resolve: "web"}, "127.0.0.1:80", "127.0.0.1:81", "name to resolve"},
		{Config{Resolve: "web:80 backup"}, "127.0.0.1:80", "127.0.0.1:81", "name to resolve"},
		{Config{Threads: -1}, "127.0.0.1:80", "127.0.0.1:81", "negative"},
		{Config{ServerTimeout: -time.Second}, "127.0.0.1:80", "127.0.0.1:81", "negative"},
	} {
		_, err := c.config.Render(c.http, c.runtime)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error = %v, want %q", c.config, err, c.want)
		}
	}
}

// TestInstanceIsAcceptedByHAProxy expands the templates as a platform does and
// lets HAProxy read the result.
func TestInstanceIsAcceptedByHAProxy(t *testing.T) {
	bin := binary(t)
	full := Config{
		HealthPath: "/health?deep=1&x={y}", CheckTimeout: 2 * time.Second, ClientTimeout: time.Minute,
		ServerTimeout: time.Minute, Threads: 2, MaxConn: 500,
	}
	for _, c := range []Config{{}, full, {Resolve: "web:8080"}, {Proxied: true, Log: "127.0.0.1:514"}} {
		i, err := c.Instance("haproxy-1", bin)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Validate(); err != nil {
			t.Fatal(err)
		}
		i.Ports = map[string]int{HTTPPort: 18080, RuntimePort: 18081}
		i, err = i.Expand(compose.Place{Host: "127.0.0.1", Dir: "/somewhere"})
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(t.Context(), bin, i.Files[configFile]); err != nil {
			t.Error(err)
		}
		if !strings.Contains(i.Files[configFile], "bind 127.0.0.1:18080\n") {
			t.Errorf("the frontend's address is not in\n%s", i.Files[configFile])
		}
		if last := i.Program.Command[len(i.Program.Command)-1]; last != "/somewhere/haproxy.cfg" {
			t.Errorf("it reads %s", last)
		}
	}
}

func TestCheckSaysWhereAndWhat(t *testing.T) {
	bin := binary(t)
	err := Check(t.Context(), bin, "global\n    frobnicate\ndefaults\n    mode http\n    balance nonsense\n")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"[haproxy.cfg:2]", "frobnicate", "[haproxy.cfg:5]", "balance only supports"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	for _, not := range []string{"ALERT", "/tmp", "Fatal errors", "Error(s) found"} {
		if strings.Contains(err.Error(), not) {
			t.Errorf("the error still has %q: %v", not, err)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Check(done, bin, "global\n"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if err := Check(t.Context(), "/bin/false", "global\n"); err == nil || !strings.Contains(err.Error(), "/bin/false") {
		t.Errorf("with what is not HAProxy: %v", err)
	}
}

func TestVersion(t *testing.T) {
	if _, err := Version(t.Context(), "no-such-haproxy"); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "install HAProxy 2.6") {
		t.Errorf("missing: %v", err)
	}
	if r, err := Version(t.Context(), binary(t)); err != nil || r.Major < 2 {
		t.Errorf("the installed one: %+v, %v", r, err)
	}
	for _, c := range []struct {
		out  string
		want string // "" = fine
	}{
		{"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nStatus: x\n", ""},
		{"HAProxy version 3.2.0 2025/05/28 - https://haproxy.org/\n", ""},
		{"HAProxy version 2.5.14 2023/01/01 - https://haproxy.org/\n", "2.5.14, which cannot add servers"},
		{"HA-Proxy version 1.8.19-1+deb10u3 2020/08/01\n", "1.8.19-1+deb10u3, which"},
		{"nginx version: nginx/1.22\n", "it is not HAProxy"},
		{"", "it is not HAProxy"},
	} {
		r, err := parseVersion("haproxy", c.out)
		if c.want == "" && (err != nil || r.Text == "") || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %+v, %v; want %q", c.out, r, err, c.want)
		}
	}
}

func TestParseTyped(t *testing.T) {
	rows, err := parseTyped("S.3.1.0.pxname.1:KNS:str:be_web\nS.3.1.1.svname.1:KNS:str:web-1\n" +
		"S.3.1.7.stot.1:MCP:u64:18014398509481984\nS.3.1.55.lastsess.1:MAP:s32:-1\nS.3.1.73.addr.1:CGS:str:127.0.0.1:80\n")
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	row := rows[0]
	if row.Proxy != "be_web" || row.Server != "web-1" || row.Kind != Server || row.Text["addr"] != "127.0.0.1:80" ||
		row.Values["stot"] != 1<<54 || row.Values["lastsess"] != -1 {
		t.Errorf("%+v", row)
	}
	if _, ok := row.Values["scur"]; ok {
		t.Error("a field that HAProxy did not give has a value")
	}
	for _, bad := range []string{
		"Permission denied",
		"S.3.1.7.stot.1:MCP:u64",
		"X.3.1.7.stot.1:MCP:u64:1",
		"S.3.1.stot.1:MCP:u64:1",
		"S.3.1.7.stot.1:MCP:u64:many",
		"S.3.1.7.stot.1:MCP:u64:1",
	} {
		if rows, err := parseTyped(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, rows)
		}
	}
}

func FuzzParseTyped(f *testing.F) {
	f.Add("S.3.1.0.pxname.1:KNS:str:be_web\nS.3.1.1.svname.1:KNS:str:web-1\nS.3.1.7.stot.1:MCP:u64:1\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseTyped(text)
		for _, row := range rows {
			if err == nil && (row.Proxy == "" || row.Server == "" || row.Kind == 0) {
				t.Errorf("%+v", row)
			}
		}
	})
}
