package docstore

import (
	"cmp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// namespaces lists the collections, of one database or (db is "") of all.
func namespaces(tx *txn, db string) ([]namespace, error) {
	var prefix []byte
	if db != "" {
		prefix = namespace{db: db}.key()
	}
	var list []namespace
	err := tx.bucket(catalogBucket).eachPrefix(prefix, func(key, _ []byte) {
		db, collection, _ := strings.Cut(string(key), "\x00")
		list = append(list, namespace{db, collection})
	})
	return list, err
}

func (c *collection) hasIndex(is func(indexSpec) bool) bool {
	return slices.ContainsFunc(c.entry.Indexes, is)
}

// create is the command create.
func (s *Server) create(r *request) (bson.D, error) {
	ns, err := r.collection()
	if err != nil {
		return nil, err
	}
	return bson.D{}, s.write(r, func(tx *txn) error {
		_, created, err := ensureCollection(tx, ns, r.checkTime)
		if err == nil && !created {
			err = fail(codeNamespaceExists, "Collection %s already exists.", ns)
		}
		return err
	})
}

// drop is the command drop. As in MongoDB 7.0 it succeeds where there is nothing.
func (s *Server) drop(r *request) (bson.D, error) {
	ns, err := r.collection()
	if err != nil {
		return nil, err
	}
	answer := bson.D{}
	err = s.write(r, func(tx *txn) error {
		answer = bson.D{}
		coll, err := openCollection(tx, ns, r.checkTime)
		if coll == nil || err != nil {
			return err
		}
		answer = bson.D{{Key: "nIndexesWas", Value: int32(len(coll.indexes) + 1)}, {Key: "ns", Value: ns.String()}}
		return coll.drop()
	})
	return answer, err
}

// dropDatabase is the command dropDatabase.
func (s *Server) dropDatabase(r *request) (bson.D, error) {
	answer := bson.D{}
	err := s.write(r, func(tx *txn) error {
		answer = bson.D{}
		list, err := namespaces(tx, r.db)
		if err != nil {
			return err
		}
		for _, ns := range list {
			coll, err := openCollection(tx, ns, r.checkTime)
			if err != nil {
				return err
			}
			if err := coll.drop(); err != nil {
				return err
			}
			answer = bson.D{{Key: "dropped", Value: r.db}}
		}
		return nil
	})
	return answer, err
}

// listing is what listCollections and listDatabases ask for.
type listing struct {
	filter   *filter
	nameOnly bool
}

func (r *request) listing() (l listing, err error) {
	doc, err := r.document("filter")
	if err != nil {
		return l, err
	}
	if l.filter, err = parseFilter(doc); err != nil {
		return l, err
	}
	l.nameOnly, err = r.flag("nameOnly", false)
	return l, err
}

// pick encodes an entry and reports whether the filter selects it.
func (l listing) pick(entry bson.D) (doc bson.Raw, ok bool, err error) {
	doc, err = bson.Marshal(entry)
	if err != nil {
		return nil, false, err
	}
	ok, err = l.filter.match(doc)
	return doc, ok, err
}

// listCollections is the command listCollections.
func (s *Server) listCollections(r *request) (bson.D, error) {
	l, err := r.listing()
	if err != nil {
		return nil, err
	}
	docs := []bson.Raw{}
	err = s.store.view(func(tx *txn) error {
		list, err := namespaces(tx, r.db)
		if err != nil {
			return err
		}
		for _, ns := range list {
			entry := bson.D{
				{Key: "name", Value: ns.collection},
				{Key: "type", Value: "collection"},
				{Key: "options", Value: bson.D{}},
				{Key: "info", Value: bson.D{{Key: "readOnly", Value: false}}},
				{Key: "idIndex", Value: bson.D{{Key: "v", Value: int32(2)}, {Key: "key", Value: idPattern()}, {Key: "name", Value: "_id_"}}},
			}
			if l.nameOnly {
				entry = entry[:2]
			}
			doc, ok, err := l.pick(entry)
			if err != nil {
				return err
			}
			if ok {
				docs = append(docs, doc)
			}
		}
		return nil
	})
	return cursorAnswer(namespace{r.db, "$cmd.listCollections"}, "firstBatch", docs, 0), err
}

// listDatabases is the command listDatabases. Sizes are those of the documents
// and index entries, as all databases share one file.
func (s *Server) listDatabases(r *request) (bson.D, error) {
	if r.db != "admin" {
		return nil, fail(codeUnauthorized, "listDatabases may only be run against the admin database.")
	}
	l, err := r.listing()
	if err != nil {
		return nil, err
	}
	docs := []bson.Raw{}
	total := int64(0)
	err = s.store.view(func(tx *txn) error {
		sizes := make(map[string]int64)
		list, err := namespaces(tx, "")
		if err != nil {
			return err
		}
		for _, ns := range list {
			size := int64(0)
			if !l.nameOnly {
				coll, err := openCollection(tx, ns, r.checkTime)
				if err != nil {
					return err
				}
				size = coll.size()
			}
			sizes[ns.db] += size
		}
		for _, db := range sortedNames(sizes) {
			entry := bson.D{{Key: "name", Value: db}, {Key: "sizeOnDisk", Value: sizes[db]}, {Key: "empty", Value: false}}
			if l.nameOnly {
				entry = entry[:1]
			}
			doc, ok, err := l.pick(entry)
			if err != nil {
				return err
			}
			if ok {
				docs = append(docs, doc)
				total += sizes[db]
			}
		}
		return nil
	})
	answer := bson.D{{Key: "databases", Value: array(docs)}}
	if !l.nameOnly {
		answer = append(answer, bson.E{Key: "totalSize", Value: total}, bson.E{Key: "totalSizeMb", Value: total >> 20})
	}
	return answer, err
}

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}

// size is the bytes that the collection and its indexes take in the file.
func (c *collection) size() int64 {
	bytes := func(b *bucket) int64 {
		st := b.b.Stats()
		return int64(st.BranchAlloc + st.LeafAlloc + st.InlineBucketInuse)
	}
	n := bytes(c.docs)
	for _, ix := range c.indexes {
		n += bytes(ix.bucket)
	}
	return n
}
