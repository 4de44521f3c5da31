package docstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/FerretDB/wire"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/semaphore"
)

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// eventually waits until ok, for as long as a busy machine may need.
func eventually(t *testing.T, about string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 20s: %s", about)
		}
	}
}

// A client with TLS, a browser or a prober learns at once that it is wrong here,
// and the log says what came.
func TestForeignProtocolsAreRefusedAtOnce(t *testing.T) {
	hello := append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, make([]byte, 506)...)
	for about, c := range map[string]struct {
		sent         []byte
		answer, says string
	}{
		"TLS 1.x":           {hello, "", "a TLS handshake came to a server without TLS"},
		"TLS as mongod has": {append([]byte{0x16, 3, 3, 0, 0xf0, 1, 0, 0, 0xec, 3, 3}, bytes.Repeat([]byte{0xa7}, 30)...), "", "tls=true"},
		"GET":               {[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "It looks like you are trying to access MongoDB over HTTP on the native driver port.", "an HTTP request"},
		"POST":              {[]byte("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), "", "an HTTP request"},
		"HTTP/2":            {[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "", "an HTTP request"},
		"SSH":               {[]byte("SSH-2.0-Go\r\n"), "", "wire protocol violation"},
		"Redis":             {[]byte("*1\r\n$4\r\nPING\r\n"), "", "wire protocol violation"},
		"zeros":             {make([]byte, 4), "", "wire protocol violation"},
		"a legacy opcode":   {appendHeader(nil, wire.MsgHeader{MessageLength: 40 << 20, OpCode: wire.OpCodeInsert}), "", "OP_INSERT is not supported"},
	} {
		t.Run(about, func(t *testing.T) {
			var log lines
			addr, stop := start(t, Config{Dir: t.TempDir(), Log: log.logger()})
			defer stop()
			nc := dial(t, addr)
			if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			send(t, nc, c.sent)
			answer, err := io.ReadAll(nc)
			if err != nil && !isReset(err) {
				t.Fatalf("the connection stays open: %v", err)
			}
			if c.answer == "" && len(answer) > 0 || !strings.Contains(string(answer), c.answer) {
				t.Errorf("answered %q, want %q", answer, c.answer)
			}
			eventually(t, "a line that says "+c.says, func() bool { return strings.Contains(log.String(), c.says) })
		})
	}
}

// A message whose length begins as a TLS record does is a message all the same.
func TestAMessageThatBeginsLikeTLS(t *testing.T) {
	const length = 0x00010316
	body := opMsgBody(0, raw(t, fmt.Sprintf(`{ping: 1, $db: "test", comment: %q}`, strings.Repeat("x", length-wire.MsgHeaderLen-5-len(raw(t, `{ping: 1, $db: "test", comment: ""}`))))))
	m := frame(wire.OpCodeMsg, body)
	if got := binary.LittleEndian.Uint32(m); got != length {
		t.Fatalf("the test's message has %#x bytes, want %#x", got, length)
	}
	nc := dial(t, serve(t, t.TempDir()))
	send(t, nc, m)
	if answer, err := wireAnswer(nc); err != nil || !strings.Contains(answer, "ok") {
		t.Errorf("answer is %q (%v)", answer, err)
	}
}

func wireAnswer(nc net.Conn) (string, error) {
	head := make([]byte, wire.MsgHeaderLen)
	if _, err := io.ReadFull(nc, head); err != nil {
		return "", err
	}
	body := make([]byte, binary.LittleEndian.Uint32(head)-wire.MsgHeaderLen)
	_, err := io.ReadFull(nc, body)
	return string(body), err
}

func TestComplaintsAreCountedAndNotRepeated(t *testing.T) {
	var log lines
	now := time.Unix(1000, 0)
	c := newComplaints(log.logger(), func() time.Time { return now })
	for range 100 {
		c.connection("a:1", fmt.Errorf("%w: x", errTLS))
	}
	c.connection("a:1", errHTTP)
	c.connection("a:1", errors.New("something else"))
	now = now.Add(complainEvery)
	c.connection("b:1", errTLS)
	got := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(got) != 4 || !strings.Contains(got[3], "client=b:1") || !strings.Contains(got[3], "more_of_these=99") {
		t.Errorf("100 of one kind, 1 each of two more and 1 later are told by\n%s", log.String())
	}
}

// halfSent begins a message of the given length and sends all but its last byte,
// as far as the server takes it.
func halfSent(nc net.Conn, length int) {
	head := appendHeader(nil, wire.MsgHeader{MessageLength: int32(length), OpCode: wire.OpCodeMsg})
	if _, err := nc.Write(head); err != nil {
		return
	}
	chunk := make([]byte, 1<<20)
	for left := length - len(head) - 1; left > 0; {
		n, err := nc.Write(chunk[:min(left, len(chunk))])
		if left -= n; err != nil {
			return // closed by the test, or by the server
		}
	}
}

// Thirty messages of the longest kind that never come to their end take no more
// than the budget for all, and who sends small ones does not notice them.
func TestHalfSentMessagesShareABudget(t *testing.T) {
	const clients = 30
	addr := serve(t, t.TempDir())
	before := heap()
	var senders sync.WaitGroup
	var held []net.Conn
	for range clients {
		nc := dial(t, addr)
		held = append(held, nc)
		senders.Go(func() { halfSent(nc, wire.MaxMsgLen) })
	}
	highest := uint64(0)
	db := connect(t, addr).Database("test")
	for range 8 { // the senders get as far as they get in this time
		time.Sleep(50 * time.Millisecond)
		highest = max(highest, heap())
		started := time.Now()
		if _, err := db.RunCommand(t.Context(), bson.D{{Key: "ping", Value: 1}}).Raw(); err != nil {
			t.Fatalf("a small message meanwhile: %v", err)
		}
		if took := time.Since(started); took > admission/2 {
			t.Errorf("a small message took %v", took)
		}
	}
	// The senders' own MiB each, and what is on its way from the trusted MiB to
	// the whole and so is there twice.
	const limit = messageBudget + clients*(1<<20) + messageBudget/wire.MaxMsgLen*trusted + 8<<20
	if highest > before+limit {
		t.Errorf("%d half-sent messages of %d MiB hold %d MiB, want at most %d", clients, wire.MaxMsgLen>>20, (highest-before)>>20, limit>>20)
	}
	t.Logf("%d MiB at most", (highest-before)>>20)
	for _, nc := range held {
		_ = nc.Close()
	}
	senders.Wait()
	large := raw(t, fmt.Sprintf(`{ping: 1, $db: "test", comment: %q}`, strings.Repeat("x", 10<<20)))
	nc := dial(t, addr)
	send(t, nc, frame(wire.OpCodeMsg, opMsgBody(0, large)))
	if answer, err := wireAnswer(nc); err != nil || !strings.Contains(answer, "ok") {
		t.Errorf("a large message afterwards is answered by %q (%v)", answer, err)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A client that stops in the middle of a large message loses its connection in
// time for whoever waits behind it.
func TestAStalledMessageMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		s := NewServer(nil, Config{Log: log.logger()})
		talk := func() (client net.Conn, ended chan error) {
			near, far := net.Pipe()
			ended = make(chan error, 1)
			go func() { ended <- s.converse(t.Context(), &conn{Conn: far, id: 1}); far.Close() }()
			return near, ended
		}
		var stalled []chan error
		s.messages = semaphore.NewWeighted(2 << 20)
		for range 2 {
			nc, ended := talk()
			go halfSent(nc, 1<<20)
			stalled = append(stalled, ended)
		}
		synctest.Wait()
		nc, _ := talk()
		started := time.Now()
		large := raw(t, fmt.Sprintf(`{ping: 1, $db: "test", comment: %q}`, strings.Repeat("x", 1<<19)))
		go func() { _, _ = nc.Write(frame(wire.OpCodeMsg, opMsgBody(0, large))) }()
		if answer, err := wireAnswer(nc); err != nil || !strings.Contains(answer, "ok") {
			t.Errorf("the message that waited is answered by %q (%v)", answer, err)
		}
		if waited := time.Since(started); waited != arrival {
			t.Errorf("it waited %v, want %v", waited, arrival)
		}
		for _, ended := range stalled {
			if err := <-ended; !errors.Is(err, errArrival) {
				t.Errorf("a stalled connection ended with %v, want %v", err, errArrival)
			}
		}
		_ = nc.Close()
	})
}

func TestOneConnectionTooMany(t *testing.T) {
	s := NewServer(nil, Config{})
	for range maxConnections {
		if _, err := s.connected(nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.connected(nil); !errors.Is(err, errConnections) {
		t.Errorf("connection %d: %v", maxConnections+1, err)
	}
}

// tardy is a listener that accepts a connection when it is closed, after those that were there
// have been hung up.
type tardy struct {
	net.Listener
	closed chan struct{}
	late   net.Conn
	once   sync.Once
}

func (l *tardy) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *tardy) Accept() (net.Conn, error) {
	<-l.closed
	if l.late == nil {
		return nil, net.ErrClosed
	}
	time.Sleep(50 * time.Millisecond) // without which the server would still hang it up with the others
	late := l.late
	l.late = nil
	return late, nil
}

// A connection that is accepted while the server ends does not keep it from its end.
func TestServeEndsWithWhoComesLate(t *testing.T) {
	store, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, late := net.Pipe()
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- NewServer(store, Config{}).Serve(ctx, &tardy{Listener: ln, closed: make(chan struct{}), late: late})
	}()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the server waits for a connection that says nothing")
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	addr, stop := start(t, Config{Dir: t.TempDir()})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	stop() // returns only after the idle connection is closed
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the server still accepts")
	}
}
