package docstore

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A primary that stood still until another one was elected acknowledges nothing of what it had begun before: who waits for it hears
// that it is none, and what was acknowledged is there, once.
func TestAFrozenPrimaryAcknowledgesNothing(t *testing.T) {
	p := startProcesses(t)
	client := p.client()
	c := client.Database("test").Collection("words")
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	w := startWriters(t, client)
	for range 2 {
		w.more(t, 200)
		old := p.primary()
		stopped := p.procs[old].Process
		if err := stopped.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		next := p.primary(old)
		if err := stopped.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		w.more(t, int64(len(w.acked))+1)
		p.wantFollower(old)
		if h := p.hello(old); h.IsWritablePrimary && p.hello(next).IsWritablePrimary {
			t.Errorf("both %s and %s take themselves for the primary", old, next)
		}
	}
	w.stop()
	w.none(t)
	w.verify(t, c)
}

// A member reaches its peers through a proxy, and says where that did not work.
func TestThroughProxy(t *testing.T) {
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	go func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			asked, err := http.ReadRequest(r)
			switch {
			case err != nil || asked.Method != http.MethodConnect || asked.Host != "10.0.0.1:27017":
				_, _ = conn.Write([]byte("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"))
			default:
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			}
			_ = conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	dial := throughProxy(proxy.Addr().String())
	conn, err := dial(ctx, "10.0.0.1:27017")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if _, err := dial(ctx, "10.0.0.2:27017"); err == nil || !strings.Contains(err.Error(), "reach 10.0.0.2:27017 through the proxy "+proxy.Addr().String()+": 502 Bad Gateway") {
		t.Errorf("a proxy that reaches nobody: %v", err)
	}
}
