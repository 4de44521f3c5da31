package docstore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"

	"throughline/compose/docstore/replica"
)

// early are writes with write concern 1, which a primary acknowledges when it has them on its own disk. When another primary is
// elected that has not heard of them, they are rolled back, as MongoDB does: they were acknowledged, and are not there.
//
// What such a write comes to is tried before it is proposed, on the state as it is applied here and with those early writes
// that are not, in a transaction that is given up in the end. A write that fails there waits for the majority.
type early struct {
	order sync.Mutex // held while one is tried and proposed, so that the log has them as they were tried

	trying sync.Mutex // held by who tries one, and by who applies
	trial  *trial     // nil: there is none
	ended  bool       // nothing is tried any more

	mu      sync.Mutex
	stale   bool             // an entry was given up that the trial has
	pending []entry          // proposed, and neither applied nor given up
	acked   map[uint32]int64 // acknowledged, and neither applied nor undone: how many documents, by the entry's number
	changed chan struct{}    // closed when something leaves acked
	undone  int64            // documents of writes that were acknowledged, and rolled back
}

// mostEarly is how many writes wait for a majority while others are acknowledged without one.
const mostEarly = 512

func newEarly() *early { return &early{acked: map[uint32]int64{}, changed: make(chan struct{})} }

// asksFor tells whether a request asks for no more than this member.
func (e *early) asksFor(cmd command, r *request) bool {
	n, ok := wholeNumber(lookup(r.args["writeConcern"].Value, "w"))
	return cmd.retried && ok && n <= 1
}

// leave takes an entry out of those that are pending, and what is said of it besides.
func (e *early) leave(number uint32, applied bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := len(e.pending)
	e.pending = slices.DeleteFunc(e.pending, func(p entry) bool { return p.number == number })
	e.stale = e.stale || !applied && len(e.pending) < before
	if _, was := e.acked[number]; was && applied {
		e.forget(number)
	}
}

// forget is called with e.mu held.
func (e *early) forget(number uint32) {
	delete(e.acked, number)
	close(e.changed)
	e.changed = make(chan struct{})
}

// acknowledge notes that a write is acknowledged; false: it is not pending any more, and what came of it is known.
func (e *early) acknowledge(number uint32, documents int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	pending := slices.ContainsFunc(e.pending, func(p entry) bool { return p.number == number })
	if pending {
		e.acked[number] = documents
	}
	return pending
}

// rolledBack is how many documents of acknowledged writes are not there.
func (e *early) rolledBack() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.undone
}

// takeBack is told of entries that are in the log no more.
func (s *set) takeBack(entries [][]byte) {
	s.early.mu.Lock()
	defer s.early.mu.Unlock()
	for _, raw := range entries {
		e, err := decodeEntry(raw)
		if err != nil || e.origin != s.origin {
			continue
		}
		if n, acked := s.early.acked[e.number]; acked {
			s.early.undone += n
			s.early.forget(e.number)
		}
	}
}

// writeEarly has a write done that waits for no other member. ok is false where it has to wait.
func (s *set) writeEarly(e entry, r *request) (reply bson.D, ok bool, err error) {
	within, _, err := s.patience(r)
	if err != nil {
		return nil, false, err
	}
	s.early.order.Lock()
	if reply, err = s.try(e); err != nil || reply == nil {
		s.early.order.Unlock()
		return nil, false, nil // it fails, or seems to: the log decides
	}
	s.early.mu.Lock()
	s.early.pending = append(s.early.pending, e)
	s.early.mu.Unlock()
	under := s.member.Begin(e.encode(), func(_ any, err error) { s.early.leave(e.number, err == nil) })
	s.early.order.Unlock()
	result, err := under.OnDisk(within)
	if err == nil && result == nil {
		if s.early.acknowledge(e.number, documentsOf(reply)) {
			return reply, true, nil
		}
		result, err = under.Done()
	}
	if err != nil {
		return nil, true, s.refusal(r, err)
	}
	done := result.(applied)
	if done.err != nil {
		return nil, true, done.err
	}
	reply, err = asDocument(done.reply)
	return reply, true, err
}

