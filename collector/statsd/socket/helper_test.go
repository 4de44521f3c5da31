package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// got keeps what a socket hands out.
type got struct {
	mu        sync.Mutex
	payloads  []string
	from      []netip.AddrPort
	truncated int
	bytes     int
}

func (g *got) handle(payloads []Payload) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range payloads {
		g.payloads = append(g.payloads, string(p.Bytes))
		g.from = append(g.from, p.From)
		g.bytes += len(p.Bytes)
		if p.Truncated {
			g.truncated++
		}
	}
}

func (g *got) list() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.payloads)
}

func (g *got) sum() (payloads, bytes, truncated int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.payloads), g.bytes, g.truncated
}

// open opens a socket that the end of the test closes.
func open(t testing.TB, address string, o Options) *Socket {
	t.Helper()
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = 1 << 16
	}
	s, err := Open(a, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// read runs the socket's reader until the function it returns is called.
func read(t testing.TB, s *Socket, handle Handler) (stop func()) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.Read(handle) }()
	stop = sync.OnceFunc(func() {
		t.Helper()
		s.Stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("Read did not end after Stop")
		}
	})
	t.Cleanup(stop)
	until(t, "a reader runs", func() bool { return s.in.(interface{ reading() bool }).reading() })
	return stop
}

func (t *streams) reading() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handle != nil
}

func (d *datagrams) reading() bool {
	d.busy.lock()
	defer d.busy.unlock()
	return d.handle != nil
}

// dial is a connection to the socket.
func dial(t testing.TB, s *Socket) net.Conn {
	t.Helper()
	conn, err := connect(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func connect(a Address) (net.Conn, error) {
	switch a.Network {
	case Unixgram:
		return net.Dial("unixgram", a.Path)
	case Unixstream:
		return net.Dial("unix", a.Path)
	}
	return net.Dial(string(a.Network), a.Host)
}

// everyNetwork is an address of each.
func everyNetwork(t *testing.T) map[string]string {
	return map[string]string{"udp": "127.0.0.1:0", "unixgram": "unixgram://" + path(t), "unixstream": "unixstream://" + path(t), "tcp": "tcp://127.0.0.1:0"}
}

// wire is a payload as it goes over the wire.
func wire(s *Socket, payload string) string {
	switch s.Addr().Network {
	case Unixstream:
		return frame(payload)
	case TCP:
		return payload + "\n"
	}
	return payload
}

func frame(payload string) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))) + payload
}

func send(t testing.TB, conn net.Conn, bytes string) {
	t.Helper()
	if _, err := conn.Write([]byte(bytes)); err != nil {
		t.Fatal(err)
	}
}

// until waits for something to become true.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so after %v: %s", patience, what)
		}
	}
}

// within is a context for what must be done soon.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// path is where a socket can be: in a directory of its own whose name is short.
func path(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s.sock")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
