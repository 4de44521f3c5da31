// Package replica keeps a state alike on several machines: a log that a majority of
// members has on disk before anything in it counts, by the Raft protocol
// (hashicorp/raft, with raft-wal as the log's file). It is the one package that knows
// Raft. It knows neither MongoDB nor what the entries of the log mean: package docstore
// does, which calls it for a member of a replica set.
//
// A member has one address, under which its peers and its clients reach it. Connections
// of peers come over the same port as those of clients, and are told by their first
// bytes (see Magic).
//
// What the state is, is told by snapshot and log alone. Its own file is never trusted
// after a start, and so needs no sync: it is made anew from both.
package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// What happens to an entry that is not applied.
var (
	// ErrNotPrimary says that this member may not take an entry, and has not.
	ErrNotPrimary = errors.New("this member is not the primary")
	// ErrInterrupted says that the member stopped being the primary, or is stopped, while an entry was under way:
	// it may be applied by the next primary, or never.
	ErrInterrupted = errors.New("the primary stepped down while this was under way: it may or may not be applied")
	// ErrTime says that the entry was not applied in the time there was: it may still be.
	ErrTime = errors.New("not applied in time: it may still be")
)

// State is what all members hold alike. Its methods are never called at the same time,
// but those of an Image are.
type State interface {
	// Apply executes entries in the log's order. It must come to the same on every
	// member. The result of each goes to whoever proposed it, if that was here.
	Apply(entries [][]byte) []any
	// Snapshot gives the state as it is now.
	Snapshot() (Image, error)
	// Restore puts a state that an Image wrote in the place of this one.
	Restore(io.Reader) error
}

// Image is a state as it was at one moment.
type Image interface {
	Write(io.Writer) error
	Close() error // after which it is not needed any more
}

// Config is what a member needs.
type Config struct {
	Dir   string // of the log and the snapshots; made if it is missing
	Set   string // name of the set: peers of another one are refused
	Me    string // host:port under which peers and clients reach this member
	State State  // empty
	// Undone is told of entries that this member had in its log, and that are taken out of it because another primary does
	// not have them; nil: nobody is.
	Undone func(entries [][]byte)
	// Election is for how long a member hears nothing of a primary until it stands for
	// election itself. Others hear of a new primary after about twice as long.
	Election time.Duration
	// SnapshotEvery is after how many entries a snapshot takes the place of the older ones; 0: 20,000.
	SnapshotEvery uint64
	Dial          func(ctx context.Context, addr string) (net.Conn, error) // nil: TCP
	Log           *slog.Logger                                             // nil: nowhere
}

// Member is this machine's part in a set. It is safe for concurrent use.
type Member struct {
	cfg    Config
	raft   *raft.Raft
	stream *stream
	log    *keptLog
	trans  *raft.NetworkTransport

	stop  chan struct{}
	tasks sync.WaitGroup

	mu        sync.Mutex
	view      View
	changed   chan struct{} // closed when view changes
	settled   uint64        // the term in which everything committed before it was applied here, as its primary
	handing   bool          // the lead is being handed over: nothing is taken any more
	caughtUp  bool          // this member has had all that was committed once
	closeOnce sync.Once
	closeErr  error
}

const (
	// trailing is how many entries stay in the log behind a snapshot, for peers that were away for a little.
	trailing = 10_000
	// replyTime is how long a peer may take to answer.
	replyTime = 5 * time.Second
	// reconfigureTime is how long a change of the members may take.
	reconfigureTime = 10 * time.Second
)

