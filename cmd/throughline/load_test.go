package main

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestLoadOfNobody: a load that nobody served is no load, and its exit status
// says so.
func TestLoadOfNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close() // the port is free again, so nobody listens there
	answers := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	some := answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Request-Id"), "-0") {
			http.NotFound(w, r)
		}
	})
	const second = "1s"
	for _, c := range []struct {
		name, target, rate, length string
		status                     int
		want                       string
	}{
		{"nobody listens", nobody, "20/s", second, exitHarness, "no request reached a server, the first for this: dial tcp " + l.Addr().String() + ": connect: connection refused; start the server, or mend --target"},
		{"no such name", "http://nobody.invalid:8080", "20/s", second, exitHarness, "load --target http://nobody.invalid:8080: no request reached a server"},
		{"wrong route", answers(http.NotFound), "20/s", second, exitInconclusive, "no request was acknowledged (want answers with 2xx): 404:"},
		{"hangs up", answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "20/s", second, exitInconclusive, "no request was answered, the first for this: "},
		{"nothing due", some, "0.01/s", "10ms", exitInconclusive, "no request was due"},
		{"one is not acknowledged", some, "20/s", second, exitPass, " acked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			cmd := exec.Command(binary, "load", "--target", c.target, "--rate", c.rate, "--for", c.length)
			cmd.Stderr = &stderr
			timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
				t.Fatal(err)
			}
			if c.status == exitPass && strings.Contains(stderr.String(), "the schedule was missed") {
				t.Skip("this machine was too busy for the load")
			}
			if got := cmd.ProcessState.ExitCode(); got != c.status || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("exit status %d, want %d and %q:\n%s", got, c.status, c.want, stderr.String())
			}
		})
	}
}
