package docstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	flags "flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
)

var damages = flags.Int("damages", 60, "how many damaged files TestDamagedFiles tries")

// asker executes commands on a store.
type asker struct {
	s *Server
	c *conn
}

func newAsker(t testing.TB, s *Store) asker {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return asker{NewServer(s, Config{}), &conn{Conn: near, id: 1}}
}

// ask gives the answer, or the error that it is.
func (a asker) ask(command bson.D) (bson.Raw, error) {
	b, err := bson.Marshal(append(command, bson.E{Key: "$db", Value: "t"}))
	if err != nil {
		return nil, err
	}
	answer, err := a.s.handle(context.Background(), a.c, opMsg{body: b})
	if err == nil && lookup(answer, "ok").AsFloat64() != 1 {
		err = fmt.Errorf("%s", showDocument(answer))
	}
	return answer, err
}

func (a asker) must(t testing.TB, command bson.D) bson.Raw {
	t.Helper()
	answer, err := a.ask(command)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// everything is what the database answers: all documents by a scan of each
// collection, and by an index those that it leads to.
func (a asker) everything() (string, error) {
	var all strings.Builder
	commands := []bson.D{{{Key: "listCollections", Value: 1}}}
	for _, name := range []string{"words", "few", "large", "gone"} {
		commands = append(commands, bson.D{{Key: "find", Value: name}, {Key: "batchSize", Value: 100_000}}, bson.D{{Key: "listIndexes", Value: name}})
	}
	for i := range 60 {
		commands = append(commands, bson.D{{Key: "find", Value: "words"}, {Key: "filter", Value: bson.D{{Key: "name", Value: fmt.Sprintf("word-%d", i*41)}}}},
			bson.D{{Key: "find", Value: "words"}, {Key: "filter", Value: bson.D{{Key: "_id", Value: i * 37}}}},
			bson.D{{Key: "find", Value: "words"}, {Key: "filter", Value: bson.D{{Key: "kind", Value: i}}}, {Key: "batchSize", Value: 100_000}})
	}
	for _, command := range commands {
		answer, err := a.ask(command)
		switch {
		case err != nil && strings.Contains(err.Error(), "ns does not exist"):
		case err != nil:
			return "", err
		}
		fmt.Fprintln(&all, showDocument(answer))
	}
	return all.String(), nil
}

// written makes a database with all that a file can have: small buckets and
// deep ones, documents over several pages, free pages, what was changed and
// what was dropped. before is the file some writes earlier.
func written(t testing.TB, dir string) (before, after []byte, want string) {
	t.Helper()
	s, err := open(dir, bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	a := newAsker(t, s)
	a.must(t, bson.D{{Key: "createIndexes", Value: "words"}, {Key: "indexes", Value: bson.A{
		bson.D{{Key: "key", Value: bson.D{{Key: "name", Value: 1}}}, {Key: "name", Value: "name"}, {Key: "unique", Value: true}},
		bson.D{{Key: "key", Value: bson.D{{Key: "kind", Value: 1}}}, {Key: "name", Value: "kind"}}}}})
	insert := func(name string, n int, make func(i int) bson.D) {
		docs := bson.A{}
		for i := range n {
			docs = append(docs, append(bson.D{{Key: "_id", Value: i}}, make(i)...))
		}
		a.must(t, bson.D{{Key: "insert", Value: name}, {Key: "documents", Value: docs}})
	}
	insert("words", 2500, func(i int) bson.D {
		return bson.D{{Key: "name", Value: fmt.Sprintf("word-%d", i)}, {Key: "kind", Value: i % 60}, {Key: "count", Value: 1}}
	})
	insert("few", 3, func(i int) bson.D { return bson.D{{Key: "x", Value: i}} })
	insert("gone", 300, func(i int) bson.D { return bson.D{{Key: "x", Value: strings.Repeat("g", 100)}} })
	insert("large", 10, func(i int) bson.D { return bson.D{{Key: "x", Value: strings.Repeat(fmt.Sprint(i), 9000)}} })
	path := filepath.Join(dir, fileName)
	if before, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	a.must(t, bson.D{{Key: "drop", Value: "gone"}})
	for i := range 300 {
		a.must(t, bson.D{{Key: "update", Value: "words"}, {Key: "updates", Value: bson.A{bson.D{
			{Key: "q", Value: bson.D{{Key: "name", Value: fmt.Sprintf("word-%d", i*7919%2500)}}},
			{Key: "u", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: 1}}}}}}}}})
	}
	a.must(t, bson.D{{Key: "delete", Value: "words"}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "kind", Value: 7}}}, {Key: "limit", Value: 0}}}}})
	if want, err = a.everything(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	// The file grows by more than it needs; what was never used is not of interest.
	after = bytes.TrimRight(after, "\x00")
	after = append(after, make([]byte, 4096-len(after)%4096)...)
	return before, after, want
}

