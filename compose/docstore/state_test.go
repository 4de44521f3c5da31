package docstore

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// An image can be opened whatever the number of the transaction it is of, and takes further writes.
func TestAnImageOfAnyTransaction(t *testing.T) {
	from, err := openState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	seen := map[int64]bool{}
	for i := range 4 {
		seen[from.committed.Load()%2] = true
		var b bytes.Buffer
		image, err := from.image(newSessions())
		if err != nil {
			t.Fatal(err)
		}
		if err := image.Write(&b); err != nil {
			t.Fatal(err)
		}
		if err := image.Close(); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		to, err := openState(dir)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(&b)
		if err := newSessions().read(r); err != nil {
			t.Fatal(err)
		}
		if err := to.replace(r, dir); err != nil {
			t.Fatalf("of transaction %d: %v", from.committed.Load(), err)
		}
		insertOne(t, to, "more")
		if err := to.Close(); err != nil {
			t.Error(err)
		}
		insertOne(t, from, fmt.Sprint(i))
	}
	if len(seen) != 2 {
		t.Errorf("only transactions with the remainders %v were tried", seen)
	}
}

// insertOne writes a document by itself.
func insertOne(t *testing.T, s *Store, id string) {
	t.Helper()
	doc, err := bson.Marshal(bson.D{{Key: "_id", Value: id}})
	if err != nil {
		t.Fatal(err)
	}
	errs, lost := s.commitTogether([]func(*txn) error{func(tx *txn) error {
		c, _, err := ensureCollection(tx, namespace{"test", "words"}, func() error { return nil })
		if err != nil {
			return err
		}
		return c.insert(doc)
	}})
	if lost != nil || errs[0] != nil {
		t.Fatal(lost, errs)
	}
}
