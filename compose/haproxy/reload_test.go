package haproxy

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestReload: the new worker counts from zero and has the servers that the old
// one had, those that were removed before aside, whose last numbers are kept.
func TestReload(t *testing.T) {
	l := startLB(t, Config{Master: true})
	first, second := startWeb(t, "web-1"), startWeb(t, "web-2")
	l.add(t, first)
	l.add(t, second)
	for range 6 {
		get(t, l.url+"/x")
	}
	if err := l.Remove(t.Context(), "web-2", 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for server, want := range map[string]float64{"web-1": 0, "web-2": 3, "FRONTEND": 0} {
		row := l.row(t, server)
		if got := row.Values["stot"]; got != want || row.Removed != (server == "web-2") {
			t.Errorf("after the reload %s has %v sessions (removed: %v), want %v", server, got, row.Removed, want)
		}
	}
	if res := get(t, l.url+"/x"); res.StatusCode != http.StatusOK || res.Header.Get(ServedBy) != "web-1" {
		t.Errorf("after the reload: %s from %q, want 200 from web-1", res.Status, res.Header.Get(ServedBy))
	}
	if err := l.WaitState(t.Context(), "web-1", Up); err != nil {
		t.Error(err)
	}
	if err := l.Add(t.Context(), "web-2", second.addr); err == nil {
		t.Error("a name was used again after a reload")
	}
}

// TestReloadUnderLoad: no request is lost but those that find a backend
// without servers, which HAProxy answers itself.
func TestReloadUnderLoad(t *testing.T) {
	l := startLB(t, Config{Master: true})
	l.add(t, startWeb(t, "web-1"))
	users := startLoad(t.Context(), l.url+"/x", 4)
	defer users.stop()
	for range 2 {
		if err := l.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		users.more(t, 20)
	}
	users.stop()
	users.mu.Lock()
	defer users.mu.Unlock()
	for _, bad := range users.bad {
		if !strings.Contains(bad, "503") && !strings.Contains(bad, "EOF") && !strings.Contains(bad, "reset") {
			t.Errorf("a user saw %s", bad)
		}
	}
}

func TestReloadNeedsAMaster(t *testing.T) {
	l := startLB(t, Config{})
	if err := l.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "master-worker mode") {
		t.Errorf("a lone worker was reloaded: %v", err)
	}
}

// TestRetryAll: a request whose answer never came is sent again, and executed
// twice; without RetryAll it is not.
func TestRetryAll(t *testing.T) {
	for _, all := range []bool{false, true} {
		l := startLB(t, Config{RetryAll: all, ServerTimeout: 300 * time.Millisecond})
		w := startWeb(t, "web-1")
		l.add(t, w)
		get(t, l.url+"/hang")
		w.mu.Lock()
		executed := w.executed
		w.mu.Unlock()
		if all != (executed > 1) {
			t.Errorf("RetryAll %v: the request came %d times", all, executed)
		}
	}
}
