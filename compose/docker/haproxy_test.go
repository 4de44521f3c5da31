package docker_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"throughline/compose"
	"throughline/compose/docker"
	"throughline/compose/haproxy"
)

// HAProxy as published, with our configuration, over its published Runtime API.
// A killed container answers nothing, not even with a reset, so the requests
// that HAProxy still sends its way have to come back within timeout connect.
func TestHAProxyOutlivesABackend(t *testing.T) {
	needEngine(t)
	needImage(t, "haproxy:3.0")
	p := newPlatform(t, docker.Images{})
	lbInstance, err := haproxy.Config{}.Instance("haproxy-1", "/usr/sbin/haproxy")
	if err != nil {
		t.Fatal(err)
	}
	lb := start(t, p, lbInstance)
	runtime := haproxy.NewRuntime(lb.Addr(haproxy.RuntimePort))
	webs := map[string]compose.Handle{}
	for _, name := range []string{"web-1", "web-2"} {
		h := start(t, p, webInstance(name))
		webs[name] = h
		if err := runtime.Add(t.Context(), name, behind(t, h)); err != nil {
			t.Fatal(err)
		}
		if err := runtime.WaitState(t.Context(), name, haproxy.Up); err != nil {
			t.Fatal(err)
		}
	}
	served := map[string]int{}
	for range 20 {
		served[ask(t, lb.Addr(haproxy.HTTPPort))]++
	}
	if served["web-1"] == 0 || served["web-2"] == 0 {
		t.Errorf("served by %v, want both", served)
	}
	// Requests go on while it dies, one after the other: one may be with it.
	done, ended := make(chan struct{}), make(chan struct{})
	asked, failed := 0, 0
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			asked++
			if _, err := get(lb.Addr(haproxy.HTTPPort)); err != nil {
				failed++
				t.Logf("while it died: %v", err)
			}
		}
	}()
	if exit := end(t, webs["web-2"]); exit.Signal != "SIGKILL" {
		t.Errorf("exit = %+v", exit)
	}
	down, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := runtime.WaitState(down, "web-2", haproxy.Down); err != nil {
		t.Error(err)
	}
	close(done)
	<-ended
	if asked == 0 || failed > 1 {
		t.Errorf("%d of %d requests failed while it died", failed, asked)
	}
	if err := runtime.Remove(t.Context(), "web-2", 0); err != nil {
		t.Error(err)
	}
	for range 4 {
		if who := ask(t, lb.Addr(haproxy.HTTPPort)); who != "web-1" {
			t.Errorf("served by %q, want web-1", who)
		}
	}
}

// behind is where HAProxy reaches an instance: it resolves no names of servers
// that are added at run time.
func behind(t *testing.T, h compose.Handle) string {
	t.Helper()
	_, port, err := net.SplitHostPort(h.PeerAddr("http"))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(h.(interface{ Address() netip.Addr }).Address(), uint16(number)).String()
}

func ask(t *testing.T, addr string) string {
	t.Helper()
	who, err := get(addr)
	if err != nil {
		t.Error(err)
	}
	return who
}

// get gives the name of the server that answered; any answer but 200 is an error.
func get(addr string) (string, error) {
	c := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get("http://" + addr + "/healthz")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET /healthz answered %s", res.Status)
	}
	return res.Header.Get(haproxy.ServedBy), nil
}
