package docstore

import (
	"go.mongodb.org/mongo-driver/v2/bson"
)

// projection says which fields of a document are answered. A nil projection
// answers all.
type projection struct {
	include bool // the tree lists what to keep, else what to leave out
	id      bool // keep _id
	tree    fieldTree
	// computed are fields that get the value of an expression, in $project only.
	computed []computedField
}

// fieldTree is a set of paths; a nil branch ends one.
type fieldTree map[string]fieldTree

type computedField struct {
	name string
	expr expression
}

// parseProjection reads a projection. Only $project (expressions is true) may
// compute fields.
func parseProjection(spec bson.Raw, expressions bool) (*projection, error) {
	p := &projection{id: true, tree: fieldTree{}}
	decided, idAlone := false, false
	for name, v := range elements(spec) {
		path, err := splitPath(name)
		if err != nil {
			return nil, err
		}
		keep := truthy(v)
		plain := v.Type == bson.TypeBoolean || isNumber(v)
		if name == "_id" && plain {
			p.id, idAlone = keep, keep
			continue
		}
		if !plain {
			if !expressions {
				return nil, fail(codeBadValue, "projection of '%s': %s is not supported by docstore: only true, false, 1 and 0 are", name, show(v))
			}
			keep = true
		}
		if decided && keep != p.include {
			if keep {
				return nil, fail(codeInclusionInExclusion, "Cannot do inclusion on field %s in exclusion projection", name)
			}
			return nil, fail(codeExclusionInInclusion, "Cannot do exclusion on field %s in inclusion projection", name)
		}
		p.include, decided = keep, true
		if err := p.tree.add(name, path); err != nil {
			return nil, err
		}
		if !plain {
			if err := p.compute(name, path, v); err != nil {
				return nil, err
			}
		}
	}
	// {_id: 1} alone keeps nothing else; {_id: 0} alone leaves out nothing else.
	if !decided {
		p.include = idAlone
	}
	return p, nil
}

func (p *projection) compute(name string, path []string, v bson.RawValue) error {
	if len(path) > 1 {
		return fail(codeBadValue, "$project: a computed field within a document ('%s') is not supported by docstore", name)
	}
	expr, err := parseExpression(v)
	p.computed = append(p.computed, computedField{name, expr})
	return err
}

// add adds a path, which must neither contain nor be contained in another.
func (t fieldTree) add(name string, path []string) error {
	sub, known := t[path[0]]
	switch {
	case known && (sub == nil || len(path) == 1):
		return fail(codePathCollision, "Path collision at %s", name)
	case len(path) == 1:
		t[path[0]] = nil
		return nil
	case !known:
		sub = fieldTree{}
		t[path[0]] = sub
	}
	return sub.add(name, path[1:])
}

// apply makes the document to answer.
func (p *projection) apply(doc bson.Raw) (bson.Raw, error) {
	if p == nil {
		return doc, nil
	}
	start, out := beginDocument(nil)
	for name, v := range elements(doc) {
		if name == "_id" && p.tree["_id"] == nil && !p.computes("_id") {
			if p.id {
				out = appendValue(out, name, v)
			}
			continue
		}
		if p.computes(name) {
			continue
		}
		out = p.tree.project(out, name, v, p.include)
	}
	for _, c := range p.computed {
		v, err := c.expr.eval(doc)
		if err != nil {
			return nil, err
		}
		if !missing(v) {
			out = appendValue(out, c.name, v)
		}
	}
	return endDocument(out, start), nil
}

func (p *projection) computes(name string) bool {
	for _, c := range p.computed {
		if c.name == name {
			return true
		}
	}
	return false
}

// project appends what is left of one element.
func (t fieldTree) project(out []byte, name string, v bson.RawValue, include bool) []byte {
	sub, listed := t[name]
	switch {
	case !listed && include, listed && sub == nil && !include:
		return out
	case !listed, sub == nil:
		return appendValue(out, name, v)
	}
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		v.Value = sub.within(v.Value, include)
	case bson.TypeArray:
		v.Value = sub.items(v.Value, include)
	default:
		if include {
			return out
		}
	}
	return appendValue(out, name, v)
}

func (t fieldTree) within(doc []byte, include bool) []byte {
	start, out := beginDocument(nil)
	for name, v := range elements(doc) {
		out = t.project(out, name, v, include)
	}
	return endDocument(out, start)
}

// items projects every document in an array, also in arrays within it. Other
// items are left out of an inclusion.
func (t fieldTree) items(arr []byte, include bool) []byte {
	var kept []bson.RawValue
	for _, v := range elements(arr) {
		switch v.Type {
		case bson.TypeEmbeddedDocument:
			v.Value = t.within(v.Value, include)
		case bson.TypeArray:
			v.Value = t.items(v.Value, include)
		default:
			if include {
				continue
			}
		}
		kept = append(kept, v)
	}
	return arrayOf(kept).Value
}
