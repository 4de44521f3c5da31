package docstore

import (
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// write does f in the next transaction and returns when it is durable. A
// commandError of f concerns this command alone; any other error of f undoes it
// altogether. f may run more than once. What a log tells is done in the transaction of its entry.
func (s *Server) write(r *request, f func(*txn) error) error {
	if r.tx != nil {
		return f(r.tx)
	}
	var refused *commandError
	err := s.store.update(func(tx *txn) error {
		refused = nil
		err := f(tx)
		if errors.As(err, &refused) {
			return nil
		}
		return err
	})
	if err == nil && refused != nil {
		return refused
	}
	return err
}

// bulk is a write command with many statements.
type bulk struct {
	ns         namespace
	statements []bson.Raw
	ordered    bool
	forget     bool // acknowledge it and do not keep it
}

// result is what a bulk did.
type result struct {
	attempted   int
	n, modified int
	inserted    int
	upserted    bson.A
	writeErrors bson.A
	text        int // bytes of them, roughly
}

// maxErrorText is how much text the errors of one command may have, so that the
// answer stays within the size of a message. MongoDB limits it too.
const maxErrorText = 1 << 20

func (r *request) bulk(field string) (b bulk, err error) {
	if b.ns, err = r.collection(); err != nil {
		return b, err
	}
	if b.statements, err = r.documents(field); err != nil {
		return b, err
	}
	if n := len(b.statements); n == 0 || n > maxWriteBatch {
		return b, fail(codeInvalidLength, "Write batch sizes must be between 1 and %d. Got %d operations.", maxWriteBatch, n)
	}
	b.ordered, err = r.flag("ordered", true)
	return b, err
}

// run executes the statements one by one in one transaction, ordered ones up to
// the first error. do adds to the result; its commandError becomes a write error
// and must mean that nothing was changed by that statement's last document.
func (s *Server) run(r *request, b bulk, do func(tx *txn, i int, res *result) error) (result, error) {
	var res result
	err := s.write(r, func(tx *txn) error {
		res = result{}
		for i := range b.statements {
			res.attempted++
			err := do(tx, i, &res)
			if err == nil {
				continue
			}
			var refused *commandError
			if !errors.As(err, &refused) {
				return err
			}
			res.writeErrors = append(res.writeErrors, refused.writeError(i, res.text > maxErrorText))
			res.text += 3 * len(refused.msg) // the key is in the text and, twice, beside it
			if b.ordered {
				break
			}
		}
		if b.forget {
			return errForgotten
		}
		return nil
	})
	if errors.Is(err, errForgotten) {
		err = nil
	}
	return res, err
}

// answer is the result as the client gets it.
func (res result) answer(fields ...bson.E) bson.D {
	d := append(bson.D{{Key: "n", Value: int32(res.n)}}, fields...)
	if len(res.upserted) > 0 {
		d = append(d, bson.E{Key: "upserted", Value: res.upserted})
	}
	if len(res.writeErrors) > 0 {
		d = append(d, bson.E{Key: "writeErrors", Value: res.writeErrors})
	}
	return d
}

// insert is the command insert.
func (s *Server) insert(r *request) (bson.D, error) {
	b, err := r.bulk("documents")
	if err != nil {
		return nil, err
	}
	docs := make([]bson.Raw, len(b.statements))
	refused := make([]error, len(b.statements))
	for i, doc := range b.statements {
		docs[i], refused[i] = newDocument(doc, r.newID)
	}
	var coll *collection
	res, err := s.run(r, b, func(tx *txn, i int, res *result) (err error) {
		if refused[i] != nil {
			return refused[i]
		}
		if coll == nil || coll.tx != tx {
			if coll, _, err = ensureCollection(tx, b.ns, r.checkTime); err != nil {
				return err
			}
		}
		if err := coll.insert(docs[i]); err != nil {
			return err
		}
		res.n++
		return nil
	})
	r.stats.insert.Add(int64(res.attempted))
	if err != nil {
		return nil, err
	}
	r.stats.inserted.Add(int64(res.n))
	return res.answer(), nil
}

// updateStatement is one statement of update, or a findAndModify.
type updateStatement struct {
	filter *filter
	order  order // findAndModify only
	change *change
	multi  bool
	upsert bool
	hint   bson.RawValue
}

// update is the command update.
func (s *Server) update(r *request) (bson.D, error) {
	b, err := r.bulk("updates")
	if err != nil {
		return nil, err
	}
	b.forget = r.tx == nil && s.forgets() // a member of a set has decided that before
	statements := make([]updateStatement, len(b.statements))
	refused := make([]error, len(b.statements))
	for i, doc := range b.statements {
		statements[i], refused[i] = parseUpdate(doc)
		if isLayoutError(refused[i]) {
			return nil, refused[i]
		}
	}
	res, err := s.run(r, b, func(tx *txn, i int, res *result) error {
		if refused[i] != nil {
			return refused[i]
		}
		done, err := statements[i].execute(tx, b.ns, r)
		res.n += done.matched
		res.modified += done.modified
		if err != nil {
			return err
		}
		if !missing(done.upserted) {
			res.n++
			res.inserted++
			res.upserted = append(res.upserted, bson.D{{Key: "index", Value: int32(i)}, {Key: "_id", Value: done.upserted}})
		}
		return nil
	})
	r.stats.update.Add(int64(res.attempted))
	if err != nil {
		return nil, err
	}
	r.stats.updated.Add(int64(res.n - res.inserted))
	r.stats.inserted.Add(int64(res.inserted))
	return res.answer(bson.E{Key: "nModified", Value: int32(res.modified)}), nil
}

// isLayoutError reports whether a statement is wrong in its fields, for which
// MongoDB refuses the whole command, rather than in what they say.
func isLayoutError(err error) bool {
	var refused *commandError
	return errors.As(err, &refused) && slices.Contains([]int32{codeUnknownField, codeMissingField, codeDuplicateField, codeCommandNotSupported}, refused.code)
}

// parseUpdate reads one statement of update.
func parseUpdate(doc bson.Raw) (st updateStatement, err error) {
	f, err := statementFields("update.updates", doc, []string{"q", "u", "multi", "upsert", "hint"}, []string{"collation", "arrayFilters", "c", "sort"})
	if err != nil {
		return st, err
	}
	if st.multi, err = flag("update.updates", "multi", f["multi"], false); err != nil {
		return st, err
	}
	if st.upsert, err = flag("update.updates", "upsert", f["upsert"], false); err != nil {
		return st, err
	}
	if missing(f["u"]) {
		return st, fail(codeMissingField, "BSON field 'update.updates.u' is missing but a required field")
	}
	if st.filter, err = statementFilter("update.updates", f["q"]); err != nil {
		return st, err
	}
	if st.change, err = parseChange(f["u"]); err != nil {
		return st, err
	}
	if st.multi && st.change.replacement != nil {
		return st, fail(codeFailedToParse, "multi update is not supported for replacement-style update")
	}
	st.hint = f["hint"]
	return st, nil
}

// statementFields reads the fields of a statement and refuses those it does not
// take.
func statementFields(command string, doc bson.Raw, known, unset []string) (map[string]bson.RawValue, error) {
	fields := make(map[string]bson.RawValue)
	for name, v := range elements(doc) {
		if _, twice := fields[name]; twice {
			return nil, fail(codeDuplicateField, "BSON field '%s.%s' is a duplicate field", command, name)
		}
		switch {
		case slices.Contains(known, name):
		case !slices.Contains(unset, name):
			return nil, fail(codeUnknownField, "BSON field '%s.%s' is an unknown field.", command, name)
		case !asksForNothing(v):
			return nil, fail(codeCommandNotSupported, "%s: option '%s' is not supported by docstore", command, name)
		}
		fields[name] = v
	}
	return fields, nil
}

func statementFilter(command string, q bson.RawValue) (*filter, error) {
	if missing(q) {
		return nil, fail(codeMissingField, "BSON field '%s.q' is missing but a required field", command)
	}
	doc, err := document(command, "q", q)
	if err != nil {
		return nil, err
	}
	return parseFilter(doc)
}

// effect is what one update did.
type effect struct {
	matched, modified int
	upserted          bson.RawValue // the _id
	before, after     bson.Raw      // of one document; nil where there is none
}

// found is a document a write is about to change.
type found struct{ key, doc []byte }

// execute updates what the filter selects. A commandError means that the
// document it was met at, and all after it, are unchanged.
func (st updateStatement) execute(tx *txn, ns namespace, r *request) (e effect, err error) {
	coll, err := openCollection(tx, ns, r.checkTime)
	if err != nil {
		return e, err
	}
	if err := checkHint(st.hint, ns, coll); err != nil {
		return e, err
	}
	var targets []found
	if coll != nil {
		if targets, err = coll.targets(st.filter, st.order, st.multi); err != nil {
			return e, err
		}
	}
	for _, t := range targets {
		changed, err := st.change.apply(t.doc)
		if err != nil {
			return e, err
		}
		e.before, e.after = t.doc, changed
		if string(changed) != string(t.doc) {
			if err := coll.replace(t.key, t.doc, changed); err != nil {
				return e, err
			}
			e.modified++
		}
		e.matched++
	}
	if len(targets) > 0 || !st.upsert {
		return e, nil
	}
	doc, err := upsertDocument(st.filter, st.change, r.newID)
	if err != nil {
		return e, err
	}
	if coll, _, err = ensureCollection(tx, ns, r.checkTime); err != nil {
		return e, err
	}
	e.after, e.upserted = doc, lookup(doc, "_id")
	return e, coll.insert(doc)
}

// targets gives copies of the documents to change.
func (c *collection) targets(f *filter, o order, multi bool) ([]found, error) {
	if !multi {
		key, doc, err := c.first(f, o)
		if key == nil || err != nil {
			return nil, err
		}
		return []found{{key, doc}}, nil
	}
	var targets []found
	err := c.scan(f, nil, func(key []byte, doc bson.Raw) (bool, error) {
		targets = append(targets, found{slices.Clone(key), slices.Clone(doc)})
		return true, nil
	})
	return targets, err
}

// delete is the command delete.
func (s *Server) delete(r *request) (bson.D, error) {
	b, err := r.bulk("deletes")
	if err != nil {
		return nil, err
	}
	statements := make([]deleteStatement, len(b.statements))
	refused := make([]error, len(b.statements))
	for i, doc := range b.statements {
		statements[i], refused[i] = parseDelete(doc)
		if isLayoutError(refused[i]) {
			return nil, refused[i]
		}
	}
	res, err := s.run(r, b, func(tx *txn, i int, res *result) error {
		if refused[i] != nil {
			return refused[i]
		}
		n, err := statements[i].execute(tx, b.ns, r.checkTime)
		res.n += n
		return err
	})
	r.stats.delete.Add(int64(res.attempted))
	if err != nil {
		return nil, err
	}
	r.stats.deleted.Add(int64(res.n))
	return res.answer(), nil
}

// deleteStatement is one statement of delete.
type deleteStatement struct {
	filter *filter
	multi  bool
	hint   bson.RawValue
}

func parseDelete(doc bson.Raw) (st deleteStatement, err error) {
	f, err := statementFields("delete.deletes", doc, []string{"q", "limit", "hint"}, []string{"collation"})
	if err != nil {
		return st, err
	}
	limit, ok := wholeNumber(f["limit"])
	switch {
	case missing(f["limit"]):
		return st, fail(codeMissingField, "BSON field 'delete.deletes.limit' is missing but a required field")
	case !ok || limit != 0 && limit != 1:
		return st, fail(codeFailedToParse, "The limit field in delete objects must be 0 or 1. Got %s", show(f["limit"]))
	}
	st.filter, err = statementFilter("delete.deletes", f["q"])
	st.multi, st.hint = limit == 0, f["hint"]
	return st, err
}

func (st deleteStatement) execute(tx *txn, ns namespace, check func() error) (n int, err error) {
	coll, err := openCollection(tx, ns, check)
	if err != nil {
		return 0, err
	}
	if err := checkHint(st.hint, ns, coll); err != nil || coll == nil {
		return 0, err
	}
	targets, err := coll.targets(st.filter, nil, st.multi)
	if err != nil {
		return 0, err
	}
	for _, t := range targets {
		if err := coll.remove(t.key, t.doc); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
