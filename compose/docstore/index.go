package docstore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// indexSpec is an index as the catalog keeps it.
type indexSpec struct {
	ID     int64    `bson:"id"`
	Name   string   `bson:"name"`
	Key    bson.Raw `bson:"key"` // {name: 1}
	Unique bool     `bson:"unique"`
}

// index is an index within a transaction.
type index struct {
	spec   indexSpec
	paths  [][]string
	names  []string // the paths as written
	bucket *bucket
}

// indexEntry is one key of a document in an index.
type indexEntry struct {
	key    []byte
	values []bson.RawValue
}

// idPattern is the key of the index on _id, which the documents' own bucket is.
func idPattern() bson.Raw {
	start, b := beginDocument(nil)
	return endDocument(appendValue(b, "_id", int32Value(1)), start)
}

func newIndex(spec indexSpec) *index {
	ix := &index{spec: spec}
	for name := range elements(spec.Key) {
		ix.names = append(ix.names, name)
		ix.paths = append(ix.paths, strings.Split(name, "."))
	}
	return ix
}

func openIndex(tx *txn, spec indexSpec) (*index, error) {
	ix := newIndex(spec)
	if ix.bucket = tx.bucket(bucketName('i', spec.ID)); ix.bucket == nil {
		return nil, fmt.Errorf("%w: the entries of index %s are gone", errDamaged, spec.Name)
	}
	return ix, nil
}

// entries gives the keys of a document without the key of its _id.
func (ix *index) entries(ns namespace, doc bson.Raw) ([]indexEntry, error) {
	entries := []indexEntry{{}}
	several := ""
	for i, path := range ix.paths {
		values, err := keyValues(doc, path)
		if err != nil {
			return nil, err
		}
		if len(values) > 1 {
			if several != "" {
				return nil, fail(codeCannotIndexParallelArrays, "cannot index parallel arrays [%s] [%s]", several, ix.names[i])
			}
			several = ix.names[i]
		}
		var longer []indexEntry
		for _, e := range entries {
			for _, v := range values {
				longer = append(longer, indexEntry{appendKey(slices.Clip(e.key), v), append(slices.Clip(e.values), v)})
			}
		}
		entries = longer
	}
	for _, e := range entries {
		if len(e.key) > maxKey {
			return nil, keyTooLong(ns, ix.spec.Name, len(e.key))
		}
	}
	slices.SortFunc(entries, func(a, b indexEntry) int { return bytes.Compare(a.key, b.key) })
	return slices.CompactFunc(entries, func(a, b indexEntry) bool { return bytes.Equal(a.key, b.key) }), nil
}

// storedKey is an entry's key in the bucket of the index.
func (ix *index) storedKey(entry, docKey []byte) []byte {
	if ix.spec.Unique {
		return entry
	}
	return append(slices.Clip(entry), docKey...)
}

// indexChange is what storing a document does to an index.
type indexChange struct {
	ix        *index
	gone, new [][]byte
}

// change works out an indexChange and refuses a key that a unique index has
// under another document.
func (ix *index) change(ns namespace, docKey []byte, old, doc bson.Raw) (indexChange, error) {
	ch := indexChange{ix: ix}
	var before, after []indexEntry
	var err error
	if old != nil {
		if before, err = ix.entries(ns, old); err != nil {
			return ch, err
		}
	}
	if doc != nil {
		if after, err = ix.entries(ns, doc); err != nil {
			return ch, err
		}
	}
	in := func(list []indexEntry, e indexEntry) bool {
		_, found := slices.BinarySearchFunc(list, e, func(a, b indexEntry) int { return bytes.Compare(a.key, b.key) })
		return found
	}
	for _, e := range before {
		if !in(after, e) {
			ch.gone = append(ch.gone, ix.storedKey(e.key, docKey))
		}
	}
	for _, e := range after {
		if in(before, e) {
			continue
		}
		key := ix.storedKey(e.key, docKey)
		if len(key) > maxKey {
			return ch, keyTooLong(ns, ix.spec.Name, len(key))
		}
		if ix.spec.Unique {
			switch other, err := ix.bucket.get(key); {
			case err != nil:
				return ch, err
			case other != nil:
				return ch, duplicateKey(ns, ix.spec.Name, ix.spec.Key, e.values)
			}
		}
		ch.new = append(ch.new, key)
	}
	return ch, nil
}

