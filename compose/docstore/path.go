package docstore

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// splitPath cuts "a.b" into its field names.
func splitPath(path string) ([]string, error) {
	parts := strings.Split(path, ".")
	for _, p := range parts {
		if p == "" {
			return nil, fail(codeEmptyFieldName, "The path '%s' contains an empty field name, which is not allowed.", path)
		}
		if p[0] == '$' {
			return nil, fail(codeBadValue, "path '%s': field names that begin with '$', positional operators included, are not supported by docstore", path)
		}
	}
	return parts, nil
}

// walk visits the values that a path leads to: several where there are arrays
// of documents on the way, none where such an array has no document in it, a
// missing one where the path breaks off. The last value is visited as it is,
// also if it is an array. visit returns true to stop.
func walk(doc []byte, path []string, visit func(bson.RawValue) bool) (stopped bool, err error) {
	v := lookup(doc, path[0])
	if len(path) == 1 {
		return visit(v), nil
	}
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return walk(v.Value, path[1:], visit)
	case bson.TypeArray:
		if isPosition(path[1]) {
			return false, positionUnsupported(path[1])
		}
		for _, item := range elements(v.Value) {
			if item.Type != bson.TypeEmbeddedDocument {
				continue
			}
			if stopped, err := walk(item.Value, path[1:], visit); stopped || err != nil {
				return stopped, err
			}
		}
		return false, nil
	}
	return visit(bson.RawValue{}), nil
}

// isPosition reports whether a field name could be the position in an array.
func isPosition(name string) bool { return strings.Trim(name, "0123456789") == "" }

func positionUnsupported(name string) *commandError {
	return fail(codeBadValue, "the path component '%s' meets an array: positions in arrays are not supported by docstore", name)
}

// keyValues gives the values under which a document is sorted and indexed:
// arrays count by their items, an empty array as undefined, nothing as null.
func keyValues(doc bson.Raw, path []string) ([]bson.RawValue, error) {
	var values []bson.RawValue
	_, err := walk(doc, path, func(v bson.RawValue) bool {
		switch {
		case missing(v):
			values = append(values, nullValue())
		case v.Type != bson.TypeArray:
			values = append(values, v)
		case len(v.Value) == 5:
			values = append(values, bson.RawValue{Type: bson.TypeUndefined})
		default:
			for _, item := range elements(v.Value) {
				values = append(values, item)
			}
		}
		return false
	})
	if len(values) == 0 {
		values = append(values, nullValue())
	}
	return values, err
}
