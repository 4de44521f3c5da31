package docstore

import (
	"bytes"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxStages is MongoDB's limit for a pipeline.
const maxStages = 1000

// stage takes documents one by one and hands on its own. All of them stay valid
// until the transaction of the command ends.
type stage interface {
	// push takes a document; more is false when the rest is not needed.
	push(doc bson.Raw) (more bool, err error)
	// end says that there are no more.
	end() error
}

// aggregate is the command aggregate.
func (s *Server) aggregate(r *request) (bson.D, error) {
	if _, ok := r.args[r.name].StringValueOK(); !ok && isNumber(r.args[r.name]) {
		return nil, fail(codeCommandNotSupported, "aggregate: a pipeline on a database rather than a collection is not supported by docstore")
	}
	ns, err := r.collection()
	if err != nil {
		return nil, err
	}
	max, err := r.batchSize()
	if err != nil {
		return nil, err
	}
	docs, err := r.documents("pipeline")
	if err != nil {
		return nil, err
	}
	out := &kept{}
	first, filter, err := parsePipeline(docs, out)
	if err != nil {
		return nil, err
	}
	err = s.store.view(func(tx *txn) error {
		coll, err := openCollection(tx, ns, r.checkTime)
		if err != nil {
			return err
		}
		if err := checkHint(r.args["hint"], ns, coll); err != nil {
			return err
		}
		if coll != nil {
			err := coll.scan(filter, nil, func(_ []byte, doc bson.Raw) (bool, error) { return first.push(doc) })
			if err != nil {
				return err
			}
		}
		return first.end()
	})
	if err != nil {
		return nil, err
	}
	c := &cursor{q: query{ns: ns}, kept: out.docs, keeps: true}
	// A kept result needs no transaction.
	batch, err := c.next(nil, max, r.checkTime)
	if err != nil {
		return nil, err
	}
	id, err := s.cursors.put(c, s.now())
	if err != nil {
		return nil, err
	}
	s.stats.returned.Add(int64(len(batch)))
	return cursorAnswer(ns, "firstBatch", batch, id), nil
}

// batchSize reads the option cursor, which aggregate requires.
func (r *request) batchSize() (int64, error) {
	v, ok := r.args["cursor"]
	if !ok {
		return 0, fail(codeFailedToParse, "The 'cursor' option is required, except for aggregate with the explain argument")
	}
	if v.Type != bson.TypeEmbeddedDocument {
		return 0, wrongType(r.name, "cursor", v, "object")
	}
	for name := range elements(v.Value) {
		if name != "batchSize" {
			return 0, fail(codeUnknownField, "BSON field '%s.cursor.%s' is an unknown field.", r.name, name)
		}
	}
	inner := &request{name: r.name + ".cursor", args: map[string]bson.RawValue{}}
	if size := lookup(v.Value, "batchSize"); !missing(size) {
		inner.args["batchSize"] = size
	}
	return inner.number("batchSize", firstBatch)
}

// parsePipeline builds the stages from the last to the first. The filter is that
// of a $match at the beginning, for which an index may do.
func parsePipeline(docs []bson.Raw, out stage) (first stage, f *filter, err error) {
	if len(docs) > maxStages {
		return nil, nil, fail(codePipelineTooLong, "Pipeline length must be no longer than %d stages", maxStages)
	}
	f, err = parseFilter(emptyDocument())
	if err != nil {
		return nil, nil, err
	}
	first = out
	for i := len(docs) - 1; i >= 0; i-- {
		r := readFields(docs[i])
		name, spec, ok := r.next()
		if _, _, more := r.next(); !ok || more {
			return nil, nil, fail(codeStageFields, "A pipeline stage specification object must contain exactly one field.")
		}
		if i == 0 && string(name) == "$match" {
			if f, err = parseMatch(spec); err != nil {
				return nil, nil, err
			}
			break
		}
		if first, err = parseStage(string(name), spec, first); err != nil {
			return nil, nil, err
		}
	}
	return first, f, nil
}

func parseStage(name string, spec bson.RawValue, next stage) (stage, error) {
	switch name {
	case "$match":
		f, err := parseMatch(spec)
		return &match{f, next}, err
	case "$group":
		return parseGroup(spec, next)
	case "$sort":
		doc, err := stageDocument(name, spec)
		if err != nil {
			return nil, err
		}
		o, err := parseOrder(doc)
		if err == nil && len(o) == 0 {
			err = fail(codeEmptySort, "$sort stage must have at least one sort key")
		}
		s := &sortStage{sorter{order: o}, next}
		if l, ok := next.(*slice); ok && l.limit > 0 && l.limit < maxDocument {
			s.sorter.limit = int(l.limit) // only so many are asked for
		}
		return s, err
	case "$limit", "$skip":
		return parseSlice(name, spec, next)
	case "$project":
		doc, err := stageDocument(name, spec)
		if err != nil {
			return nil, err
		}
		if len(doc) == len(emptyDocument()) {
			return nil, fail(codeEmptyProject, "$project: projection specification must have at least one field")
		}
		p, err := parseProjection(doc, true)
		return &project{p, next}, err
	case "$count":
		return parseCount(spec, next)
	}
	return nil, fail(codeUnknownStage, "Unrecognized pipeline stage name: '%s'", name)
}

func stageDocument(name string, spec bson.RawValue) (bson.Raw, error) {
	if spec.Type != bson.TypeEmbeddedDocument {
		return nil, fail(codeStageNotObject, "the %s specification must be an object, got %s", name, typeName(spec.Type))
	}
	return spec.Value, nil
}

func parseMatch(spec bson.RawValue) (*filter, error) {
	doc, err := stageDocument("$match", spec)
	if err != nil {
		return nil, err
	}
	return parseFilter(doc)
}

// match is $match behind another stage.
type match struct {
	filter *filter
	next   stage
}

func (m *match) push(doc bson.Raw) (bool, error) {
	if ok, err := m.filter.match(doc); !ok || err != nil {
		return err == nil, err
	}
	return m.next.push(doc)
}

func (m *match) end() error { return m.next.end() }

// sortStage is $sort.
type sortStage struct {
	sorter sorter
	next   stage
}

func (s *sortStage) push(doc bson.Raw) (bool, error) { return true, s.sorter.add(doc) }

func (s *sortStage) end() error { return pushAll(s.sorter.sorted(), s.next) }

func pushAll(docs []bson.Raw, next stage) error {
	for _, doc := range docs {
		if more, err := next.push(doc); !more || err != nil {
			if err != nil {
				return err
			}
			break
		}
	}
	return next.end()
}

// slice is $skip and $limit.
type slice struct {
	skip, limit int64 // limit < 0 = none
	next        stage
}

func parseSlice(name string, spec bson.RawValue, next stage) (stage, error) {
	n, ok := wholeNumber(spec)
	if !ok || n < 0 || n == 0 && name == "$limit" {
		return nil, fail(codeBadSlice, "invalid argument to %s stage: Expected a positive number in: %s: %s", name, name, show(spec))
	}
	if name == "$skip" {
		return &slice{skip: n, limit: -1, next: next}, nil
	}
	return &slice{limit: n, next: next}, nil
}

func (s *slice) push(doc bson.Raw) (bool, error) {
	if s.skip > 0 {
		s.skip--
		return true, nil
	}
	if s.limit == 0 {
		return false, nil
	}
	if s.limit > 0 {
		s.limit--
	}
	more, err := s.next.push(doc)
	return more && s.limit != 0, err
}

func (s *slice) end() error { return s.next.end() }

// project is $project.
type project struct {
	projection *projection
	next       stage
}

func (p *project) push(doc bson.Raw) (bool, error) {
	out, err := p.projection.apply(doc)
	if err != nil {
		return false, err
	}
	return p.next.push(out)
}

func (p *project) end() error { return p.next.end() }

// counter is $count.
type counter struct {
	field string
	n     int64
	next  stage
}

func parseCount(spec bson.RawValue, next stage) (stage, error) {
	name, ok := spec.StringValueOK()
	if !ok || name == "" || name[0] == '$' || strings.ContainsAny(name, ".\x00") {
		return nil, fail(codeBadCountField, "the count field must be a non-empty string without '.' that does not begin with '$', got %s", show(spec))
	}
	return &counter{field: name, next: next}, nil
}

func (c *counter) push(bson.Raw) (bool, error) {
	c.n++
	return true, nil
}

func (c *counter) end() error {
	if c.n == 0 {
		return c.next.end()
	}
	start, b := beginDocument(nil)
	b = appendValue(b, c.field, wholeValue(c.n))
	return pushAll([]bson.Raw{endDocument(b, start)}, c.next)
}

// kept is the end of a pipeline: it keeps copies.
type kept struct {
	docs  []bson.Raw
	bytes int
}

func (k *kept) push(doc bson.Raw) (bool, error) {
	if k.bytes += len(doc); k.bytes > maxBuffered {
		return false, fail(codeMemoryLimit, "the pipeline's result exceeds the memory limit of %d bytes", maxBuffered)
	}
	if len(doc) > maxDocument {
		return false, fail(codeObjectTooLarge, "a document of the pipeline's result has %d bytes, more than the maximum of %d", len(doc), maxDocument)
	}
	k.docs = append(k.docs, bytes.Clone(doc))
	return true, nil
}

func (k *kept) end() error { return nil }
