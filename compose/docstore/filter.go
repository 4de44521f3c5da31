package docstore

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// filter selects documents.
type filter struct {
	root matcher
	// equal holds, for each path that every match is known to have one of some
	// values at, those values. Indexes are chosen by it.
	equal map[string][]bson.RawValue
	// set are the equalities from which an upsert makes its document.
	set []assignment
	// ambiguous names an operator that MongoDB may or may not read as an
	// equality when it upserts.
	ambiguous string
}

// assignment is a value for a path.
type assignment struct {
	path  string
	value bson.RawValue
}

// matcher is a filter or a part of one. The error is for a path that cannot be
// followed in that document.
type matcher interface {
	match(doc bson.Raw) (bool, error)
}

// parseFilter reads a query document.
// Source: https://www.mongodb.com/docs/manual/reference/operator/query/
func parseFilter(q bson.Raw) (*filter, error) {
	if err := storable(q); err != nil {
		return nil, err
	}
	f := &filter{equal: make(map[string][]bson.RawValue)}
	root, err := f.parse(q, true)
	if err != nil {
		return nil, err
	}
	f.root = root
	return f, nil
}

func (f *filter) match(doc bson.Raw) (bool, error) { return f.root.match(doc) }

// parse reads a document of conditions. certain says that every match has to
// meet them, which is not so below $or, $nor and $not.
func (f *filter) parse(q bson.Raw, certain bool) (matcher, error) {
	conditions := all{}
	for name, v := range elements(q) {
		var m matcher
		var err error
		switch {
		case name == "$comment":
			continue
		case name == "$and" || name == "$or" || name == "$nor":
			m, err = f.parseLogical(name, v, certain)
		case name != "" && name[0] == '$':
			err = fail(codeBadValue, "unknown top level operator: %s. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.", name)
		default:
			m, err = f.parseField(name, v, certain)
		}
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, m)
	}
	return conditions, nil
}

func (f *filter) parseLogical(name string, v bson.RawValue, certain bool) (matcher, error) {
	if v.Type != bson.TypeArray {
		return nil, fail(codeBadValue, "%s must be an array", name)
	}
	var parts []matcher
	for _, item := range elements(v.Value) {
		if item.Type != bson.TypeEmbeddedDocument {
			return nil, fail(codeBadValue, "%s argument's entries must be objects", name)
		}
		m, err := f.parse(item.Value, certain && name == "$and")
		if err != nil {
			return nil, err
		}
		parts = append(parts, m)
	}
	switch {
	case len(parts) == 0:
		return nil, fail(codeBadValue, "%s argument must be a non-empty array", name)
	case name == "$and":
		return all(parts), nil
	case name == "$nor":
		return not{some(parts)}, nil
	}
	if len(parts) == 1 && certain {
		f.ambiguous = "$or with one branch"
	}
	return some(parts), nil
}

// parseField reads what is asked of one path: a value, or operators.
func (f *filter) parseField(name string, v bson.RawValue, certain bool) (matcher, error) {
	path, err := splitPath(name)
	if err != nil {
		return nil, err
	}
	if !isOperators(v) {
		f.sureOf(name, v, certain)
		return field{path, comparison{"$eq", v}}, nil
	}
	conditions := all{}
	for op, operand := range elements(v.Value) {
		t, negate, err := f.parseOperator(op, operand)
		if err != nil {
			return nil, err
		}
		switch {
		case op == "$eq":
			f.sureOf(name, operand, certain)
		case op == "$in" && certain:
			f.oneOf(name, t.(member))
		}
		var m matcher = field{path, t}
		if negate {
			m = not{m}
		}
		conditions = append(conditions, m)
	}
	return conditions, nil
}

// isOperators reports whether v is a document of operators rather than a value.
func isOperators(v bson.RawValue) bool {
	if v.Type != bson.TypeEmbeddedDocument {
		return false
	}
	r := readFields(v.Value)
	name, _, ok := r.next()
	return ok && len(name) > 0 && name[0] == '$'
}

// parseOperator reads one operator of a field. negate says that the field must
// not pass the test.
func (f *filter) parseOperator(op string, v bson.RawValue) (t test, negate bool, err error) {
	switch op {
	case "$eq", "$ne":
		return comparison{"$eq", v}, op == "$ne", nil
	case "$gt", "$gte", "$lt", "$lte":
		if v.Type == bson.TypeMinKey || v.Type == bson.TypeMaxKey {
			return nil, false, fail(codeBadValue, "%s with %s is not supported by docstore", op, show(v))
		}
		return comparison{op, v}, false, nil
	case "$in", "$nin":
		if v.Type != bson.TypeArray {
			return nil, false, fail(codeBadValue, "%s needs an array", op)
		}
		m := member{}
		for _, item := range elements(v.Value) {
			if isOperators(item) {
				return nil, false, fail(codeBadValue, "cannot nest $ under %s", op)
			}
			m = append(m, item)
		}
		return m, op == "$nin", nil
	case "$exists":
		return exists(truthy(v)), false, nil
	case "$not":
		if !isOperators(v) {
			return nil, false, fail(codeBadValue, "$not needs a document of operators")
		}
		return f.parseNot(v.Value)
	}
	return nil, false, fail(codeBadValue, "unknown operator: %s", op)
}

