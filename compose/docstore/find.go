package docstore

import (
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// find is the command find.
func (s *Server) find(r *request) (bson.D, error) {
	s.stats.query.Add(1)
	q, err := parseQueryFields(r)
	if err != nil {
		return nil, err
	}
	max, err := r.number("batchSize", firstBatch)
	if err != nil {
		return nil, err
	}
	single, err := r.flag("singleBatch", false)
	if err != nil {
		return nil, err
	}
	c := &cursor{q: q}
	if c.endless, err = r.flag("noCursorTimeout", false); err != nil {
		return nil, err
	}
	docs := []bson.Raw{}
	err = s.store.view(func(tx *txn) error {
		coll, err := openCollection(tx, q.ns, r.checkTime)
		if err != nil {
			return err
		}
		if err := checkHint(r.args["hint"], q.ns, coll); err != nil {
			return err
		}
		if coll == nil {
			c.done = true
			return nil
		}
		c.entryID = coll.entry.ID
		if len(q.order) > 0 {
			if err := c.sortAll(coll); err != nil {
				return err
			}
		}
		docs, err = c.next(tx, max, r.checkTime)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.done = c.done || single
	id, err := s.cursors.put(c, s.now())
	if err != nil {
		return nil, err
	}
	s.stats.returned.Add(int64(len(docs)))
	return cursorAnswer(q.ns, "firstBatch", docs, id), nil
}

// parseQueryFields reads the fields of find that make up its query.
func parseQueryFields(r *request) (q query, err error) {
	if q.ns, err = r.collection(); err != nil {
		return q, err
	}
	filter, err := r.document("filter")
	if err != nil {
		return q, err
	}
	if q.filter, err = parseFilter(filter); err != nil {
		return q, err
	}
	sort, err := r.document("sort")
	if err != nil {
		return q, err
	}
	if q.order, err = parseOrder(sort); err != nil {
		return q, err
	}
	if q.projection, err = r.projection("projection"); err != nil {
		return q, err
	}
	if q.skip, err = r.number("skip", 0); err != nil {
		return q, err
	}
	q.limit, err = r.number("limit", 0)
	return q, err
}

// projection reads a projection; an empty one is none.
func (r *request) projection(field string) (*projection, error) {
	spec, err := r.document(field)
	if err != nil || len(spec) == len(emptyDocument()) {
		return nil, err
	}
	return parseProjection(spec, false)
}

// cursorAnswer is how every command answers with a batch of documents.
func cursorAnswer(ns namespace, field string, docs []bson.Raw, id int64) bson.D {
	return bson.D{{Key: "cursor", Value: bson.D{
		{Key: field, Value: array(docs)},
		{Key: "id", Value: id},
		{Key: "ns", Value: ns.String()},
	}}}
}

// getMore is the command getMore.
func (s *Server) getMore(r *request) (bson.D, error) {
	s.stats.getmore.Add(1)
	id, ok := r.args[r.name].Int64OK()
	if !ok {
		return nil, wrongType(r.name, r.name, r.args[r.name], "long")
	}
	name, ok := r.args["collection"].StringValueOK()
	if !ok {
		return nil, wrongType(r.name, "collection", r.args["collection"], "string")
	}
	max, err := r.number("batchSize", 0)
	if err != nil {
		return nil, err
	}
	if max == 0 {
		max = -1
	}
	ns := namespace{r.db, name}
	c, err := s.cursors.take(id, ns)
	if err != nil {
		return nil, err
	}
	var docs []bson.Raw
	err = s.store.view(func(tx *txn) error {
		docs, err = c.next(tx, max, r.checkTime)
		return err
	})
	if err != nil {
		return nil, err
	}
	id, err = s.cursors.put(c, s.now())
	if err != nil {
		return nil, err
	}
	s.stats.returned.Add(int64(len(docs)))
	return cursorAnswer(ns, "nextBatch", docs, id), nil
}

// killCursors is the command killCursors.
func (s *Server) killCursors(r *request) (bson.D, error) {
	name, ok := r.args[r.name].StringValueOK()
	if !ok {
		return nil, wrongType(r.name, r.name, r.args[r.name], "string")
	}
	list, ok := r.args["cursors"].ArrayOK()
	if !ok {
		return nil, wrongType(r.name, "cursors", r.args["cursors"], "array")
	}
	killed, notFound := bson.A{}, bson.A{}
	for i, v := range elements(list) {
		id, ok := v.Int64OK()
		if !ok {
			return nil, wrongType(r.name, "cursors."+i, v, "long")
		}
		if s.cursors.kill(id, namespace{r.db, name}) {
			killed = append(killed, id)
		} else {
			notFound = append(notFound, id)
		}
	}
	return bson.D{
		{Key: "cursorsKilled", Value: killed},
		{Key: "cursorsNotFound", Value: notFound},
		{Key: "cursorsAlive", Value: bson.A{}},
		{Key: "cursorsUnknown", Value: bson.A{}},
	}, nil
}

// count is the command count.
func (s *Server) count(r *request) (bson.D, error) {
	q, err := r.selection("query")
	if err != nil {
		return nil, err
	}
	if q.skip, err = r.number("skip", 0); err != nil {
		return nil, err
	}
	if q.limit, err = r.countLimit(); err != nil {
		return nil, err
	}
	n := int64(0)
	err = s.read(r, q, func(bson.Raw) (bool, error) {
		n++
		return q.limit == 0 || n-q.skip < q.limit, nil
	})
	if err != nil {
		return nil, err
	}
	return bson.D{{Key: "n", Value: shortest(max(0, n-q.skip))}}, nil
}

// countLimit reads a limit that, as in MongoDB's count, may be negative and then
// means its absolute value.
func (r *request) countLimit() (int64, error) {
	if n, ok := wholeNumber(r.args["limit"]); ok && n < 0 && n > math.MinInt64 {
		return -n, nil
	}
	return r.number("limit", 0)
}

// shortest is an int32 if that is enough, as MongoDB answers counts.
func shortest(n int64) any {
	if n <= math.MaxInt32 {
		return int32(n)
	}
	return n
}

// distinct is the command distinct.
func (s *Server) distinct(r *request) (bson.D, error) {
	q, err := r.selection("query")
	if err != nil {
		return nil, err
	}
	key, ok := r.args["key"].StringValueOK()
	if !ok {
		return nil, wrongType(r.name, "key", r.args["key"], "string")
	}
	path, err := splitPath(key)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	values := []bson.RawValue{}
	size := 0
	add := func(v bson.RawValue) {
		if k := string(appendKey(nil, v)); !missing(v) && !seen[k] {
			seen[k] = true
			size += len(v.Value)
			values = append(values, bson.RawValue{Type: v.Type, Value: append([]byte(nil), v.Value...)})
		}
	}
	err = s.read(r, q, func(doc bson.Raw) (bool, error) {
		_, err := walk(doc, path, func(v bson.RawValue) bool {
			if v.Type != bson.TypeArray {
				add(v)
				return false
			}
			for _, item := range elements(v.Value) {
				add(item)
			}
			return false
		})
		if err == nil && size > maxBatchBytes {
			err = fail(codeResultTooLarge, "distinct too big, 16mb cap")
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return bson.D{{Key: "values", Value: arrayOf(values)}}, nil
}

// selection reads the collection and the filter that a command works on.
func (r *request) selection(field string) (q query, err error) {
	if q.ns, err = r.collection(); err != nil {
		return q, err
	}
	doc, err := r.document(field)
	if err != nil {
		return q, err
	}
	q.filter, err = parseFilter(doc)
	return q, err
}

// read visits every document a query selects, from one transaction. visit
// returns false to stop.
func (s *Server) read(r *request, q query, visit func(bson.Raw) (bool, error)) error {
	return s.store.view(func(tx *txn) error {
		coll, err := openCollection(tx, q.ns, r.checkTime)
		if err != nil {
			return err
		}
		if err := checkHint(r.args["hint"], q.ns, coll); err != nil || coll == nil {
			return err
		}
		return coll.scan(q.filter, nil, func(_ []byte, doc bson.Raw) (bool, error) { return visit(doc) })
	})
}

// checkHint refuses a hint at an index there is not. A good one changes nothing:
// whatever is read, the filter decides.
func checkHint(hint bson.RawValue, ns namespace, coll *collection) error {
	unknown := fail(codeBadValue, "hint provided does not correspond to an existing index: %s on %s", show(hint), ns)
	switch hint.Type {
	case 0:
		return nil
	case bson.TypeString:
		if hint.StringValue() == "_id_" || coll != nil && coll.hasIndex(func(s indexSpec) bool { return s.Name == hint.StringValue() }) {
			return nil
		}
		return unknown
	case bson.TypeEmbeddedDocument:
		// {$natural: -1} would turn the order round.
		natural, ok := wholeNumber(lookup(hint.Value, "$natural"))
		if len(hint.Value) == 5 || ok && natural == 1 || sameKey(hint.Value, idPattern()) ||
			coll != nil && coll.hasIndex(func(s indexSpec) bool { return sameKey(s.Key, hint.Value) }) {
			return nil
		}
		return unknown
	}
	return fail(codeFailedToParse, "hint has to be a string or an object, got %s", typeName(hint.Type))
}
