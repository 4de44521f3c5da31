package docstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/FerretDB/wire"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/semaphore"
)

const (
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
	Log    *slog.Logger     // connections closed for what came over them; nil = nowhere
	Now    func() time.Time // the clock; nil = time.Now
	// ForgetEvery n: every nth update command is acknowledged and not kept;
	// 0: all are kept.
	ForgetEvery int

	// ReplicaSet is the name of the set that this is a member of; "": it stands alone.
	ReplicaSet string
	// Advertise is the host:port under which clients and the other members reach this one; "": where it listens.
	Advertise string
	// Election is for how long a member hears nothing of a primary until there is an election; 0: 1 s.
	Election time.Duration
	// PeerProxy is the host:port of an HTTP proxy through which this member reaches the others (CONNECT); "": it dials them.
	PeerProxy string
	// SnapshotEvery is after how many writes a snapshot is made; 0: 20,000.
	SnapshotEvery uint64

	dialPeer func(context.Context, string) (net.Conn, error) // nil: TCP; for tests
}

// Run opens the database, serves it until ctx ends and closes it.
func Run(ctx context.Context, c Config) (err error) {
	if c.ReplicaSet != "" {
		ln, err := c.listen(ctx)
		if err != nil {
			return err
		}
		return runMember(ctx, c, ln)
	}
	store, err := Open(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ln, err := c.listen(ctx)
	if err != nil {
		return err
	}
	if c.Ready != nil {
		c.Ready(ln.Addr())
	}
	return NewServer(store, c).Serve(ctx, ln)
}

func (c Config) listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("docstore: %w", err)
	}
	return ln, nil
}

// Server answers MongoDB's wire protocol from a Store.
type Server struct {
	store    *Store
	set      *set // nil: it stands alone
	log      *complaints
	now      func() time.Time
	started  time.Time
	host     string
	commands map[string]command
	stats    stats
	cursors  cursors
	requests atomic.Int32        // ids of the messages sent
	messages *semaphore.Weighted // bytes of large messages; see admit

	forgetEvery int
	updates     atomic.Int64 // update commands so far

	mu    sync.Mutex
	conns map[*conn]bool
}

// NewServer makes a server for one Serve. Of c it uses Log, Now
// and ForgetEvery.
func NewServer(store *Store, c Config) *Server {
	s := &Server{store: store, now: c.Now, commands: commands(), forgetEvery: c.ForgetEvery, conns: make(map[*conn]bool)}
	if s.now == nil {
		s.now = time.Now
	}
	s.log = newComplaints(c.Log, s.now)
	s.messages = semaphore.NewWeighted(messageBudget)
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
			s.log.connection("", fmt.Errorf("%w: %w", errAccept, err))
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		c, err := s.connected(nc)
		if err != nil {
			s.log.connection(nc.RemoteAddr().String(), err)
			_ = nc.Close() // nothing was sent on it
			continue
		}
		if ctx.Err() != nil {
			c.hangUp() // those that were there may have been hung up already
		}
		wg.Go(func() {
			defer s.disconnected(c)
			if err := s.converse(ctx, c); err != nil {
				s.log.connection(nc.RemoteAddr().String(), err)
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

// answer executes a message. It is nil where the client wants no answer, and an
// error where the connection cannot go on.
func (s *Server) answer(ctx context.Context, c *conn, m message) ([]byte, error) {
	switch m.header.OpCode {
	case wire.OpCodeMsg:
		msg, err := parseMsg(m)
		if err != nil {
			return nil, err
		}
		if s.set != nil && msg.exhaust && streamed(msg.body) {
			return nil, s.stream(ctx, c, m.header, msg)
		}
		doc, err := s.handle(ctx, c, msg)
		if err != nil || msg.moreToCome {
			return nil, err
		}
		return encodeMsg(m.header, s.requests.Add(1), doc), nil
	case wire.OpCodeQuery:
		collection, query, err := parseQuery(m)
		if err != nil {
			return nil, err
		}
		doc, err := s.handleQuery(ctx, c, collection, query)
		if err != nil {
			return nil, err
		}
		return encodeReply(m.header, s.requests.Add(1), doc)
	}
	return nil, unsupported(m.header.OpCode)
}

// handleQuery answers OP_QUERY, in which drivers may only ask for hello.
func (s *Server) handleQuery(ctx context.Context, c *conn, collection string, query bson.Raw) (bson.Raw, error) {
	var name string
	for name = range elements(query) {
		break
	}
	db, isCommand := strings.CutSuffix(collection, ".$cmd")
	if !isCommand || (name != "hello" && name != "isMaster" && name != "ismaster") {
		return encodeDocument(fail(codeUnsupportedOpQuery, "Unsupported OP_QUERY command: %s. The client driver may require an upgrade.", name).document())
	}
	return s.handleFor(ctx, c, db, opMsg{body: query})
}
