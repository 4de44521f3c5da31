package docstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	fileName = "docstore.bolt"
	// lockWait is how long Open waits for another process to let go of the file.
	lockWait = 2 * time.Second
	// maxBatch bounds how many commands share a transaction, and with it how
	// long the first of them waits for the last.
	maxBatch = 1024
	// mapSize is the address space reserved for the file, so that a growing
	// file seldom has to wait for readers to be mapped anew.
	mapSize = 1 << 30
)

var errClosed = errors.New("docstore: closed")

// Store keeps documents in one bbolt file. All writes go through one goroutine,
// which commits those that wait together: one sync for many commands.
type Store struct {
	db     *bbolt.DB
	writes chan write
	ended  chan struct{} // the committing goroutine has returned

	// broken is the error of a commit that failed. What a disk holds after a
	// failed sync is unknown, so nothing is acknowledged after it. Only the
	// committing goroutine looks at it.
	broken error

	mu     sync.RWMutex // held for reading while a command is under way
	closed bool
}

// write is one command's share of a transaction.
type write struct {
	// do may run more than once, each time in a new transaction. An error says
	// that the transaction is spoilt; an error of the command alone is kept by
	// the closure and must leave nothing half done.
	do   func(*bbolt.Tx) error
	done chan error
}

// Open opens the database in dir, which is created where it is missing. One
// process at a time can have it open.
func Open(dir string) (*Store, error) { return open(dir, bbolt.Options{}) }

func open(dir string, o bbolt.Options) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open database: %w; choose another directory", err)
	}
	path := filepath.Join(dir, fileName)
	if o.Timeout == 0 {
		o.Timeout = lockWait
	}
	o.InitialMmapSize = mapSize
	o.FreelistType = bbolt.FreelistMapType
	o.NoFreelistSync = true // it is rebuilt at Open; every commit writes less
	db, err := bbolt.Open(path, 0o600, &o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open database: %s is in use by another process; stop it or choose another directory", path)
	case err != nil:
		return nil, fmt.Errorf("open database: %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(catalogBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %s: %w", path, err), db.Close())
	}
	s := &Store{db: db, writes: make(chan write, maxBatch), ended: make(chan struct{})}
	go s.commitAll()
	return s, nil
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
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// view reads the committed state. Nothing that points into the transaction may
// outlive do.
func (s *Store) view(do func(*bbolt.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	return s.db.View(do)
}

// update returns after do is committed and synced, or had no effect.
func (s *Store) update(do func(*bbolt.Tx) error) error {
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
		if err == nil {
			spoiler, err = s.try(batch)
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
	tx, err := s.db.Begin(true)
	if err != nil {
		return -1, s.fail(fmt.Errorf("begin: %w", err))
	}
	for i, w := range batch {
		if err := w.do(tx); err != nil {
			return i, errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return -1, s.fail(fmt.Errorf("commit: %w", err))
	}
	return -1, nil
}

// fail refuses all writes from now on.
func (s *Store) fail(err error) error {
	s.broken = fmt.Errorf("writes are refused until docstore is restarted: %w", err)
	return s.broken
}
