package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSocketPath(t *testing.T) {
	for addr, want := range map[string]string{"/run/a.sock": "/run/a.sock", "unix:/run/a.sock": "/run/a.sock", "unix:///run/a.sock": "/run/a.sock",
		"unix@/run/a.sock": "/run/a.sock", "unix:a.sock": "a.sock", "unix:": ""} {
		if path, ok := SocketPath(addr); !ok || path != want {
			t.Errorf("%s: %q, %v, want %q", addr, path, ok, want)
		}
	}
	for _, addr := range []string{"127.0.0.1:9999", "localhost", ""} {
		if path, ok := SocketPath(addr); ok {
			t.Errorf("%s: the path %q", addr, path)
		}
	}
}

func TestErrorsNameTheServerAndWhatHAProxySays(t *testing.T) {
	l := startLB(t, Config{})
	w := startWeb(t, "web-1")
	l.add(t, w)
	for _, c := range []struct {
		err  error
		want string
	}{
		{l.Add(t.Context(), "web-1", w.addr), "add server web-1: the name was used before"},
		{l.Add(t.Context(), "web 2", w.addr), "not a name HAProxy takes"},
		{l.Add(t.Context(), "web-2;show", w.addr), "not a name HAProxy takes"},
		{l.Add(t.Context(), "web-2", "localhost:80"), `add server web-2: address "localhost:80": give an IP address`},
		{l.Add(t.Context(), "web-2", "127.0.0.1:1a"), "address"},
		{l.Drain(t.Context(), "web-9"), `server web-9: drain: haproxy says "No such server."`},
		{l.Maint(t.Context(), "web-9"), "No such server"},
		{l.Ready(t.Context(), "web-9"), "No such server"},
		{l.Remove(t.Context(), "web-9", 0), "No such server"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error = %v, want %q", c.err, c.want)
		}
	}
	_, err := l.State(t.Context(), "web-9")
	if err == nil || !strings.Contains(err.Error(), "web-9: no such server (have web-1)") {
		t.Errorf("state of what is not there = %v", err)
	}
	// A server of that name that this Runtime did not add: HAProxy refuses.
	other := NewRuntime(l.addr)
	if err := other.Add(t.Context(), "web-1", w.addr); err == nil || !strings.Contains(err.Error(), "Already exists") {
		t.Errorf("add twice = %v", err)
	}
	if err := l.Remove(within(t), "web-1", 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Add(t.Context(), "web-1", w.addr); err == nil || !strings.Contains(err.Error(), "used before") {
		t.Errorf("a removed name is taken again: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Statistics(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if _, err := NewRuntime(freeAddr(t)).Statistics(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("without HAProxy: %v", err)
	}
}

func TestDrainReadyAndHealth(t *testing.T) {
	l := startLB(t, Config{})
	one, two := startWeb(t, "web-1"), startWeb(t, "web-2")
	l.add(t, one)
	l.add(t, two)
	for _, name := range []string{"web-1", "web-2"} {
		if err := l.WaitState(within(t), name, Up); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Drain(t.Context(), "web-1"); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if by := get(t, l.url+"/x").Header.Get(ServedBy); by != "web-2" {
			t.Errorf("answered by %q while web-1 drains", by)
		}
	}
	if err := l.Ready(t.Context(), "web-1"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for range 10 {
		seen[get(t, l.url+"/x").Header.Get(ServedBy)]++
	}
	if seen["web-1"] != 5 || seen["web-2"] != 5 {
		t.Errorf("answers: %v, want 5 of each", seen)
	}
	brief, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := l.WaitState(brief, "web-1", Down)
	if err == nil || !strings.Contains(err.Error(), "server web-1 is UP, not DOWN") {
		t.Errorf("waiting for what does not happen: %v", err)
	}
}

func TestFiftyServers(t *testing.T) {
	l := startLB(t, Config{})
	for n := range 50 {
		l.add(t, startWeb(t, fmt.Sprintf("web-%d", n+1)))
	}
	seen := map[string]bool{}
	for range 100 {
		seen[get(t, l.url+"/x").Header.Get(ServedBy)] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 servers answered", len(seen))
	}
	for n := range 50 {
		if err := l.Remove(within(t), fmt.Sprintf("web-%d", n+1), 0); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := l.Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var total float64
	for _, row := range rows {
		if row.Kind == Server {
			total += row.Values["stot"]
		}
	}
	if total != 100 {
		t.Errorf("removed servers count %v requests together, want 100", total)
	}
	l.identities(t)
}

// TestConnectionsToServersAreKept makes sure that servers added at run time get
// a connection pool like configured ones.
func TestConnectionsToServersAreKept(t *testing.T) {
	l := startLB(t, Config{})
	w := startWeb(t, "web-1")
	l.add(t, w)
	client := http.Client{Timeout: patience}
	for range 20 {
		res, err := client.Get(l.url + "/x")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	client.CloseIdleConnections()
	if reuse := l.row(t, "web-1").Values["reuse"]; reuse < 15 {
		t.Errorf("%v of 20 requests reused a connection", reuse)
	}
}

func TestFieldsAgreeWithHAProxy(t *testing.T) {
	l := startLB(t, Config{})
	l.add(t, startWeb(t, "web-1"))
	get(t, l.url+"/x")
	text, err := l.command(t.Context(), "show stat typed")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 4)
		if len(parts) != 4 {
			continue
		}
		name := strings.Split(parts[0], ".")[4]
		f, ok := Fields[name]
		if !ok {
			if !strings.HasPrefix(name, "ssl_") && !strings.HasPrefix(name, "h1_") && !strings.HasPrefix(name, "h2_") {
				t.Logf("not documented: %s", line)
			}
			continue
		}
		looked++
		said := Nature(parts[1][1:2])
		if (f.Nature == Counter) != (said == Counter) {
			t.Errorf("%s is %s to HAProxy, %s in Fields", name, said, f.Nature)
		}
		if f.Meaning == "" {
			t.Errorf("%s has no meaning", name)
		}
	}
	if looked < 100 {
		t.Errorf("only %d values looked at", looked)
	}
}

// BenchmarkStatistics reads the rows of 20 servers.
func BenchmarkStatistics(b *testing.B) {
	l := startLB(b, Config{})
	for n := range 20 {
		l.add(b, startWeb(b, fmt.Sprintf("web-%d", n+1)))
	}
	for b.Loop() {
		if _, err := l.Statistics(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOneServerIsAskedForAlone: of a server that was added only its own row is read, and a
// number that is another's by now deceives nobody.
func TestOneServerIsAskedForAlone(t *testing.T) {
	l := startLB(t, Config{})
	for _, name := range []string{"web-1", "web-2"} {
		l.add(t, startWeb(t, name))
	}
	id, known := l.idOf("web-2")
	if !known {
		t.Fatal("nobody knows HAProxy's number of web-2")
	}
	rows, err := l.rows(t.Context(), Backend, serverRows, id)
	if err != nil || len(rows) != 1 || rows[0].Server != "web-2" {
		t.Fatalf("asked for %s alone: %v, %v", id, rows, err)
	}
	l.naming.Lock()
	l.ids["web-2"] = l.ids["web-1"]
	l.naming.Unlock()
	if row, err := l.server(t.Context(), "web-2"); err != nil || row.Server != "web-2" {
		t.Errorf("asked for web-2 by the number of web-1: %v, %v", row, err)
	}
}