func (ch indexChange) apply(docKey []byte) error {
	for _, key := range ch.gone {
		if err := ch.ix.bucket.delete(key); err != nil {
			return err
		}
	}
	for _, key := range ch.new {
		if err := ch.ix.bucket.put(key, docKey); err != nil {
			return err
		}
	}
	return nil
}

// prefixes gives the beginnings of all keys that a filter can select, and how
// many of the index's fields they cover.
func (ix *index) prefixes(f *filter) (prefixes [][]byte, fields int) {
	prefixes = [][]byte{nil}
	for _, name := range ix.names {
		values, ok := f.equal[name]
		if !ok || len(prefixes)*len(values) > maxPrefixes {
			break
		}
		var longer [][]byte
		for _, p := range prefixes {
			for _, v := range values {
				longer = append(longer, appendKey(slices.Clip(p), v))
			}
		}
		prefixes = longer
		fields++
	}
	return prefixes, fields
}

// buildIndex makes the index from the documents there are. A commandError means
// that nothing was changed.
func (c *collection) buildIndex(spec indexSpec) error {
	pairs, err := c.indexPairs(newIndex(spec))
	if err != nil {
		return err
	}
	id, err := c.tx.bucket(catalogBucket).nextSequence()
	if err != nil {
		return err
	}
	spec.ID = int64(id)
	bucket, err := c.tx.createBucket(bucketName('i', spec.ID))
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := bucket.put(p.key, p.docKey); err != nil {
			return err
		}
	}
	c.entry.Indexes = append(c.entry.Indexes, spec)
	if err := c.save(); err != nil {
		return err
	}
	return c.open()
}

// indexPair is what an index's bucket holds: a key and whose it is.
type indexPair struct{ key, docKey []byte }

// indexPairs works out the contents of a new index and refuses a unique one
// over duplicates.
func (c *collection) indexPairs(ix *index) ([]indexPair, error) {
	var pairs []indexPair
	seen := make(map[string]bool)
	s := c.docs.scanner()
	docKey, doc, err := s.first()
	for ; docKey != nil; docKey, doc, err = s.next() {
		if err := c.check(); err != nil {
			return nil, err
		}
		entries, err := ix.entries(c.ns, doc)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if ix.spec.Unique && seen[string(e.key)] {
				return nil, duplicateKey(c.ns, ix.spec.Name, ix.spec.Key, e.values)
			}
			seen[string(e.key)] = true
			key := ix.storedKey(e.key, docKey)
			if len(key) > maxKey {
				return nil, keyTooLong(c.ns, ix.spec.Name, len(key))
			}
			pairs = append(pairs, indexPair{key, docKey})
		}
	}
	return pairs, err
}

// dropIndex removes an index.
func (c *collection) dropIndex(spec indexSpec) error {
	if err := c.tx.deleteBucket(bucketName('i', spec.ID)); err != nil {
		return err
	}
	c.entry.Indexes = slices.DeleteFunc(c.entry.Indexes, func(s indexSpec) bool { return s.ID == spec.ID })
	if err := c.save(); err != nil {
		return err
	}
	return c.open()
}

// duplicateKey is MongoDB's E11000, word for word.
func duplicateKey(ns namespace, name string, pattern bson.Raw, values []bson.RawValue) *commandError {
	var names []string
	for n := range elements(pattern) {
		names = append(names, n)
	}
	var keyValue bson.D
	var shown []string
	for i, v := range values {
		if v.Type == bson.TypeUndefined {
			// An empty array, which drivers could not read back as undefined.
			v = array(nil)
		}
		keyValue = append(keyValue, bson.E{Key: names[i], Value: v})
		shown = append(shown, names[i]+": "+show(v))
	}
	e := fail(codeDuplicateKey, "E11000 duplicate key error collection: %s index: %s dup key: { %s }", ns, name, strings.Join(shown, ", "))
	e.extra = bson.D{{Key: "keyPattern", Value: pattern}, {Key: "keyValue", Value: keyValue}}
	return e
}

func keyTooLong(ns namespace, name string, n int) *commandError {
	return fail(codeKeyTooLong, "key of %d bytes is too long for index %s of %s (at most %d)", n, name, ns, maxKey)
}
