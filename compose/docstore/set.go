package docstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"throughline/compose/docstore/replica"
)

// defaultElection is for how long a member hears nothing of a primary until there is an
// election.
const defaultElection = time.Second

// handover is how long a primary that is stopped may take to hand its part over.
const handover = 2 * time.Second

// set is a server's part in a replica set: the commands that change something become
// entries of a log, which every member applies. As replica.State it is used by one
// goroutine.
type set struct {
	name     string
	me       string
	dir      string
	server   *Server
	member   *replica.Member
	process  bson.ObjectID // of this process, for topologyVersion
	origin   [8]byte
	number   atomic.Uint32
	replayed stats        // what was done that another member had taken
	written  atomic.Int64 // when the last write was taken that is applied; ns since 1970

	sessions *sessions
	early    *early
	lost     error // why nothing is applied any more
	failed   func(error)
}

// CheckSetName refuses a name that no replica set can have.
func CheckSetName(name string) error { return replica.CheckName(name) }

// openSet makes the server a member of the replica set that c names. failed is called when the member
// cannot go on.
func openSet(s *Server, c Config, me string, failed func(error)) (*set, error) {
	set := &set{name: c.ReplicaSet, me: me, dir: c.Dir, server: s, process: bson.NewObjectID(), sessions: newSessions(), early: newEarly(), failed: failed}
	// An ObjectID has a random part and a counter, so that no two processes share these.
	copy(set.origin[:], set.process[4:])
	election := c.Election
	if election == 0 {
		election = defaultElection
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dial := c.dialPeer
	if dial == nil && c.PeerProxy != "" {
		dial = throughProxy(c.PeerProxy)
	}
	var err error
	set.member, err = replica.Open(replica.Config{Dir: c.Dir, Set: c.ReplicaSet, Me: me, State: set, Election: election,
		SnapshotEvery: c.SnapshotEvery, Undone: set.takeBack, Dial: dial, Log: log})
	if err != nil {
		return nil, err
	}
	return set, nil
}

// runMember is Run for a member of a replica set.
func runMember(ctx context.Context, c Config, ln net.Listener) (err error) {
	store, err := openState(c.Dir)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	serving, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	s := NewServer(store, c)
	me := c.Advertise
	if me == "" {
		me = ln.Addr().String()
	}
	if s.set, err = openSet(s, c, me, cancel); err != nil {
		return errors.Join(err, ln.Close())
	}
	defer func() {
		err = errors.Join(err, s.set.member.Close())
		s.set.closeEarly()
	}()
	if c.Ready != nil {
		c.Ready(ln.Addr())
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		if s.set.member.View().Role == replica.Primary {
			// Whoever waits for it hears sooner of another primary. Where nobody takes it over, they hear of it late.
			within, stop := context.WithTimeout(serving, handover)
			defer stop()
			_ = s.set.member.StepDown(within)
		}
		cancel(nil)
	}()
	err = s.Serve(serving, ln)
	close(ended)
	if cause := context.Cause(serving); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// applied is what an entry came to.
type applied struct {
	reply bson.Raw
	err   error
}

// Apply implements replica.State.
func (s *set) Apply(entries [][]byte) []any {
	results := make([]any, len(entries))
	if s.lost != nil {
		for i := range results {
			results[i] = applied{err: s.lost}
		}
		return results
	}
	b := &entryBatch{set: s, done: make([]applied, len(entries)), counts: make([]*stats, len(entries)), entries: make([]entry, len(entries))}
	dos := make([]func(*txn) error, len(entries))
	for i, raw := range entries {
		dos[i] = func(tx *txn) error { return b.do(tx, i, raw) }
	}
	var errs []error
	var lost error
	s.early.alone(func() { errs, lost = s.server.store.commitTogether(dos) })
	if lost != nil {
		s.lost = fmt.Errorf("docstore: the replicated state cannot be kept: %w; free its disk and start it again", lost)
		s.failed(s.lost)
	}
	now := time.Time{}
	for i := range results {
		if lost == nil && errs[i] != nil {
			b.done[i].err = errs[i]
		} else if lost != nil {
			b.done[i].err = s.lost
		} else if b.counts[i] != nil {
			to := &s.replayed
			if b.entries[i].origin == s.origin {
				to = &s.server.stats
			}
			to.add(b.counts[i])
		}
		if b.entries[i].origin == s.origin {
			s.early.leave(b.entries[i].number, true)
		}
		if b.entries[i].at.After(now) {
			now = b.entries[i].at
		}
		results[i] = b.done[i]
	}
	if lost == nil {
		s.sessions.keep(now)
		s.written.Store(now.UnixNano())
	}
	return results
}

// Snapshot implements replica.State.
func (s *set) Snapshot() (replica.Image, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	var image replica.Image
	var err error
	s.early.alone(func() {
		image, err = s.server.store.image(&sessions{all: maps.Clone(s.sessions.all), writes: s.sessions.writes})
	})
	return image, err
}

// Restore implements replica.State.
func (s *set) Restore(from io.Reader) error {
	r := bufio.NewReader(from)
	err := s.sessions.read(r)
	if err == nil {
		s.early.alone(func() { err = s.server.store.replace(r, s.dir) })
	}
	if err != nil {
		s.lost = fmt.Errorf("docstore: a snapshot cannot be restored: %w; begin with an empty directory", err)
		s.failed(s.lost)
	}
	return err
}

// entryBatch are entries that are applied together.
type entryBatch struct {
	set     *set
	tx      *txn
	entries []entry
	done    []applied
	counts  []*stats // nil: it was not executed
}

// do applies one of them. An error undoes all that it did; what is wrong with the
// command is part of its result.
func (b *entryBatch) do(tx *txn, i int, raw []byte) error {
	if b.tx != tx { // the first, or all are done again because one was undone
		b.tx = tx
		clear(b.set.sessions.staged)
	}
	b.done[i], b.counts[i] = applied{}, nil
	e, err := decodeEntry(raw)
	if err != nil {
		b.done[i].err = err
		return nil
	}
	b.entries[i] = e
	counts := &stats{}
	r := &request{ctx: context.Background(), db: e.db, body: e.msg.body, sequences: e.msg.sequences,
		now: e.now, stats: counts, newID: e.ids(), tx: tx}
	reply, executed, err := b.set.once(r, e.at)
	if refused := (*commandError)(nil); err != nil && !errors.As(err, &refused) {
		return err
	}
	b.done[i] = applied{reply, err}
	if executed {
		b.counts[i] = counts
	}
	return nil
}

// once executes a request, unless its session has it done already.
func (s *set) once(r *request, at time.Time) (reply bson.Raw, executed bool, err error) {
	cmd, err := s.server.parse(r)
	if err != nil {
		return nil, false, err
	}
	id, number, repeatable, err := sessionOf(r)
	if err != nil {
		return nil, false, err
	}
	if repeatable {
		switch last, known := s.sessions.get(id); {
		case known && number == last.number:
			return last.reply, false, nil
		case known && number < last.number:
			return nil, false, fail(codeTransactionTooOld, "Retryable write with txnNumber %d is prohibited because a newer retryable write with txnNumber %d has already started on this session.", number, last.number)
		case !known && len(s.sessions.all) >= maxSessions:
			return nil, false, fail(codeTooManySessions, "cannot take another session: there are %d already; end some, or wait", maxSessions)
		}
	}
	answer, err := cmd.run(s.server, r)
	if err != nil {
		return nil, true, err
	}
	if reply, err = encodeDocument(append(answer, bson.E{Key: "ok", Value: 1.0})); err != nil {
		return nil, true, err
	}
	if repeatable {
		s.sessions.staged[id] = session{number: number, reply: reply, used: at.UnixNano()}
	}
	return reply, true, nil
}
