package fault

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// through connects with a target through a proxy.
func through(t *testing.T, proxy, target string) net.Conn {
	t.Helper()
	conn := dial(t, proxy)
	if _, err := io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 64), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT %s: %s", target, answer.Status)
	}
	return conn
}

// peersOf are the ways between two members, and their proxies.
func peersOf(t *testing.T, one, two string) (ps *Peers, first, second string) {
	t.Helper()
	ps = NewPeers("127.0.0.1")
	t.Cleanup(func() {
		if err := ps.Close(); err != nil {
			t.Error(err)
		}
	})
	var proxies []string
	for name, addr := range map[string]string{"mongo-1": one, "mongo-2": two} {
		ps.Known(name, addr)
	}
	for _, name := range []string{"mongo-1", "mongo-2"} {
		addr, err := ps.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		proxies = append(proxies, addr)
	}
	return ps, proxies[0], proxies[1]
}

// silent wants that nothing comes for a while.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(150 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%d bytes came (%v), want silence", n, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
}

// A member that is cut off neither reaches the others nor is reached by them, over connections that there are and over new ones;
// who reaches it otherwise still does. What was said meanwhile arrives when that is over.
func TestIsolate(t *testing.T) {
	one, _, _ := echo(t)
	two, _, _ := echo(t)
	ps, first, second := peersOf(t, one, two)
	out, in, client := through(t, first, two), through(t, second, one), dial(t, one)
	for _, conn := range []net.Conn{out, in, client} {
		say(t, conn, "before")
	}
	heal, err := Isolate{Peers: ps, Name: "mongo-1"}.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range []net.Conn{out, in} {
		if _, err := io.WriteString(conn, "meanwhile"); err != nil {
			t.Fatal(err)
		}
		silent(t, conn)
	}
	say(t, client, "meanwhile")
	fresh := dial(t, second)
	if _, err := io.WriteString(fresh, "CONNECT "+one+" HTTP/1.1\r\nHost: "+one+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	silent(t, fresh)
	touched, err := heal(t.Context())
	if err != nil || touched["mongo-1"] != 2 || len(touched) != 1 {
		t.Errorf("healed: %v, %v, want mongo-1 2", touched, err)
	}
	for _, conn := range []net.Conn{out, in} {
		back := make([]byte, len("meanwhile"))
		if _, err := io.ReadFull(conn, back); err != nil || string(back) != "meanwhile" {
			t.Errorf("afterwards came %q, %v", back, err)
		}
	}
	if answer, err := http.ReadResponse(bufio.NewReader(fresh), nil); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("whoever connected meanwhile was told %v, %v", answer, err)
	}
	say(t, through(t, first, two), "after")
}

// A proxy connects with the members of the set, and with nobody else.
func TestPeersKnowTheSet(t *testing.T) {
	one, _, _ := echo(t)
	two, _, _ := echo(t)
	other, _, _ := echo(t)
	_, first, _ := peersOf(t, one, two)
	for _, request := range []string{"CONNECT " + other + " HTTP/1.1\r\nHost: " + other + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "nonsense\r\n\r\n"} {
		conn := dial(t, first)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || strings.Contains(string(answer), "200") {
			t.Errorf("%q was answered %q, %v", request, answer, err)
		}
	}
}

// A way between members that is opened while one of them is cut off is cut too.
func TestIsolateCutsNewWays(t *testing.T) {
	one, _, _ := echo(t)
	two, _, _ := echo(t)
	ps, first, _ := peersOf(t, one, two)
	heal, err := Isolate{Peers: ps, Name: "mongo-2"}.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, first)
	if _, err := io.WriteString(conn, "CONNECT "+two+" HTTP/1.1\r\nHost: "+two+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	silent(t, conn)
	if _, err := heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %v, %v", answer, err)
	}
}
