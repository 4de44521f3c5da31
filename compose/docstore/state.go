package docstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"throughline/compose/docstore/replica"
)

// openState opens an empty database for the state of a member, whose file is never
// trusted after a start and so never synced: snapshot and log make it anew.
func openState(dir string) (*Store, error) {
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return open(dir, bbolt.Options{NoSync: true, NoGrowSync: true})
}

// commitTogether does writes in one transaction where that is possible, as commitAll
// does what waits. It is for a store that nothing else writes to. The errors are those
// of the writes; lost says that the store itself failed, and may not have what it should.
func (s *Store) commitTogether(dos []func(*txn) error) (errs []error, lost error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, errClosed
	}
	batch := make([]write, len(dos))
	for i, do := range dos {
		batch[i] = write{do: do, done: make(chan error, 1)}
	}
	all := append([]write(nil), batch...)
	s.commit(batch)
	errs = make([]error, len(all))
	for i, w := range all {
		errs[i] = <-w.done
		if errors.Is(errs[i], errFull) {
			lost = errs[i]
		}
	}
	switch d := s.damage.Load(); {
	case d != nil:
		lost = *d
	case s.broken != nil:
		lost = s.broken
	}
	return errs, lost
}

// storeImage is a store as it was at one moment.
type storeImage struct {
	tx       *bbolt.Tx
	sessions *sessions
}

// image begins to read the store as it is. Like commitTogether it is for a store that nothing
// else writes to.
func (s *Store) image(sessions *sessions) (replica.Image, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, errClosed
	}
	// bbolt writes the newest transaction of a copy into its first meta page. Of an odd one that
	// is the wrong place, as a lost write of the other page would leave it: nobody could tell.
	if s.committed.Load()%2 != 0 {
		if _, err := s.try(nil); err != nil {
			return nil, s.examine(err)
		}
	}
	var tx *bbolt.Tx
	err := guard(func() (err error) { tx, err = s.db.Begin(false); return err })
	if err != nil {
		return nil, s.examine(err)
	}
	return storeImage{tx, sessions}, nil
}

// Write implements replica.Image.
func (i storeImage) Write(to io.Writer) error {
	if err := i.sessions.write(to); err != nil {
		return err
	}
	return guard(func() error { _, err := i.tx.WriteTo(to); return err })
}

// Close implements replica.Image.
func (i storeImage) Close() error { return guard(i.tx.Rollback) }

// replace puts the database that an image wrote in the place of this one's.
func (s *Store) replace(from *bufio.Reader, dir string) (err error) {
	f, err := os.CreateTemp(dir, fileName+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where it was renamed
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := guard(s.db.Close); err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	db, err := openFile(path, bbolt.Options{NoSync: true, NoGrowSync: true})
	if err != nil {
		return err
	}
	s.db = db
	return guard(func() error {
		return db.View(func(tx *bbolt.Tx) error { s.committed.Store(int64(tx.ID())); return nil })
	})
}
