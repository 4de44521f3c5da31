package docstore

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// maxBatch bounds how many commands share a transaction, and with it how long
// the first of them waits for the last.
const maxBatch = 1024

// abandon is how long Close waits for bbolt after damage was met. A lock that
// bbolt held when it panicked over it is never released.
const abandon = time.Second

var errClosed = errors.New("docstore: closed")

// Store keeps documents in one bbolt file. All writes go through one goroutine,
// which commits those that wait together: one sync for many commands.
type Store struct {
	db     *bbolt.DB
	free   func() (int64, error) // bytes that the file system has free
	writes chan write
	ended  chan struct{} // the committing goroutine has returned

	// broken is the error of a commit that failed. What a disk holds after a
	// failed sync is unknown, so nothing is acknowledged after it. Only the
	// committing goroutine looks at it.
	broken error

	// committed is the number of the last transaction. bbolt reads the pages
	// that tell it again for each new one, and would begin one on the state
	// before the last if the newer of them were damaged.
	committed atomic.Int64

	// damage is why nothing is read or written any more: the file was found not
	// to hold what was written.
	damage atomic.Pointer[error]

	mu     sync.RWMutex // held for reading while a command is under way
	closed bool
}

// write is one command's share of a transaction.
type write struct {
	// do may run more than once, each time in a new transaction. An error says
	// that the transaction is spoilt; an error of the command alone is kept by
	// the closure and must leave nothing half done.
	do   func(*txn) error
	done chan error
}

// Close waits for the writes under way and closes the file. Every later call is
// refused.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.writes)
	s.mu.Unlock()
	<-s.ended
	closed := make(chan error, 1)
	go func() { closed <- guard(s.db.Close) }()
	var abandoned <-chan time.Time
	if s.damage.Load() != nil {
		abandoned = time.After(abandon)
	}
	select {
	case err := <-closed:
		if err != nil {
			return fmt.Errorf("close database: %w", err)
		}
	case <-abandoned:
	}
	return nil
}

// view reads the committed state. Nothing that points into the transaction may
// outlive do.
func (s *Store) view(do func(*txn) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	if d := s.damage.Load(); d != nil {
		return *d
	}
	last := s.committed.Load()
	return s.examine(guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			if id := int64(tx.ID()); id < last {
				return lostTransaction(id, last)
			}
			return do(newTxn(tx))
		})
	}))
}

func lostTransaction(have, last int64) error {
	return fmt.Errorf("%w: it has transaction %d as the last one, which was %d", errDamaged, have, last)
}

// examine passes an error on, and remembers it if it says that the file is
// damaged.
func (s *Store) examine(err error) error {
	if errors.Is(err, errDamaged) {
		err = fmt.Errorf("nothing is read or written any more until docstore is restarted: %w", err)
		s.damage.CompareAndSwap(nil, &err)
	}
	return err
}

// update returns after do is committed and synced, or had no effect.
func (s *Store) update(do func(*txn) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	w := write{do: do, done: make(chan error, 1)}
	s.writes <- w
	return <-w.done
}

// commitAll commits what waits, batch after batch. While one batch is synced
// the next one gathers.
func (s *Store) commitAll() {
	defer close(s.ended)
	for first := range s.writes {
		batch := append(make([]write, 0, maxBatch), first)
	gather:
		for len(batch) < maxBatch {
			select {
			case w, ok := <-s.writes:
				if !ok {
					break gather
				}
				batch = append(batch, w)
			default:
				break gather
			}
		}
		s.commit(batch)
	}
}

// commit commits the batch as one transaction. A write that spoils it is
// answered with its error, and the others are done again without it.
func (s *Store) commit(batch []write) {
	for len(batch) > 0 {
		spoiler, err := -1, s.broken
		if d := s.damage.Load(); d != nil {
			err = *d
		}
		if err == nil {
			err = s.room()
		}
		if err == nil {
			spoiler, err = s.try(batch)
			err = s.examine(err)
		}
		if err != nil && spoiler >= 0 {
			batch[spoiler].done <- err
			batch = slices.Delete(batch, spoiler, spoiler+1)
			continue
		}
		for _, w := range batch {
			w.done <- err
		}
		return
	}
}

// try runs the batch in one transaction. spoiler is the index of the write that
// failed, or -1 if it was the transaction itself.
func (s *Store) try(batch []write) (spoiler int, err error) {
	var tx *bbolt.Tx
	err = guard(func() (err error) { tx, err = s.db.Begin(true); return err })
	if err != nil {
		return -1, s.fail(fmt.Errorf("begin: %w", err))
	}
	spoiler = -1
	id := int64(tx.ID())
	err = guard(func() error {
		if last := s.committed.Load(); id != last+1 {
			return lostTransaction(id-1, last)
		}
		t := newTxn(tx)
		for i, w := range batch {
			if err := w.do(t); err != nil {
				spoiler = i
				return err
			}
		}
		return t.settle()
	})
	if err != nil {
		return spoiler, errors.Join(err, guard(tx.Rollback))
	}
	if err := guard(tx.Commit); err != nil {
		// A commit that failed has rolled back, unless it met damage.
		if errors.Is(err, errDamaged) {
			err = errors.Join(err, guard(tx.Rollback))
		}
		return -1, s.fail(fmt.Errorf("commit: %w", err))
	}
	s.committed.Store(id)
	return -1, nil
}

// fail refuses all writes from now on, unless there was no room for one.
func (s *Store) fail(err error) error {
	if err, full := asFull(err); full {
		return err
	}
	s.broken = fmt.Errorf("writes are refused until docstore is restarted: %w", err)
	return s.broken
}
