package pipeline

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// memory is a sink that tells which series it was given.
type memory struct {
	mu    sync.Mutex
	names map[string]bool
}

func (m *memory) Append(samples ...collector.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range samples {
		m.names[s.Name] = true
	}
	return nil
}

func (m *memory) has(names ...string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !slices.ContainsFunc(names, func(name string) bool { return !m.names[name] })
}

// room asks nobody and says how warm it is.
type room struct{}

func (room) Poll(_ context.Context, at time.Time) ([]collector.Sample, error) {
	return []collector.Sample{{Name: "room_celsius", At: at, Value: 21, Observed: 1}}, nil
}

// TestAllOfIt: a line that comes in, and an answer that was asked for, are in the store,
// in the sink and at every output, and the collector's own figures with them.
func TestAllOfIt(t *testing.T) {
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	written := make(chan struct{}, 1)
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case written <- struct{}{}:
		default:
		}
	}))
	defer remote.Close()
	carbon, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer carbon.Close()

	sink := &memory{names: map[string]bool{}}
	p, err := New(Config{
		Dir: t.TempDir(), Interval: 50 * time.Millisecond, HTTP: "127.0.0.1:0", Sinks: []collector.Sink{sink},
		Relay: "udp://" + peer.LocalAddr().String(), RemoteWrite: remote.URL, Graphite: carbon.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := p.Polls.Add("room", room{}); err != nil {
		t.Fatal(err)
	}
	addr, err := p.StatsD.Listen(statsd.Listener{Instance: "web-1", Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", addr.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "hits:5|c"); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); !sink.has("hits_total", "room_celsius", collector.OwnPrefix+"lines_total", collector.OwnPrefix+"forward_in_total"); {
		if time.Now().After(deadline) {
			sink.mu.Lock() // to the end
			t.Fatalf("the sink has only %v", sink.names)
		}
		time.Sleep(5 * time.Millisecond)
	}
	<-written
	buffer := make([]byte, 64)
	if n, _, err := peer.ReadFrom(buffer); err != nil || string(buffer[:n]) != "hits:5|c" {
		t.Errorf("the relay's peer got %q, %v", buffer[:n], err)
	}
	line := make([]byte, 1)
	if c, err := carbon.Accept(); err != nil {
		t.Error(err)
	} else {
		defer c.Close()
		if _, err := io.ReadFull(c, line); err != nil {
			t.Errorf("Graphite got nothing: %v", err)
		}
	}
	if got, err := http.Get("http://" + p.Addr() + "/metrics"); err != nil {
		t.Error(err)
	} else {
		defer got.Body.Close()
		if text, err := io.ReadAll(got.Body); err != nil || !strings.Contains(string(text), `hits_total{instance="web-1"} 5`) {
			t.Errorf("/metrics: %v\n%s", err, text)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var kinds []string
	for _, o := range p.Outputs {
		kinds = append(kinds, o.Figures().Kind)
	}
	if want := "[relay remote_write graphite]"; fmt.Sprint(kinds) != want {
		t.Errorf("the outputs are %v, want %s", kinds, want)
	}
}

// TestRefused: what cannot be opened is an error that names it, and what had been opened
// before it is closed.
func TestRefused(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	for want, c := range map[string]Config{
		"relay":        {Relay: "carrier-pigeon://home"},
		"remote write": {RemoteWrite: "home"},
		"graphite":     {Graphite: "home"},
		"http api":     {HTTP: taken.Addr().String()},
	} {
		c.Dir = dir
		if p, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error of %q", c, err, want)
			if err == nil {
				_ = p.Close()
			}
		}
	}
	p, err := New(Config{Dir: dir})
	if err != nil {
		t.Fatalf("it was left open: %v", err)
	}
	if _, err := New(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two on one store: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