// damage changes a file in one of the ways that files are damaged and says how.
func damage(r *rand.Rand, file, before []byte) (damaged []byte, how string) {
	const size = 4096
	b := append([]byte(nil), file...)
	pages := len(b) / size
	page := func(i int) []byte { return b[i*size : (i+1)*size] }
	i, k := r.IntN(pages), r.IntN(pages)
	if r.IntN(4) == 0 {
		i = r.IntN(2) // the meta pages are few
	}
	random := func(b []byte) {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	}
	switch r.IntN(10) {
	case 0:
		clear(page(i))
		return b, fmt.Sprintf("page %d zeroed", i)
	case 1:
		random(page(i))
		return b, fmt.Sprintf("page %d overwritten", i)
	case 2:
		at := i*size + r.IntN(size)
		b[at] ^= 1 << r.IntN(8)
		return b, fmt.Sprintf("a bit flipped at %d", at)
	case 3:
		at := i*size + r.IntN(80) // header and first elements
		b[at] = byte(r.Uint32())
		return b, fmt.Sprintf("a byte changed at %d", at)
	case 4:
		at, n := i*size+r.IntN(size-16), 1+r.IntN(16)
		random(b[at : at+n])
		return b, fmt.Sprintf("%d bytes changed at %d", n, at)
	case 5:
		other := append([]byte(nil), page(k)...)
		copy(page(k), page(i))
		copy(page(i), other)
		return b, fmt.Sprintf("pages %d and %d swapped", i, k)
	case 6:
		copy(page(i), page(k))
		return b, fmt.Sprintf("page %d overwritten by page %d", i, k)
	case 7:
		n := r.IntN(len(b))
		return b[:n], fmt.Sprintf("cut to %d bytes", n)
	case 8:
		if (i+1)*size <= len(before) {
			copy(page(i), before[i*size:])
		}
		return b, fmt.Sprintf("page %d as it was before", i)
	}
	at, n := i*size+r.IntN(size), 1+r.IntN(512)
	n = min(n, len(b)-at)
	copy(b[at:], b[at+n:])
	return b, fmt.Sprintf("all from %d on moved by %d", at, n)
}

// A damaged file either opens and has exactly what was written to it, and takes
// writes, or is refused with words that say so. Nothing else, and no crash.
func TestDamagedFiles(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	before, file, want := written(t, t.TempDir())
	dir := t.TempDir()
	refused, unharmed := 0, 0
	for i := range *damages {
		b, how := damage(r, file, before)
		if err := os.WriteFile(filepath.Join(dir, fileName), b, 0o600); err != nil {
			t.Fatal(err)
		}
		err := tryDamaged(t, dir, want)
		switch {
		case errors.Is(err, errDamaged):
			refused++
			if !strings.Contains(err.Error(), filepath.Join(dir, fileName)) || !strings.Contains(err.Error(), "move it away") {
				t.Errorf("%s: the error names no file and no way out: %v", how, err)
			}
		case err != nil:
			t.Errorf("seed %d, damage %d: %s: %v", seed, i, how, err)
		default:
			unharmed++
		}
	}
	t.Logf("%d of %d damaged files refused, %d were unharmed in what they hold", refused, *damages, unharmed)
	if refused < *damages/3 || unharmed == 0 {
		t.Errorf("%d refused and %d not: the damages are not what this test is about", refused, unharmed)
	}
}

