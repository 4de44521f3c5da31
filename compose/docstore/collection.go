package docstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Layout of the file. Top-level buckets are:
//
//	catalog          "db\x00collection" → catalogEntry as BSON
//	sums             name of every other bucket → its sum64; "format" → 2
//	c + 8 byte id    key of _id → document
//	i + 8 byte id    key of the indexed values (+ key of _id, unless unique) → key of _id
//
// A seal is before every value (see seal). Keys are made by appendKey; ids come from the catalog's sequence and are never
// used again.
var catalogBucket = []byte("catalog")

// maxKey is the longest key that bbolt takes.
const maxKey = bbolt.MaxKeySize

// checkEvery is how many documents are looked at between two looks at the clock.
const checkEvery = 256

// maxPrefixes bounds how many index entries a filter's $in lists may multiply
// to before reading everything is the better plan.
const maxPrefixes = 1000

type catalogEntry struct {
	ID      int64       `bson:"id"`
	Indexes []indexSpec `bson:"indexes"`
}

// collection is an existing collection within a transaction.
type collection struct {
	ns      namespace
	tx      *txn
	entry   catalogEntry
	docs    *bucket
	indexes []*index
	check   func() error // asked now and then; an error stops a scan
}

func bucketName(kind byte, id int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(id))
}

func (n namespace) key() []byte { return []byte(n.db + "\x00" + n.collection) }

// openCollection gives nil if there is no such collection.
func openCollection(tx *txn, ns namespace, check func() error) (*collection, error) {
	raw, err := tx.bucket(catalogBucket).get(ns.key())
	if raw == nil || err != nil {
		return nil, err
	}
	c := &collection{ns: ns, tx: tx, check: check}
	if err := bson.Unmarshal(raw, &c.entry); err != nil {
		return nil, fmt.Errorf("%w: catalog entry of %s: %w", errDamaged, ns, err)
	}
	return c, c.open()
}

func (c *collection) open() error {
	c.docs = c.tx.bucket(bucketName('c', c.entry.ID))
	if c.docs == nil {
		return fmt.Errorf("%w: the documents of %s are gone", errDamaged, c.ns)
	}
	c.indexes = c.indexes[:0]
	for _, spec := range c.entry.Indexes {
		ix, err := openIndex(c.tx, spec)
		if err != nil {
			return fmt.Errorf("%s: %w", c.ns, err)
		}
		c.indexes = append(c.indexes, ix)
	}
	return nil
}

// ensureCollection makes the collection if it is missing.
func ensureCollection(tx *txn, ns namespace, check func() error) (c *collection, created bool, err error) {
	if c, err := openCollection(tx, ns, check); c != nil || err != nil {
		return c, false, err
	}
	id, err := tx.bucket(catalogBucket).nextSequence()
	if err != nil {
		return nil, false, err
	}
	c = &collection{ns: ns, tx: tx, check: check, entry: catalogEntry{ID: int64(id)}}
	if _, err := tx.createBucket(bucketName('c', c.entry.ID)); err != nil {
		return nil, false, err
	}
	if err := c.save(); err != nil {
		return nil, false, err
	}
	return c, true, c.open()
}

// save writes the catalog entry.
func (c *collection) save() error {
	raw, err := bson.Marshal(c.entry)
	if err != nil {
		return err
	}
	return c.tx.bucket(catalogBucket).put(c.ns.key(), raw)
}

// drop removes the collection and all in it.
func (c *collection) drop() error {
	for _, ix := range c.indexes {
		if err := c.tx.deleteBucket(bucketName('i', ix.spec.ID)); err != nil {
			return err
		}
	}
	if err := c.tx.deleteBucket(bucketName('c', c.entry.ID)); err != nil {
		return err
	}
	return c.tx.bucket(catalogBucket).delete(c.ns.key())
}

// insert stores a new document. A commandError means that nothing was changed.
func (c *collection) insert(doc bson.Raw) error {
	id := lookup(doc, "_id")
	key := appendKey(nil, id)
	if len(key) > maxKey {
		return keyTooLong(c.ns, "_id_", len(key))
	}
	switch there, err := c.docs.get(key); {
	case err != nil:
		return err
	case there != nil:
		return duplicateKey(c.ns, "_id_", idPattern(), []bson.RawValue{id})
	}
	changes, err := c.changes(key, nil, doc)
	if err != nil {
		return err
	}
	return c.apply(key, doc, changes)
}