// documentsOf is how many documents a write has changed, by its reply.
func documentsOf(reply bson.D) int64 {
	for _, f := range reply {
		if f.Key == "n" {
			if n, ok := f.Value.(int32); ok {
				return int64(n)
			}
		}
	}
	return 1
}

// trial is a transaction in which early writes are tried, and which has those that are pending. Nothing of it is kept.
type trial struct {
	tx  *bbolt.Tx
	txn *txn
}

var errTooMany = errors.New("too many writes wait for a majority, or the member ends")

// try tells what an entry would come to after those that are pending, and leaves it in the trial. The reply is nil where it
// has errors.
func (s *set) try(e entry) (reply bson.D, err error) {
	s.early.trying.Lock()
	defer s.early.trying.Unlock()
	s.early.mu.Lock()
	before, stale := slices.Clone(s.early.pending), s.early.stale
	s.early.stale = false
	s.early.mu.Unlock()
	if len(before) >= mostEarly || s.early.ended {
		return nil, errTooMany
	}
	if stale {
		s.early.giveUp()
	}
	err = s.server.store.rehearse(s.early.trial, func(t *trial) error {
		if t != s.early.trial {
			s.early.trial = t
			for _, p := range before {
				if _, err := s.tried(t.txn, p); err != nil && !errors.As(err, new(*commandError)) {
					return err
				}
			}
		}
		reply, err = s.tried(t.txn, e)
		return err
	})
	failed := slices.ContainsFunc(reply, func(f bson.E) bool { return f.Key == "writeErrors" })
	if failed {
		reply = nil
	}
	if err != nil || failed {
		s.early.giveUp() // it may have done a part
	}
	return reply, err
}

// giveUp gives the trial up. e.trying is held.
func (e *early) giveUp() {
	if e.trial != nil {
		_ = guard(e.trial.tx.Rollback) // nothing of it is kept
		e.trial = nil
	}
}

// alone does what changes the state, while nothing is tried.
func (e *early) alone(do func()) {
	e.trying.Lock()
	defer e.trying.Unlock()
	e.giveUp()
	do()
}

func (s *set) tried(tx *txn, e entry) (bson.D, error) {
	r := &request{ctx: context.Background(), db: e.db, body: e.msg.body, sequences: e.msg.sequences, now: e.now, stats: &stats{}, newID: e.ids(), tx: tx}
	cmd, err := s.server.parse(r)
	if err != nil {
		return nil, err
	}
	return cmd.run(s.server, r)
}

// rehearse does something in a transaction that is given up later; in a new one, if there is none.
func (s *Store) rehearse(t *trial, do func(*trial) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	return guard(func() error {
		if t == nil {
			tx, err := s.db.Begin(true)
			if err != nil {
				return err
			}
			t = &trial{tx, newTxn(tx)}
		}
		return do(t)
	})
}

// closeEarly ends what is tried, so that the store can be closed; nothing is tried after it.
func (s *set) closeEarly() {
	s.early.trying.Lock()
	defer s.early.trying.Unlock()
	s.early.giveUp()
	s.early.ended = true
}

// awaitEarly waits until what this member had acknowledged by itself before is applied, so that who reads sees it, or until it
// is the primary no more.
func (s *set) awaitEarly(ctx context.Context) {
	s.early.mu.Lock()
	var before []uint32
	for number := range s.early.acked {
		before = append(before, number)
	}
	s.early.mu.Unlock()
	for len(before) > 0 {
		view, moved := s.member.Watch()
		s.early.mu.Lock()
		changed := s.early.changed
		before = slices.DeleteFunc(before, func(n uint32) bool { _, still := s.early.acked[n]; return !still })
		s.early.mu.Unlock()
		if len(before) == 0 || view.Role != replica.Primary {
			return
		}
		select {
		case <-changed:
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}
