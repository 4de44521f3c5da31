package docstore

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// change is a parsed update document: a replacement, or operators.
type change struct {
	replacement bson.Raw // nil = operators
	ops         []updateOp
}

// updateOp is one operator on one path.
type updateOp struct {
	op    string // "$inc"
	name  string // "a.b"
	path  []string
	value bson.RawValue
}

// parseChange reads the update of an update statement or findAndModify.
// Source: https://www.mongodb.com/docs/manual/reference/operator/update/
func parseChange(v bson.RawValue) (*change, error) {
	if v.Type == bson.TypeArray {
		return nil, fail(codeFailedToParse, "an update with an aggregation pipeline is not supported by docstore")
	}
	if v.Type != bson.TypeEmbeddedDocument {
		return nil, fail(codeFailedToParse, "Update argument must be either an object or an array, got %s", typeName(v.Type))
	}
	if err := storable(v.Value); err != nil {
		return nil, err
	}
	if !isOperators(v) {
		return &change{replacement: v.Value}, nil
	}
	c := &change{}
	for op, fields := range elements(v.Value) {
		switch op {
		case "$inc", "$set", "$setOnInsert", "$unset":
		default:
			return nil, fail(codeFailedToParse, "Unknown modifier: %s. docstore has $inc, $set, $setOnInsert and $unset", op)
		}
		if fields.Type != bson.TypeEmbeddedDocument {
			return nil, fail(codeFailedToParse, "Modifiers operate on fields but we found type %s instead. For example: {$mod: {<field>: ...}} not {%s: %s}", typeName(fields.Type), op, show(fields))
		}
		if err := c.add(op, fields.Value); err != nil {
			return nil, err
		}
	}
	// MongoDB creates new fields in the order of their names.
	slices.SortFunc(c.ops, func(a, b updateOp) int { return cmp.Compare(a.name, b.name) })
	return c, nil
}

func (c *change) add(op string, fields bson.Raw) error {
	for name, v := range elements(fields) {
		path, err := splitPath(name)
		if err != nil {
			return err
		}
		if op == "$inc" && !isNumber(v) {
			return fail(codeTypeMismatch, "Cannot increment with non-numeric argument: {%s: %s}", name, show(v))
		}
		for _, other := range c.ops {
			if name == other.name || strings.HasPrefix(name, other.name+".") || strings.HasPrefix(other.name, name+".") {
				return fail(codeConflictingUpdateOperators, "Updating the path '%s' would create a conflict at '%s'", name, shorter(name, other.name))
			}
		}
		c.ops = append(c.ops, updateOp{op, name, path, v})
	}
	return nil
}

func shorter(a, b string) string {
	if len(a) < len(b) {
		return a
	}
	return b
}

// apply makes the document that takes the place of doc. It keeps its _id.
func (c *change) apply(doc bson.Raw) (bson.Raw, error) { return c.make(doc, false) }

// applyToNew makes the document to insert from what the filter says.
func (c *change) applyToNew(doc bson.Raw) (bson.Raw, error) { return c.make(doc, true) }

func (c *change) make(doc bson.Raw, inserting bool) (bson.Raw, error) {
	id := lookup(doc, "_id")
	changed, err := c.changed(doc, id, inserting)
	if err != nil {
		return nil, err
	}
	newID := lookup(changed, "_id")
	if !missing(id) && (newID.Type != id.Type || !bytes.Equal(newID.Value, id.Value)) {
		return nil, fail(codeImmutableField, "Performing an update on the path '_id' would modify the immutable field '_id'")
	}
	return changed, checkStored(changed, codeUpdateTooLarge)
}