// parseNot reads the operators below $not as one test.
func (f *filter) parseNot(operators bson.Raw) (t test, negate bool, err error) {
	var tests both
	for op, v := range elements(operators) {
		t, negate, err := f.parseOperator(op, v)
		if err != nil {
			return nil, false, err
		}
		tests = append(tests, condition{t, negate})
	}
	return tests, true, nil
}

// sureOf notes an equality.
func (f *filter) sureOf(path string, v bson.RawValue, certain bool) {
	if !certain {
		return
	}
	f.set = append(f.set, assignment{path, v})
	f.oneOfValues(path, []bson.RawValue{v})
}

func (f *filter) oneOf(path string, values member) {
	if len(values) == 1 {
		f.ambiguous = "$in with one value"
	}
	f.oneOfValues(path, values)
}

// oneOfValues keeps the first list for a path, if an index answers it exactly:
// null also matches what is missing, and an array its items.
func (f *filter) oneOfValues(path string, values []bson.RawValue) {
	inexact := slices.ContainsFunc(values, func(v bson.RawValue) bool {
		return v.Type == bson.TypeNull || v.Type == bson.TypeArray
	})
	if _, known := f.equal[path]; !known && !inexact {
		f.equal[path] = values
	}
}

// all matches what every part matches; none is a match for everything.
type all []matcher

func (m all) match(doc bson.Raw) (bool, error) {
	for _, part := range m {
		if ok, err := part.match(doc); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// some matches what any part matches.
type some []matcher

func (m some) match(doc bson.Raw) (bool, error) {
	for _, part := range m {
		if ok, err := part.match(doc); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

type not struct{ m matcher }

func (n not) match(doc bson.Raw) (bool, error) {
	ok, err := n.m.match(doc)
	return !ok && err == nil, err
}

// field matches a document that has at path a value which passes the test.
type field struct {
	path []string
	test test
}

func (f field) match(doc bson.Raw) (bool, error) { return f.test.at(doc, f.path) }

// test is what is asked of the values at a path.
type test interface {
	at(doc bson.Raw, path []string) (bool, error)
}

// anyValue reports whether pass holds for a value at the path; an array counts
// as itself and as each of its items.
func anyValue(doc bson.Raw, path []string, pass func(bson.RawValue) bool) (bool, error) {
	return walk(doc, path, func(v bson.RawValue) bool {
		if v.Type == bson.TypeArray {
			for _, item := range elements(v.Value) {
				if pass(item) {
					return true
				}
			}
		}
		return pass(v)
	})
}

// comparison compares with a value of the same kind; other kinds never match.
type comparison struct {
	op    string
	value bson.RawValue
}

func (c comparison) at(doc bson.Raw, path []string) (bool, error) {
	return anyValue(doc, path, c.pass)
}

func (c comparison) pass(v bson.RawValue) bool {
	if missing(v) {
		// What is missing equals null.
		v = nullValue()
		if c.value.Type != bson.TypeNull {
			return false
		}
	}
	if rank(v.Type) != rank(c.value.Type) {
		return false
	}
	order := compareValues(v, c.value)
	if order != 0 && (isNaN(v) || isNaN(c.value)) {
		return false // NaN is neither less nor greater than a number
	}
	switch c.op {
	case "$gt":
		return order > 0
	case "$gte":
		return order >= 0
	case "$lt":
		return order < 0
	case "$lte":
		return order <= 0
	}
	return order == 0
}

// member is $in: equality with any of the values.
type member []bson.RawValue

func (m member) at(doc bson.Raw, path []string) (bool, error) {
	return anyValue(doc, path, func(v bson.RawValue) bool {
		return slices.ContainsFunc(m, func(want bson.RawValue) bool { return comparison{"$eq", want}.pass(v) })
	})
}

// exists is $exists.
type exists bool

func (e exists) at(doc bson.Raw, path []string) (bool, error) {
	found, err := walk(doc, path, func(v bson.RawValue) bool { return !missing(v) })
	return found == bool(e) && err == nil, err
}

// both is a list of conditions of which each holds for some value at the path.
type both []condition

type condition struct {
	test   test
	negate bool
}

func (b both) at(doc bson.Raw, path []string) (bool, error) {
	for _, c := range b {
		ok, err := c.test.at(doc, path)
		if err != nil || ok == c.negate {
			return false, err
		}
	}
	return true, nil
}
