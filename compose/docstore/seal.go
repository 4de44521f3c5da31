package docstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"
)

// bbolt has checksums in its two meta pages only: what a disk, a copy or a stray
// write alters elsewhere it answers as it is. So every entry here is sealed: its
// value begins with a hash of the bucket's name, the key and the value. What a
// seal cannot show, an entry that is missing or there twice, the sums show: the
// bucket "sums" has, for every other one, how many entries it has and the sum of
// their seals, both kept by the same transactions that write the entries.
//
// All of it is verified when the file is opened (see verify), a seal again
// whenever its entry is read, and a sum whenever its bucket is read to the end.

var sumsBucket = []byte("sums")

// formatKey is the entry of sums that tells the format of the file. Files of
// format 1 had no seals and no such entry.
var formatKey = []byte("format")

const format = 2

// sealLen is the length of a seal before a value.
const sealLen = 8

// errDamaged marks that the file does not hold what was written to it.
var errDamaged = errors.New("the database file is damaged")

// seal hashes an entry. The hash guards against accidents, not against forgers.
func seal(bucket, key, value []byte) uint64 {
	var lengths [8]byte
	binary.BigEndian.PutUint32(lengths[:], uint32(len(bucket)))
	binary.BigEndian.PutUint32(lengths[4:], uint32(len(key)))
	var d xxhash.Digest
	d.Reset()
	// Writing to a hash never fails.
	_, _ = d.Write(lengths[:])
	_, _ = d.Write(bucket)
	_, _ = d.Write(key)
	_, _ = d.Write(value)
	return d.Sum64()
}

// sealed is the value of an entry as the file has it.
func sealed(bucket, key, value []byte) (stored []byte, s uint64) {
	s = seal(bucket, key, value)
	stored = binary.BigEndian.AppendUint64(make([]byte, 0, sealLen+len(value)), s)
	return append(stored, value...), s
}

// unseal gives the value of a stored entry and its seal.
func unseal(bucket, key, stored []byte) (value []byte, s uint64, err error) {
	if len(stored) < sealLen {
		return nil, 0, fmt.Errorf("%w: an entry of %s is cut off", errDamaged, showBucket(bucket))
	}
	s, value = binary.BigEndian.Uint64(stored), stored[sealLen:]
	if seal(bucket, key, value) != s {
		return nil, 0, fmt.Errorf("%w: an entry of %s does not match its checksum", errDamaged, showBucket(bucket))
	}
	return value, s, nil
}

// showBucket names a bucket as a person may know it.
func showBucket(name []byte) string {
	if len(name) != 9 {
		return fmt.Sprintf("the bucket %q", name)
	}
	what := map[byte]string{'c': "collection", 'i': "index"}[name[0]]
	return fmt.Sprintf("%s number %d", what, binary.BigEndian.Uint64(name[1:]))
}

// sum64 is what sums says of a bucket.
type sum64 struct {
	entries  uint64
	seals    uint64 // their sum, modulo 2^64
	sequence uint64 // the bucket's, see bbolt.Bucket.Sequence
}

func (s sum64) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, s.entries)
	b = binary.BigEndian.AppendUint64(b, s.seals)
	return binary.BigEndian.AppendUint64(b, s.sequence)
}

func decodeSum(name, b []byte) (s sum64, err error) {
	if len(b) != 24 {
		return s, fmt.Errorf("%w: the sum of %s has %d bytes", errDamaged, showBucket(name), len(b))
	}
	return sum64{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}, nil
}

// txn is a transaction in which all entries are sealed.
type txn struct {
	tx   *bbolt.Tx
	sums map[string]*sum64 // of the buckets that this transaction changes
}

func newTxn(tx *bbolt.Tx) *txn { return &txn{tx: tx, sums: make(map[string]*sum64)} }

// sum is that of a bucket as the transaction sees it.
func (t *txn) sum(name []byte) (sum64, error) {
	if s := t.sums[string(name)]; s != nil {
		return *s, nil
	}
	stored := t.tx.Bucket(sumsBucket).Get(name)
	if stored == nil {
		return sum64{}, fmt.Errorf("%w: the sum of %s is missing", errDamaged, showBucket(name))
	}
	b, _, err := unseal(sumsBucket, name, stored)
	if err != nil {
		return sum64{}, err
	}
	return decodeSum(name, b)
}

// bucket gives nil where there is none.
func (t *txn) bucket(name []byte) *bucket {
	b := t.tx.Bucket(name)
	if b == nil {
		return nil
	}
	return &bucket{name: name, b: b, t: t}
}

func (t *txn) createBucket(name []byte) (*bucket, error) {
	b, err := t.tx.CreateBucket(name)
	if err != nil {
		return nil, err
	}
	t.sums[string(name)] = &sum64{}
	return &bucket{name: name, b: b, t: t}, nil
}

