package docstore

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// expression computes a value from a document; a missing one is the zero
// RawValue.
type expression interface {
	eval(doc bson.Raw) (bson.RawValue, error)
}

// parseExpression reads a constant, "$path", {$literal: …} or a document of
// expressions.
// Source: https://www.mongodb.com/docs/manual/reference/aggregation-quick-reference/#expressions
func parseExpression(v bson.RawValue) (expression, error) {
	switch v.Type {
	case bson.TypeString:
		text := v.StringValue()
		if strings.HasPrefix(text, "$$") {
			name, _, _ := strings.Cut(text[2:], ".")
			return nil, fail(codeUndefinedVariable, "Use of undefined variable: %s (docstore has no variables)", name)
		}
		if name, ok := strings.CutPrefix(text, "$"); ok {
			path, err := splitPath(name)
			return fieldPath(path), err
		}
	case bson.TypeArray:
		return nil, fail(codeBadValue, "an array as an expression is not supported by docstore: use {$literal: …}")
	case bson.TypeEmbeddedDocument:
		return parseDocumentExpression(v)
	}
	return constant(v), nil
}

func parseDocumentExpression(v bson.RawValue) (expression, error) {
	if isOperators(v) {
		r := readFields(v.Value)
		name, operand, _ := r.next()
		if _, _, more := r.next(); more || string(name) != "$literal" {
			return nil, fail(codeInvalidPipelineOperator, "Unrecognized expression '%s'", name)
		}
		return constant(operand), nil
	}
	var d documentExpression
	for name, sub := range elements(v.Value) {
		if _, err := splitPath(name); err != nil {
			return nil, err
		}
		if strings.Contains(name, ".") {
			return nil, fail(codeBadValue, "FieldPath field names may not contain '.': %s", name)
		}
		e, err := parseExpression(sub)
		if err != nil {
			return nil, err
		}
		d = append(d, computedField{name, e})
	}
	return d, nil
}

type constant bson.RawValue

func (c constant) eval(bson.Raw) (bson.RawValue, error) { return bson.RawValue(c), nil }

// fieldPath is "$a.b". Where there is an array on the way the value is an array
// of what its documents have.
type fieldPath []string

func (p fieldPath) eval(doc bson.Raw) (bson.RawValue, error) { return evalPath(doc, p) }

func evalPath(doc []byte, path []string) (bson.RawValue, error) {
	v := lookup(doc, path[0])
	if len(path) == 1 {
		return v, nil
	}
	return evalWithin(v, path[1:])
}

func evalWithin(v bson.RawValue, path []string) (bson.RawValue, error) {
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return evalPath(v.Value, path)
	case bson.TypeArray:
		var values []bson.RawValue
		for _, item := range elements(v.Value) {
			found, err := evalWithin(item, path)
			if err != nil {
				return v, err
			}
			if !missing(found) {
				values = append(values, found)
			}
		}
		return arrayOf(values), nil
	}
	return bson.RawValue{}, nil
}

// documentExpression is {a: "$x", b: 1}. What is missing is left out.
type documentExpression []computedField

func (d documentExpression) eval(doc bson.Raw) (bson.RawValue, error) {
	start, out := beginDocument(nil)
	for _, f := range d {
		v, err := f.expr.eval(doc)
		if err != nil {
			return v, err
		}
		if !missing(v) {
			out = appendValue(out, f.name, v)
		}
	}
	return documentValue(endDocument(out, start)), nil
}
