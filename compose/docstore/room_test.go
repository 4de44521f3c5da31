package docstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A database without room refuses writes with MongoDB's error, still answers what it has, and goes on when there is room
// again; what it acknowledged is there, and what it refused is not.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	store, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var free atomic.Int64
	free.Store(leastRoom)
	store.free = func() (int64, error) { return free.Load(), nil }
	c := connect(t, serveStore(t, store)).Database("test").Collection("words")
	insert := func(name string) error {
		_, err := c.InsertOne(t.Context(), bson.D{{Key: "name", Value: name}})
		return err
	}
	if err := insert("before"); err != nil {
		t.Fatal(err)
	}
	free.Store(leastRoom - 1)
	for range 2 {
		refused := mongo.ServerError(nil)
		if err := insert("meanwhile"); !errors.As(err, &refused) || !refused.HasErrorCode(codeOutOfDiskSpace) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	if n, err := c.CountDocuments(t.Context(), bson.D{}); n != 1 || err != nil {
		t.Errorf("on a full disk are %d documents, %v, want 1", n, err)
	}
	free.Store(leastRoom)
	if err := insert("after"); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	words := connect(t, serveStore(t, again)).Database("test").Collection("words")
	for name, want := range map[string]int64{"before": 1, "meanwhile": 0, "after": 1} {
		if n, err := words.CountDocuments(t.Context(), bson.D{{Key: "name", Value: name}}); n != want || err != nil {
			t.Errorf("%s is there %d times, %v, want %d", name, n, err, want)
		}
	}
}

// serveStore serves a store until the test ends, and gives its address.
func serveStore(t *testing.T, store *Store) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- NewServer(store, Config{}).Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// A page for which there is no room spoils nothing; a sync that failed does, whatever it says.
func TestWhatIsTakenForAFullDisk(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		full bool
	}{
		"no room for a page": {fmt.Errorf("commit: %w", &fs.PathError{Op: "write", Err: syscall.ENOSPC}), true},
		"a sync":             {fmt.Errorf("commit: %w", syscall.ENOSPC), false},
		"a disk that breaks": {fmt.Errorf("commit: %w", &fs.PathError{Op: "write", Err: syscall.EIO}), false},
	} {
		s := &Store{}
		if err := s.fail(c.err); errors.Is(err, errFull) != c.full || (s.broken == nil) != c.full {
			t.Errorf("%s: %v, and is broken: %v", name, err, s.broken)
		}
	}
}