func (t *txn) deleteBucket(name []byte) error {
	delete(t.sums, string(name))
	if err := t.tx.DeleteBucket(name); err != nil {
		return err
	}
	return t.tx.Bucket(sumsBucket).Delete(name)
}

// settle writes the sums that changed. It comes before the commit.
func (t *txn) settle() error {
	sums := t.tx.Bucket(sumsBucket)
	for name, s := range t.sums {
		stored, _ := sealed(sumsBucket, []byte(name), s.encode())
		if err := sums.Put([]byte(name), stored); err != nil {
			return err
		}
	}
	return nil
}

// bucket is a bucket whose entries are sealed.
type bucket struct {
	name []byte
	b    *bbolt.Bucket
	t    *txn
}

// get gives nil where there is no such key.
func (b *bucket) get(key []byte) ([]byte, error) {
	stored := b.b.Get(key)
	if stored == nil {
		return nil, nil
	}
	value, _, err := unseal(b.name, key, stored)
	return value, err
}

// change gives the sum to be changed.
func (b *bucket) change() (*sum64, error) {
	if s := b.t.sums[string(b.name)]; s != nil {
		return s, nil
	}
	s, err := b.t.sum(b.name)
	if err != nil {
		return nil, err
	}
	b.t.sums[string(b.name)] = &s
	return &s, nil
}

// without takes the entry of the key, if there is one, out of the sum.
func (b *bucket) without(key []byte) (*sum64, error) {
	s, err := b.change()
	if err != nil {
		return nil, err
	}
	if old := b.b.Get(key); old != nil {
		_, was, err := unseal(b.name, key, old)
		if err != nil {
			return nil, err
		}
		s.entries--
		s.seals -= was
	}
	return s, nil
}

func (b *bucket) put(key, value []byte) error {
	s, err := b.without(key)
	if err != nil {
		return err
	}
	stored, is := sealed(b.name, key, value)
	s.entries++
	s.seals += is
	return b.b.Put(key, stored)
}

func (b *bucket) delete(key []byte) error {
	if _, err := b.without(key); err != nil {
		return err
	}
	return b.b.Delete(key)
}

func (b *bucket) nextSequence() (uint64, error) {
	s, err := b.change()
	if err != nil {
		return 0, err
	}
	s.sequence, err = b.b.NextSequence()
	return s.sequence, err
}

// scanner goes through the entries of a bucket in the order of their keys.
type scanner struct {
	b      *bucket
	cursor *bbolt.Cursor
	whole  bool // it began with the first entry
	seen   sum64
}

func (b *bucket) scanner() *scanner { return &scanner{b: b, cursor: b.b.Cursor()} }

// first goes to the first entry. The key is nil where there is none, here and
// below.
func (s *scanner) first() (key, value []byte, err error) {
	s.whole, s.seen = true, sum64{}
	return s.entry(s.cursor.First())
}

// seek goes to the first entry whose key is not before the given one.
func (s *scanner) seek(to []byte) (key, value []byte, err error) {
	if len(to) == 0 {
		return s.first()
	}
	s.whole = false
	return s.entry(s.cursor.Seek(to))
}

func (s *scanner) next() (key, value []byte, err error) { return s.entry(s.cursor.Next()) }

func (s *scanner) entry(key, stored []byte) ([]byte, []byte, error) {
	if key == nil {
		return nil, nil, s.end()
	}
	value, is, err := unseal(s.b.name, key, stored)
	if err != nil {
		return nil, nil, err
	}
	s.seen.entries++
	s.seen.seals += is
	return key, value, nil
}

// end compares all that was seen with the sum.
func (s *scanner) end() error {
	if !s.whole {
		return nil
	}
	want, err := s.b.t.sum(s.b.name)
	if err != nil {
		return err
	}
	return want.compare(s.b.name, s.seen)
}

// compare tells entries that were read from those that were written.
func (s sum64) compare(name []byte, seen sum64) error {
	switch {
	case seen.entries != s.entries:
		return fmt.Errorf("%w: %s has %d entries, where %d were written", errDamaged, showBucket(name), seen.entries, s.entries)
	case seen.seals != s.seals:
		return fmt.Errorf("%w: %s has other entries than were written", errDamaged, showBucket(name))
	}
	return nil
}

// eachPrefix calls do for every entry whose key has the prefix.
func (b *bucket) eachPrefix(prefix []byte, do func(key, value []byte)) error {
	s := b.scanner()
	key, value, err := s.seek(prefix)
	for ; key != nil && bytes.HasPrefix(key, prefix); key, value, err = s.next() {
		do(key, value)
	}
	return err
}
