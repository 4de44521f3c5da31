package docstore

import (
	"go.mongodb.org/mongo-driver/v2/bson"
)

// modify is a findAndModify as it was asked.
type modify struct {
	ns         namespace
	statement  updateStatement // change is nil for a removal
	after      bool            // answer the document as it is afterwards
	projection *projection
}

// findAndModify is the command findAndModify. Its errors are errors of the
// command, not write errors.
func (s *Server) findAndModify(r *request) (bson.D, error) {
	m, err := parseModify(r)
	if err != nil {
		return nil, err
	}
	if m.statement.change == nil {
		return s.findAndRemove(r, m)
	}
	var e effect
	err = s.write(r, func(tx *txn) error {
		var err error
		e, err = m.statement.execute(tx, m.ns, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	last := bson.D{{Key: "n", Value: int32(e.matched)}, {Key: "updatedExisting", Value: e.matched > 0}}
	if !missing(e.upserted) {
		last = bson.D{{Key: "n", Value: int32(1)}, {Key: "updatedExisting", Value: false}, {Key: "upserted", Value: e.upserted}}
		r.stats.inserted.Add(1)
	}
	r.stats.updated.Add(int64(e.matched))
	if m.after {
		return m.answer(last, e.after)
	}
	return m.answer(last, e.before)
}

func (s *Server) findAndRemove(r *request, m modify) (bson.D, error) {
	var gone bson.Raw
	err := s.write(r, func(tx *txn) error {
		gone = nil
		coll, err := openCollection(tx, m.ns, r.checkTime)
		if err != nil {
			return err
		}
		if err := checkHint(m.statement.hint, m.ns, coll); err != nil || coll == nil {
			return err
		}
		key, doc, err := coll.first(m.statement.filter, m.statement.order)
		if key == nil || err != nil {
			return err
		}
		gone = doc
		return coll.remove(key, doc)
	})
	if err != nil {
		return nil, err
	}
	n := int32(0)
	if gone != nil {
		n = 1
	}
	r.stats.deleted.Add(int64(n))
	return m.answer(bson.D{{Key: "n", Value: n}}, gone)
}

// answer gives the document, or null if there is none.
func (m modify) answer(last bson.D, doc bson.Raw) (bson.D, error) {
	var value any
	if doc != nil {
		projected, err := m.projection.apply(doc)
		if err != nil {
			return nil, err
		}
		value = projected
	}
	return bson.D{{Key: "lastErrorObject", Value: last}, {Key: "value", Value: value}}, nil
}

func parseModify(r *request) (m modify, err error) {
	q, err := r.selection("query")
	if err != nil {
		return m, err
	}
	m.ns = q.ns
	m.statement.filter = q.filter
	m.statement.hint = r.args["hint"]
	sort, err := r.document("sort")
	if err != nil {
		return m, err
	}
	if m.statement.order, err = parseOrder(sort); err != nil {
		return m, err
	}
	if m.projection, err = r.projection("fields"); err != nil {
		return m, err
	}
	if m.statement.upsert, err = r.flag("upsert", false); err != nil {
		return m, err
	}
	if m.after, err = r.flag("new", false); err != nil {
		return m, err
	}
	remove, err := r.flag("remove", false)
	if err != nil {
		return m, err
	}
	update, updates := r.args["update"]
	switch {
	case remove && updates:
		return m, fail(codeFailedToParse, "Cannot specify both an update and remove=true")
	case remove && m.statement.upsert:
		return m, fail(codeFailedToParse, "Cannot specify both upsert=true and remove=true")
	case remove && m.after:
		return m, fail(codeFailedToParse, "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document")
	case remove:
		return m, nil
	case !updates:
		return m, fail(codeFailedToParse, "Either an update or remove=true must be specified")
	}
	m.statement.change, err = parseChange(update)
	return m, err
}