// Open starts a member on its log. Until the set is initiated, on one of its members,
// it waits.
func Open(c Config) (m *Member, err error) {
	if c.SnapshotEvery == 0 {
		c.SnapshotEvery = 20_000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	dir := filepath.Join(c.Dir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the log of the replica set: %w; choose another directory", err)
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "raft", Level: hclog.Warn, Output: slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn).Writer(), DisableTime: true})
	m = &Member{cfg: c, stop: make(chan struct{}), changed: make(chan struct{}), stream: newStream(c)}
	file, err := wal.Open(dir, wal.WithLogger(logger))
	if err != nil {
		return nil, fmt.Errorf("open the log of the replica set: %s: %w", dir, err)
	}
	m.log = &keptLog{WAL: file, undone: c.Undone, waiting: map[*byte]chan struct{}{}}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(c.Dir, 2, logger)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the snapshots of the replica set: %w", err), m.log.Close())
	}
	m.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: m.stream, MaxPool: 4, Timeout: replyTime, Logger: logger, MsgpackUseNewTimeFormat: true})
	m.raft, err = raft.NewRaft(m.raftConfig(logger), machine{c.State}, m.log, file, snapshots, m.trans)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the member of the replica set: %w", err), m.trans.Close(), m.log.Close())
	}
	m.refresh()
	events := make(chan raft.Observation, 64)
	m.raft.RegisterObserver(raft.NewObserver(events, false, nil))
	m.tasks.Go(func() { m.watch(events) })
	return m, nil
}

func (m *Member) raftConfig(logger hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(m.cfg.Me)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = m.cfg.Election, m.cfg.Election, m.cfg.Election
	c.CommitTimeout = 20 * time.Millisecond // secondaries hear so soon what is committed
	c.MaxAppendEntries = 512
	c.BatchApplyCh = true
	c.ShutdownOnRemove = false // a member that was removed says so
	c.TrailingLogs, c.SnapshotThreshold, c.SnapshotInterval = min(trailing, m.cfg.SnapshotEvery), m.cfg.SnapshotEvery, 5*time.Second
	if m.cfg.SnapshotEvery < trailing {
		c.SnapshotInterval = 100 * time.Millisecond
	}
	c.Logger = logger
	return c
}

// Propose has an entry applied by all members and gives what that came to here, once a
// majority has it on disk. within bounds the wait; 0: there is no bound but that of the
// primary's own term.
func (m *Member) Propose(entry []byte, within time.Duration) (any, error) {
	future := m.raft.Apply(entry, replyTime)
	if within <= 0 {
		return m.applied(future)
	}
	type outcome struct {
		result any
		err    error
	}
	done := make(chan outcome, 1)
	m.tasks.Go(func() {
		result, err := m.applied(future)
		done <- outcome{result, err}
	})
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.result, o.err
	case <-timer.C:
		return nil, ErrTime
	}
}

// answer waits for what becomes of what was asked of raft. As it shuts down, raft leaves
// unanswered what was handed to it last: then the answer is that it is down.
func (m *Member) answer(asked raft.Future) error {
	answered := make(chan error, 1)
	go func() { answered <- asked.Error() }()
	select {
	case err := <-answered:
		return err
	case <-m.stop: // raft is down
	}
	select {
	case err := <-answered:
		return err
	default:
		return raft.ErrRaftShutdown
	}
}

func (m *Member) applied(future raft.ApplyFuture) (any, error) {
	err := m.answer(future)
	if err == nil {
		return future.Response(), nil
	}
	m.refresh() // whoever is told this may ask at once who is the primary now
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return nil, fmt.Errorf("%w: %w", ErrNotPrimary, err)
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return nil, fmt.Errorf("%w: %w", ErrTime, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrInterrupted, err)
}

// Confirm returns once it is sure that this member is still the primary and has applied
// all that was acknowledged before the call.
func (m *Member) Confirm() error {
	if err := m.answer(m.raft.VerifyLeader()); err != nil {
		m.refresh()
		return fmt.Errorf("%w: %w", ErrNotPrimary, err)
	}
	return nil
}

// Close hands the lead over, if this member has it, and stops.
func (m *Member) Close() error {
	m.closeOnce.Do(func() {
		if m.raft.State() == raft.Leader && len(m.View().Members) > 1 {
			// One that nobody can take it over from is missed as any other that dies.
			_ = m.handOver()
		}
		err := m.raft.Shutdown().Error()
		close(m.stop)
		m.tasks.Wait()
		m.closeErr = errors.Join(err, m.trans.Close(), m.log.Close())
	})
	return m.closeErr
}