// tryDamaged opens a database, compares it, writes to it and opens it again.
func tryDamaged(t *testing.T, dir, want string) error {
	for _, again := range []bool{false, true} {
		s, err := open(dir, bbolt.Options{NoSync: true})
		if err != nil {
			return err
		}
		a := newAsker(t, s)
		got, err := a.everything()
		if err == nil && !again {
			_, err = a.ask(bson.D{{Key: "insert", Value: "more"}, {Key: "documents", Value: bson.A{bson.D{{Key: "x", Value: strings.Repeat("m", 30_000)}}}}})
			if err == nil {
				_, err = a.ask(bson.D{{Key: "drop", Value: "more"}})
			}
		}
		if err == nil && got != want {
			err = errors.New("it opens and has other contents than were written")
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
	return nil
}

// What is damaged under a database that is open is answered with an error, and
// so is all that is asked after it was found; a scan of everything finds what is
// missing, too.
func TestDamageWhileOpen(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	before, file, _ := written(t, t.TempDir())
	scan := bson.D{{Key: "find", Value: "words"}, {Key: "batchSize", Value: 100_000}}
	found := 0
	for i := range *damages / 3 {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := open(dir, bbolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		a := newAsker(t, s)
		want := showDocument(a.must(t, scan))
		b, how := damage(r, file, before)
		// In place, so that what is mapped changes with it.
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		answer, err := a.ask(scan)
		if err == nil && showDocument(answer) != want {
			t.Errorf("seed %d, damage %d: %s: the answer is wrong", seed, i, how)
		}
		_, _ = a.ask(bson.D{{Key: "insert", Value: "words"}, {Key: "documents", Value: bson.A{bson.D{{Key: "name", Value: "new"}}}}})
		_, _ = a.ask(bson.D{{Key: "drop", Value: "large"}})
		if err != nil {
			found++
			if !strings.Contains(err.Error(), errDamaged.Error()) {
				t.Errorf("seed %d, damage %d: %s: %v", seed, i, how, err)
			}
			if _, err := a.ask(bson.D{{Key: "count", Value: "few"}}); err == nil {
				t.Errorf("seed %d, damage %d: %s: it answers on", seed, i, how)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("seed %d, damage %d: %s: close: %v", seed, i, how, err)
		}
	}
	if found == 0 {
		t.Error("no damage was found: the test damages nothing that is read")
	}
	t.Logf("%d of %d damages met", found, *damages/3)
}

func TestEmptyFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "it is empty") {
		t.Errorf("an empty file: %v", err)
	}
}

// A file without checksums, and one of a format to come, are told from damaged
// ones.
func TestOtherFormatsAreRefused(t *testing.T) {
	for about, c := range map[string]struct {
		write func(*bbolt.Tx) error
		says  string
	}{
		"old": {func(tx *bbolt.Tx) error { return tx.DeleteBucket(sumsBucket) }, "an older throughline wrote it"},
		"new": {func(tx *bbolt.Tx) error {
			stored, _ := sealed(sumsBucket, formatKey, binary.BigEndian.AppendUint32(nil, format+1))
			return tx.Bucket(sumsBucket).Put(formatKey, stored)
		}, "its format is 3 and not 2"},
	} {
		dir := t.TempDir()
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.db.Update(c.write), s.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || errors.Is(err, errDamaged) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s format: %v, want %q", about, err, c.says)
		}
	}
}

// A fault of the program's own is not taken for one of the file.
func TestGuardLetsOtherPanicsPass(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a nil map's panic is held back")
		}
	}()
	var none map[string]int
	_ = guard(func() error { none["x"] = 1; return nil })
}

// What a crash left of the making of a database is no database.
func TestAnAbandonedNewFileIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName+".new-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
