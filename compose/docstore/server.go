package docstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/FerretDB/wire"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	readBuffer = 16 << 10
	// goodbye is how long a client may take to accept the answer to its last
	// command once the server stops.
	goodbye = 5 * time.Second
	// acceptPause is how long Serve waits after a connection could not be
	// accepted.
	acceptPause = 50 * time.Millisecond
)

// Config is what Run needs.
type Config struct {
	Dir    string           // where the database file is; created if missing
	Listen string           // TCP address, "127.0.0.1:27017"; port 0 = any free one
	Ready  func(net.Addr)   // called once connections are accepted; may be nil
	Log    *slog.Logger     // connections that break the protocol; nil = nowhere
	Now    func() time.Time // the clock; nil = time.Now
	// ForgetEvery n: every nth update command is acknowledged and not kept;
	// 0: all are kept.
	ForgetEvery int
}

// Run opens the database, serves it until ctx ends and closes it.
func Run(ctx context.Context, c Config) (err error) {
	store, err := Open(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("docstore: %w", err)
	}
	if c.Ready != nil {
		c.Ready(ln.Addr())
	}
	return NewServer(store, c).Serve(ctx, ln)
}

// Server answers MongoDB's wire protocol from a Store.
type Server struct {
	store    *Store
	log      *slog.Logger
	now      func() time.Time
	started  time.Time
	host     string
	commands map[string]command
	stats    stats
	cursors  cursors
	requests atomic.Int32 // ids of the messages sent

	forgetEvery int
	updates     atomic.Int64 // update commands so far

	mu    sync.Mutex
	conns map[*conn]bool
}

// NewServer makes a server for one Serve. Of c it uses Log, Now
// and ForgetEvery.
func NewServer(store *Store, c Config) *Server {
	s := &Server{store: store, log: c.Log, now: c.Now, commands: commands(), forgetEvery: c.ForgetEvery, conns: make(map[*conn]bool)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.started = s.now()
	s.cursors.open = make(map[int64]*cursor)
	s.host, _ = os.Hostname() // reported only; empty where the system has none
	return s
}

// Serve accepts connections until ctx ends. Then it stops accepting, lets every
// connection finish the command in hand and returns when all of them are
// closed. ln is closed in any case.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		<-ctx.Done()
		// The only error there can be is that it is closed already.
		_ = ln.Close()
		s.hangUp()
	})
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("docstore: accept: %w", err)
			}
			// Too many open files, for one, passes.
			s.log.Warn("docstore: accept", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		c := s.connected(nc)
		wg.Go(func() {
			defer s.disconnected(c)
			if err := s.converse(ctx, c); err != nil {
				s.log.Warn("docstore: connection closed", "client", nc.RemoteAddr(), "error", err)
			}
		})
	}
}

// hangUp wakes the connections that wait for a command, and gives those that
// are sending an answer a time limit.
func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.hangUp()
	}
}

// conn is one client connection.
type conn struct {
	net.Conn
	id int64
}

func (c *conn) hangUp() {
	// A connection that is closed already needs no deadline.
	_ = c.SetReadDeadline(time.Unix(1, 0))
	_ = c.SetWriteDeadline(time.Now().Add(goodbye))
}

func (s *Server) connected(nc net.Conn) *conn {
	c := &conn{Conn: nc, id: s.stats.connections.Add(1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	return c
}

func (s *Server) disconnected(c *conn) {
	// Nothing is lost by a close that fails: every answer was written before.
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Server) currentConnections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// As MongoDB does, a GET is answered: a health check or a browser came to this
// port.
const (
	httpMethod = "GET "
	httpAnswer = "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\n" +
		"It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"
)

// converse answers one command after the other, until the client is gone or ctx
// ends. The error is what the client did wrong.
func (s *Server) converse(ctx context.Context, c *conn) error {
	r := bufio.NewReaderSize(countingReader{c, &s.stats.bytesIn}, readBuffer)
	for {
		if ctx.Err() != nil {
			// Accepted while the others were hung up, or busy meanwhile.
			return nil
		}
		if first, _ := r.Peek(len(httpMethod)); string(first) == httpMethod { // readMessage meets the error, too
			_, _ = c.Write([]byte(httpAnswer)) // else the client is gone
			return nil
		}
		m, err := readMessage(r)
		if errors.Is(err, errProtocol) {
			return err
		}
		if err != nil {
			return nil // gone, or hung up
		}
		s.stats.requests.Add(1)
		answer, err := s.answer(c, m)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		s.stats.bytesOut.Add(int64(len(answer)))
		if _, err := c.Write(answer); err != nil {
			return nil // gone
		}
	}
}

// answer executes a message. It is nil where the client wants no answer, and an
// error where the connection cannot go on.
func (s *Server) answer(c *conn, m message) ([]byte, error) {
	switch m.header.OpCode {
	case wire.OpCodeMsg:
		msg, err := parseMsg(m)
		if err != nil {
			return nil, err
		}
		doc, err := s.handle(c, msg)
		if err != nil || msg.moreToCome {
			return nil, err
		}
		return encodeMsg(m.header, s.requests.Add(1), doc), nil
	case wire.OpCodeQuery:
		collection, query, err := parseQuery(m)
		if err != nil {
			return nil, err
		}
		doc, err := s.handleQuery(c, collection, query)
		if err != nil {
			return nil, err
		}
		return encodeReply(m.header, s.requests.Add(1), doc)
	}
	return nil, fmt.Errorf("%w: %s is not supported: use a driver that speaks OP_MSG", errProtocol, m.header.OpCode)
}

// handleQuery answers OP_QUERY, in which drivers may only ask for hello.
func (s *Server) handleQuery(c *conn, collection string, query bson.Raw) (bson.Raw, error) {
	var name string
	for name = range elements(query) {
		break
	}
	db, isCommand := strings.CutSuffix(collection, ".$cmd")
	if !isCommand || (name != "hello" && name != "isMaster" && name != "ismaster") {
		return encodeDocument(fail(codeUnsupportedOpQuery, "Unsupported OP_QUERY command: %s. The client driver may require an upgrade.", name).document())
	}
	return s.handleFor(c, db, opMsg{body: query})
}

// countingReader counts what is read.
type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(int64(n))
	return n, err
}