func (c *change) changed(doc bson.Raw, id bson.RawValue, inserting bool) (bson.Raw, error) {
	if c.replacement != nil {
		if !missing(id) && missing(lookup(c.replacement, "_id")) {
			return withID(c.replacement, id), nil
		}
		return idFirst(c.replacement), nil
	}
	var err error
	for _, op := range c.ops {
		if op.op == "$setOnInsert" && !inserting {
			continue
		}
		if doc, err = op.apply(doc, id); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// checkStored refuses what is too large or too deep to be stored.
func checkStored(doc bson.Raw, tooLarge int32) error {
	if len(doc) > maxDocument {
		return fail(tooLarge, "document of %d bytes is larger than the maximum of %d", len(doc), maxDocument)
	}
	if err := validate(doc); err != nil {
		return fail(codeOverflow, "document cannot be stored: %v", err)
	}
	return nil
}

func (op updateOp) apply(doc bson.Raw, id bson.RawValue) (bson.Raw, error) {
	if op.op == "$unset" {
		return unset(doc, op.path)
	}
	return edit(doc, op.path, func(old bson.RawValue) (bson.RawValue, error) {
		if op.op != "$inc" || missing(old) {
			return op.value, nil
		}
		if !isNumber(old) {
			return old, fail(codeTypeMismatch, "Cannot apply $inc to a value of non-numeric type. {_id: %s} has the field '%s' of non-numeric type %s", show(id), op.path[len(op.path)-1], typeName(old.Type))
		}
		sum, ok := add(old, op.value)
		if !ok {
			return old, fail(codeBadValue, "Failed to apply $inc operations to current value (%s) for document {_id: %s}", show(old), show(id))
		}
		return sum, nil
	})
}

// add adds two numbers as $inc does: the result has the wider type, an int32
// grows into an int64, and an int64 never overflows.
func add(a, b bson.RawValue) (sum bson.RawValue, ok bool) {
	if a.Type == bson.TypeDouble || b.Type == bson.TypeDouble {
		return doubleValue(a.AsFloat64() + b.AsFloat64()), true
	}
	x, y := a.AsInt64(), b.AsInt64()
	n := x + y
	if (n > x) != (y > 0) && y != 0 {
		return a, false
	}
	if a.Type == bson.TypeInt32 && b.Type == bson.TypeInt32 && n >= math.MinInt32 && n <= math.MaxInt32 {
		return int32Value(int32(n)), true
	}
	return int64Value(n), true
}

// edit gives the value at a path to f and puts what it returns in its place,
// creating the documents on the way. f gets a missing value for a new field.
func edit(doc bson.Raw, path []string, f func(bson.RawValue) (bson.RawValue, error)) (bson.Raw, error) {
	start, out := beginDocument(make([]byte, 0, len(doc)+32))
	found := false
	for name, v := range elements(doc) {
		if name == path[0] && !found {
			found = true
			var err error
			if v, err = editField(name, v, path, f); err != nil {
				return nil, err
			}
		}
		out = appendValue(out, name, v)
	}
	if !found {
		v, err := editField(path[0], bson.RawValue{}, path, f)
		if err != nil {
			return nil, err
		}
		out = appendValue(out, path[0], v)
	}
	return endDocument(out, start), nil
}

func editField(name string, v bson.RawValue, path []string, f func(bson.RawValue) (bson.RawValue, error)) (bson.RawValue, error) {
	if len(path) == 1 {
		return f(v)
	}
	inner := bson.Raw(v.Value)
	switch v.Type {
	case 0:
		inner = emptyDocument()
	case bson.TypeEmbeddedDocument:
	case bson.TypeArray:
		if isPosition(path[1]) {
			return v, positionUnsupported(path[1])
		}
		fallthrough
	default:
		return v, fail(codePathNotViable, "Cannot create field '%s' in element {%s: %s}", path[1], name, show(v))
	}
	changed, err := edit(inner, path[1:], f)
	return documentValue(changed), err
}

// unset removes what is at a path. Where the path does not exist it does
// nothing.
func unset(doc bson.Raw, path []string) (bson.Raw, error) {
	v := lookup(doc, path[0])
	switch {
	case len(path) > 1 && v.Type == bson.TypeArray && isPosition(path[1]):
		return nil, positionUnsupported(path[1])
	case missing(v), len(path) > 1 && v.Type != bson.TypeEmbeddedDocument:
		return doc, nil
	}
	start, out := beginDocument(make([]byte, 0, len(doc)))
	done := false
	for name, v := range elements(doc) {
		if name == path[0] && !done {
			done = true
			if len(path) == 1 {
				continue
			}
			inner, err := unset(v.Value, path[1:])
			if err != nil {
				return nil, err
			}
			v = documentValue(inner)
		}
		out = appendValue(out, name, v)
	}
	return endDocument(out, start), nil
}

// withID puts an _id in front.
func withID(doc bson.Raw, id bson.RawValue) bson.Raw {
	start, out := beginDocument(make([]byte, 0, len(doc)+len(id.Value)+5))
	out = appendValue(out, "_id", id)
	for name, v := range elements(doc) {
		if name != "_id" {
			out = appendValue(out, name, v)
		}
	}
	return endDocument(out, start)
}

// idFirst moves the _id to the front, where MongoDB keeps it.
func idFirst(doc bson.Raw) bson.Raw {
	r := readFields(doc)
	if name, _, ok := r.next(); !ok || string(name) == "_id" {
		return doc
	}
	if id := lookup(doc, "_id"); !missing(id) {
		return withID(doc, id)
	}
	return doc
}

// newDocument checks a document to insert and gives it an _id if it has none.
func newDocument(doc bson.Raw, newID func() bson.ObjectID) (bson.Raw, error) {
	if err := storable(doc); err != nil {
		return nil, err
	}
	for name, v := range elements(doc) {
		if strings.HasPrefix(name, "$") {
			return nil, fail(codeDollarPrefixedFieldName, "The dollar ($) prefixed field '%s' in '%s' is not valid for storage.", name, name)
		}
		if v.Type == bson.TypeTimestamp && timestamp(v) == 0 {
			return nil, fail(codeBadValue, "field '%s': an empty timestamp, which MongoDB would replace by the time, is not supported by docstore", name)
		}
	}
	switch id := lookup(doc, "_id"); {
	case missing(id):
		oid := newID()
		doc = withID(doc, bson.RawValue{Type: bson.TypeObjectID, Value: oid[:]})
	case id.Type == bson.TypeArray:
		return nil, fail(codeInvalidIDField, "The '_id' value cannot be of type array")
	case isOperators(id):
		return nil, fail(codeDollarPrefixedFieldName, "_id fields may not contain '$'-prefixed fields: %s", show(id))
	default:
		doc = idFirst(doc)
	}
	return doc, checkStored(doc, codeObjectTooLarge)
}

// upsertDocument makes the document that an upsert inserts.
func upsertDocument(f *filter, c *change, newID func() bson.ObjectID) (bson.Raw, error) {
	if f.ambiguous != "" {
		return nil, fail(codeBadValue, "upsert: %s in the filter is not supported by docstore: use an equality", f.ambiguous)
	}
	doc := emptyDocument()
	for i, a := range f.set {
		for _, b := range f.set[:i] {
			if a.path == b.path || strings.HasPrefix(a.path, b.path+".") || strings.HasPrefix(b.path, a.path+".") {
				return nil, fail(codeNotSingleValueField, "cannot infer query fields to set, path '%s' is matched twice", shorter(a.path, b.path))
			}
		}
		if c.replacement != nil && a.path != "_id" {
			continue // a replacement takes nothing but the _id from the filter
		}
		path, err := splitPath(a.path)
		if err != nil {
			return nil, err
		}
		if doc, err = edit(doc, path, func(bson.RawValue) (bson.RawValue, error) { return a.value, nil }); err != nil {
			return nil, err
		}
	}
	doc, err := c.applyToNew(doc)
	if err != nil {
		return nil, err
	}
	return newDocument(doc, newID)
}