// replace stores a document in the place of another with the same _id. A
// commandError means that nothing was changed.
func (c *collection) replace(key []byte, old, doc bson.Raw) error {
	changes, err := c.changes(key, old, doc)
	if err != nil {
		return err
	}
	return c.apply(key, doc, changes)
}

// remove deletes a document.
func (c *collection) remove(key []byte, old bson.Raw) error {
	changes, err := c.changes(key, old, nil)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if err := ch.apply(key); err != nil {
			return err
		}
	}
	return c.docs.delete(key)
}

// changes says what storing doc in the place of old does to the indexes, and
// refuses it where a unique one forbids it. Either document may be nil.
func (c *collection) changes(key []byte, old, doc bson.Raw) ([]indexChange, error) {
	var changes []indexChange
	for _, ix := range c.indexes {
		ch, err := ix.change(c.ns, key, old, doc)
		if err != nil {
			return nil, err
		}
		changes = append(changes, ch)
	}
	return changes, nil
}

func (c *collection) apply(key []byte, doc bson.Raw, changes []indexChange) error {
	for _, ch := range changes {
		if err := ch.apply(key); err != nil {
			return err
		}
	}
	return c.docs.put(key, doc)
}

// visitor gets a document that a filter selects and returns false to stop.
type visitor func(key []byte, doc bson.Raw) (more bool, err error)

// scan visits what the filter selects in the order of the documents' keys,
// beginning behind the key after. Nothing may be written meanwhile.
func (c *collection) scan(f *filter, after []byte, visit visitor) error {
	seen := 0
	look := func(key []byte, doc bson.Raw) (more bool, err error) {
		if seen++; seen%checkEvery == 0 {
			if err := c.check(); err != nil {
				return false, err
			}
		}
		if ok, err := f.match(doc); !ok || err != nil {
			return err == nil, err
		}
		return visit(key, doc)
	}
	keys, planned, err := c.candidates(f)
	if err != nil {
		return err
	}
	if !planned {
		return c.scanAll(after, look)
	}
	for _, key := range keys {
		if after != nil && bytes.Compare(key, after) <= 0 {
			continue
		}
		doc, err := c.docs.get(key)
		if err != nil {
			return err
		}
		if doc == nil {
			continue
		}
		if more, err := look(key, doc); !more || err != nil {
			return err
		}
	}
	return nil
}

func (c *collection) scanAll(after []byte, look visitor) error {
	s := c.docs.scanner()
	key, doc, err := s.seek(after)
	if after != nil && err == nil && bytes.Equal(key, after) {
		key, doc, err = s.next()
	}
	for ; key != nil; key, doc, err = s.next() {
		if more, err := look(key, doc); !more || err != nil {
			return err
		}
	}
	return err
}

// candidates gives the keys of all documents that the filter can select, in
// order, if _id or an index tells.
func (c *collection) candidates(f *filter) (keys [][]byte, planned bool, err error) {
	if ids, ok := f.equal["_id"]; ok {
		for _, id := range ids {
			keys = append(keys, appendKey(nil, id))
		}
		return sortedKeys(keys), true, nil
	}
	var best *index
	var prefixes [][]byte
	fields := 0
	for _, ix := range c.indexes {
		if p, n := ix.prefixes(f); n > fields {
			best, prefixes, fields = ix, p, n
		}
	}
	if best == nil {
		return nil, false, nil
	}
	for _, prefix := range prefixes {
		if err := best.bucket.eachPrefix(prefix, func(_, key []byte) { keys = append(keys, key) }); err != nil {
			return nil, false, err
		}
	}
	return sortedKeys(keys), true, nil
}

func sortedKeys(keys [][]byte) [][]byte {
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal)
}

// first finds the first document that the filter selects in the given order,
// as a copy; nil if there is none.
func (c *collection) first(f *filter, o order) (key []byte, doc bson.Raw, err error) {
	err = c.scan(f, nil, func(k []byte, d bson.Raw) (bool, error) {
		if key != nil {
			cmp, err := o.compare(d, doc)
			if err != nil || cmp >= 0 {
				return err == nil, err
			}
		}
		key, doc = bytes.Clone(k), bytes.Clone(d)
		return len(o) > 0, nil
	})
	return key, doc, err
}
