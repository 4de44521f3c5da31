package run

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"throughline/compose/platformtest"
	"throughline/scenarios/script"
)

// onHops is a configuration whose scenario has faults of the network of these hops, and more steps.
func onHops(t *testing.T, steps string) Config {
	t.Helper()
	s, err := script.Parse("demo.yaml", []byte("scenario: demo\nstack: {web: {instances: 2}}\nload: {rate: 20/s, mix: {insert: 1}}\nphases:\n  - {phase: one, for: 5s, do: ["+
		steps+"]}\nchecks:\n  - audit: {route: insert}\n"), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return Config{Scenario: s, Platform: platformtest.NewMemory(dir, nil), Scratch: dir, Dir: dir, Progress: &notes{}}
}

// A link stands on the hops of the scenario's faults, and on no other.
func TestLinksStandWhereTheyAreNeeded(t *testing.T) {
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
	defer served.Close()
	at := strings.TrimPrefix(served.URL, "http://")
	for _, hop := range script.Hops() {
		n := newNetwork(onHops(t, "{fault: slow-network, hop: "+string(hop)+"}"))
		for _, other := range script.Hops() {
			way, err := n.way(other, "web-1", at, at)
			if err != nil {
				t.Fatal(err)
			}
			if (way != at) != (other == hop) {
				t.Errorf("with a fault of %s, what is at %s is reached on %s at %s", hop, at, other, way)
			}
		}
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}
}

// The users come to a link, then to the proxy, then to the load balancer.
func TestUsersComeOverLinkAndProxy(t *testing.T) {
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
	defer served.Close()
	c := onHops(t, "{fault: reset-network, hop: users-lb}, {fault: replay-requests}")
	n := newNetwork(c)
	b := &balancer{cfg: c, network: n, front: strings.TrimPrefix(served.URL, "http://")}
	if err := b.before(); err != nil {
		t.Fatal(err)
	}
	if b.frontend() == b.url() || b.frontend() == b.proxy.URL() {
		t.Errorf("the users are served at %s, with a proxy at %s before %s", b.frontend(), b.proxy.URL(), b.url())
	}
	for _, open := range []bool{true, false} {
		if !open { // the proxy is on the way
			if err := b.close(); err != nil {
				t.Error(err)
			}
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get(b.frontend())
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != open {
			t.Errorf("with the proxy open %v: %v", open, err)
		}
	}
	if err := n.close(); err != nil {
		t.Error(err)
	}
}

// An instance that is gone refuses whoever connects, and each has its own way to the database.
func TestLinksOfInstances(t *testing.T) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listen.Close()
	c := onHops(t, "{fault: cut-network, hop: lb-web, on: web-1}, {fault: slow-network, hop: web-db}")
	n := newNetwork(c)
	defer n.close()
	at := listen.Addr().String()
	way, err := n.way(script.LBWeb, "web-1", at, at)
	if err != nil {
		t.Fatal(err)
	}
	n.retire("web-1")
	n.retire("web-9") // has none
	if conn, err := net.Dial("tcp", way); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			conn.Close()
		}
		t.Errorf("the link of who is gone: %v", err)
	}
	d := &database{cfg: c, network: n, own: at, peer: at}
	one, err := d.uriOf("web-1")
	if err != nil {
		t.Fatal(err)
	}
	two, err := d.uriOf("web-2")
	if err != nil || one == two || strings.Contains(one+two, at) {
		t.Errorf("web-1 is told %s and web-2 %s, %v; the database is at %s", one, two, err, at)
	}
	elsewhere := &database{cfg: c, network: n, uri: "mongodb://somewhere/"}
	if uri, err := elsewhere.uriOf("web-1"); uri != "mongodb://somewhere/" || err != nil {
		t.Errorf("of somebody else's database it is told %s, %v", uri, err)
	}
}
