package run

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/compose/haproxy"
)

// TestBalancerPoller asks a HAProxy on its Unix socket for servers in each state
// that can be had at once.
func TestBalancerPoller(t *testing.T) {
	bin, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("NOT TESTED: haproxy is not on PATH")
	}
	dir, err := os.MkdirTemp("", "lb") // the path of a Unix socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	alive, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	config, socket := filepath.Join(dir, "haproxy.cfg"), filepath.Join(dir, "s")
	text := fmt.Sprintf(`global
  stats socket %s level admin
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 1s
backend be
  server serves %[2]s
  server checked %[2]s check inter 100
  server maint %[2]s disabled
  server drain %[2]s weight 0
  server down 127.0.0.1:1 check inter 100 fall 1
`, socket, alive.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(bin, "-db", "-f", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy:\n%s", &log)
		}
	})

	want := map[string]string{
		"serves": "UP up=1", "checked": "UP up=1 L4OK", "maint": "MAINT up=0", "drain": "DRAIN up=1", "down": "DOWN up=0 L4CON",
	}
	for _, addr := range []string{"unix:" + socket, "unix://" + socket, "unix@" + socket, socket} {
		poller, diff := BalancerPoller(haproxy.NewRuntime(addr)), "no answer"
		for deadline := time.Now().Add(30 * time.Second); diff != "" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			diff = cmp.Diff(want, balancerStates(t, poller))
		}
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", addr, diff)
		}
	}
}

// balancerStates writes down what a poll tells of each server: state, up, check.
func balancerStates(t *testing.T, poller collector.Poller) map[string]string {
	t.Helper()
	samples, err := poller.Poll(t.Context(), time.Now())
	if err != nil {
		return nil // it is only starting
	}
	got := map[string]string{}
	for _, s := range samples {
		server := s.Labels.Get("instance")
		switch field := strings.TrimPrefix(s.Name, "haproxy_server_"); {
		case strings.Contains(s.Name, "agg_"):
			t.Errorf("%s is always 0 here", s.Name)
		case field == "status" && s.Value == 1:
			got[server] = s.Labels.Get("state")
		case field == "up":
			got[server] += fmt.Sprintf(" up=%v", s.Value)
		case field == "check_status":
			got[server] += " " + s.Labels.Get("state")
		}
	}
	return got
}
