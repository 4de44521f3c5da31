package docstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	fileName = "docstore.bolt"
	// lockWait is how long Open waits for another process to let go of the file.
	lockWait = 2 * time.Second
	// mapSize is the address space reserved for the file, so that a growing
	// file seldom has to wait for readers to be mapped anew.
	mapSize = 1 << 30
)

// Open opens the database in dir, which is created where it is missing. One
// process at a time can have it open. A file that does not hold what was written
// to it is refused: all of it is read and verified first.
func Open(dir string) (*Store, error) { return open(dir, bbolt.Options{}) }

func open(dir string, o bbolt.Options) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open database: %w; choose another directory", err)
	}
	path := filepath.Join(dir, fileName)
	db, err := openFile(path, o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open database: %s is in use by another process; stop it or choose another directory", path)
	case errors.Is(err, errDamaged):
		return nil, fmt.Errorf("open database: %s: %w; put a copy in its place, or move it away to begin with an empty database", path, err)
	case err != nil:
		return nil, fmt.Errorf("open database: %s: %w", path, err)
	}
	s := &Store{db: db, free: func() (int64, error) { return freeOn(path) }, writes: make(chan write, maxBatch), ended: make(chan struct{})}
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error { s.committed.Store(int64(tx.ID())); return nil })
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %s: %w", path, err), db.Close())
	}
	go s.commitAll()
	return s, nil
}

func openFile(path string, o bbolt.Options) (db *bbolt.DB, err error) {
	if o.Timeout == 0 {
		o.Timeout = lockWait
	}
	o.FreelistType = bbolt.FreelistMapType
	o.NoFreelistSync = true // it is rebuilt at Open; every commit writes less
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path, o); err != nil {
			return nil, err
		}
	}
	if err := verify(path, o); err != nil {
		return nil, err
	}
	o.InitialMmapSize = mapSize
	err = guard(func() error {
		db, err = bbolt.Open(path, 0o600, &o)
		return err
	})
	return db, err
}

// create makes an empty database, whole or not at all: a file that is not whole
// was so once, and must not be taken for a new one.
func create(path string, o bbolt.Options) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), fileName+".new-*")
	if err != nil {
		return err
	}
	// Gone already where it was renamed.
	defer func() { _ = os.Remove(f.Name()) }()
	if err := f.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(f.Name(), 0o600, &o)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		sums, err := tx.CreateBucket(sumsBucket)
		if err != nil {
			return err
		}
		stored, _ := sealed(sumsBucket, formatKey, binary.BigEndian.AppendUint32(nil, format))
		if err := sums.Put(formatKey, stored); err != nil {
			return err
		}
		t := newTxn(tx)
		if _, err := t.createBucket(catalogBucket); err != nil {
			return err
		}
		return t.settle()
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// A link leaves alone what another process has made meanwhile. Not every
	// file system has links.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(f.Name(), path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable, where the system can do that.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system and file system has it for directories
	return d.Close()
}
