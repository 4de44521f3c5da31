package docstore

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Limits of MongoDB, which hello also announces.
// Source: https://www.mongodb.com/docs/manual/reference/limits/
const (
	maxDocument   = 16 << 20 // bytes of one stored document
	maxDepth      = 200      // levels of nesting in any message
	maxWriteBatch = 100_000  // statements in one write command
)

var errMalformed = errors.New("malformed BSON")

// validate reports whether b is exactly one well-formed document. Everything
// that comes from the network passes it once; the code behind it may rely on
// every length, terminator and type being right.
func validate(b []byte) error { return validateDocument(b, 1) }

func validateDocument(b []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: more than %d levels of nesting", errMalformed, maxDepth)
	}
	n, _, ok := bsoncore.ReadLength(b)
	if !ok || n < 5 || int(n) != len(b) || b[n-1] != 0 {
		return fmt.Errorf("%w: a document's length or end is wrong", errMalformed)
	}
	for rest := b[4 : n-1]; len(rest) > 0; {
		elem, after, ok := bsoncore.ReadElement(rest)
		if !ok {
			return fmt.Errorf("%w: an element of type 0x%02x is cut off or unknown", errMalformed, rest[0])
		}
		v, err := elem.ValueErr()
		if err != nil {
			return fmt.Errorf("%w: %w", errMalformed, err)
		}
		if err := validateValue(v, depth); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// validateValue checks what bsoncore.ReadElement, which only measures, does not.
func validateValue(v bsoncore.Value, depth int) error {
	ok := true
	switch v.Type {
	case bsoncore.TypeEmbeddedDocument, bsoncore.TypeArray:
		return validateDocument(v.Data, depth+1)
	case bsoncore.TypeString, bsoncore.TypeJavaScript, bsoncore.TypeSymbol:
		ok = len(v.Data) >= 5 && v.Data[len(v.Data)-1] == 0
	case bsoncore.TypeDBPointer:
		ok = len(v.Data) >= 5+12 && v.Data[len(v.Data)-13] == 0
	case bsoncore.TypeBinary:
		_, _, rest, read := bsoncore.ReadBinary(v.Data)
		ok = len(v.Data) >= 5 && read && len(rest) == 0
	case bsoncore.TypeBoolean:
		ok = v.Data[0] <= 1
	case bsoncore.TypeCodeWithScope:
		// Never looked into: it is refused in documents and filters, and no
		// other field takes one.
		ok = len(v.Data) >= 14
	}
	if !ok {
		return fmt.Errorf("%w: a %s is wrong in itself", errMalformed, v.Type)
	}
	return nil
}

// storable refuses the types that are not compared here as MongoDB compares
// them, naming the field.
func storable(doc bson.Raw) error {
	for name, v := range elements(doc) {
		if err := storableValue(name, v); err != nil {
			return err
		}
	}
	return nil
}

func storableValue(name string, v bson.RawValue) error {
	switch v.Type {
	case bson.TypeRegex, bson.TypeUndefined, bson.TypeDBPointer, bson.TypeSymbol,
		bson.TypeJavaScript, bson.TypeCodeWithScope, bson.TypeDecimal128:
		return fail(codeBadValue, "field '%s': the BSON type %s is not supported by docstore", name, typeName(v.Type))
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		for sub, inner := range elements(v.Value) {
			if err := storableValue(name+"."+sub, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldReader reads a document or array that validate has accepted, element by
// element.
type fieldReader struct{ rest []byte }

func readFields(doc []byte) fieldReader {
	if len(doc) < 5 {
		return fieldReader{}
	}
	return fieldReader{rest: doc[4 : len(doc)-1]}
}

// next gives the next element; ok is false after the last one. The name points
// into the document.
func (r *fieldReader) next() (name []byte, v bson.RawValue, ok bool) {
	elem, after, ok := bsoncore.ReadElement(r.rest)
	if !ok {
		return nil, bson.RawValue{}, false
	}
	r.rest = after
	name = elem.KeyBytes()
	return name, bson.RawValue{Type: bson.Type(elem[0]), Value: elem[len(name)+2:]}, true
}

// elements walks over a document or array.
func elements(doc []byte) iter.Seq2[string, bson.RawValue] {
	return func(yield func(string, bson.RawValue) bool) {
		r := readFields(doc)
		for name, v, ok := r.next(); ok; name, v, ok = r.next() {
			if !yield(string(name), v) {
				return
			}
		}
	}
}

// lookup finds a field by its name, dots included. A missing field is the zero
// RawValue.
func lookup(doc bson.Raw, name string) bson.RawValue {
	r := readFields(doc)
	for key, v, ok := r.next(); ok; key, v, ok = r.next() {
		if string(key) == name {
			return v
		}
	}
	return bson.RawValue{}
}

// missing reports whether v stands for a field that is not there.
func missing(v bson.RawValue) bool { return v.Type == 0 }

// appendValue adds an element to a document under construction.
func appendValue(dst []byte, name string, v bson.RawValue) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.Type(v.Type), name)
	return append(dst, v.Value...)
}

// beginDocument and endDocument enclose the elements of a document.
func beginDocument(dst []byte) (start int, _ []byte) { return len(dst), append(dst, 0, 0, 0, 0) }

func endDocument(dst []byte, start int) []byte {
	dst = append(dst, 0)
	return bsoncore.UpdateLength(dst, int32(start), int32(len(dst)-start))
}

// emptyDocument is {}.
func emptyDocument() bson.Raw { return bson.Raw{5, 0, 0, 0, 0} }

// array puts documents into an array value.
func array(docs []bson.Raw) bson.RawValue {
	values := make([]bson.RawValue, len(docs))
	for i, d := range docs {
		values[i] = documentValue(d)
	}
	return arrayOf(values)
}

func arrayOf(values []bson.RawValue) bson.RawValue {
	start, b := beginDocument(nil)
	for i, v := range values {
		b = appendValue(b, strconv.Itoa(i), v)
	}
	return bson.RawValue{Type: bson.TypeArray, Value: endDocument(b, start)}
}

func documentValue(d bson.Raw) bson.RawValue {
	return bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: d}
}

func int32Value(i int32) bson.RawValue {
	return bson.RawValue{Type: bson.TypeInt32, Value: bsoncore.AppendInt32(nil, i)}
}

func int64Value(i int64) bson.RawValue {
	return bson.RawValue{Type: bson.TypeInt64, Value: bsoncore.AppendInt64(nil, i)}
}

func doubleValue(f float64) bson.RawValue {
	return bson.RawValue{Type: bson.TypeDouble, Value: bsoncore.AppendDouble(nil, f)}
}

func nullValue() bson.RawValue { return bson.RawValue{Type: bson.TypeNull} }

// isNumber reports whether v is an int32, int64 or double.
func isNumber(v bson.RawValue) bool {
	return v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64 || v.Type == bson.TypeDouble
}

// wholeNumber gives a number without a fraction that fits an int64.
func wholeNumber(v bson.RawValue) (int64, bool) {
	switch v.Type {
	case bson.TypeInt32:
		return int64(v.Int32()), true
	case bson.TypeInt64:
		return v.Int64(), true
	case bson.TypeDouble:
		f := v.Double()
		if f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 {
			return int64(f), true
		}
	}
	return 0, false
}

// truthy is what MongoDB takes for true: true and every number but zero.
func truthy(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeInt32:
		return v.Int32() != 0
	case bson.TypeInt64:
		return v.Int64() != 0
	case bson.TypeDouble:
		return v.Double() != 0
	}
	return false
}

// typeName is the type's alias as in $type and in MongoDB's error texts.
// Source: https://www.mongodb.com/docs/manual/reference/bson-types/
func typeName(t bson.Type) string {
	switch t {
	case 0:
		return "missing"
	case bson.TypeDouble:
		return "double"
	case bson.TypeEmbeddedDocument:
		return "object"
	case bson.TypeBinary:
		return "binData"
	case bson.TypeObjectID:
		return "objectId"
	case bson.TypeBoolean:
		return "bool"
	case bson.TypeDateTime:
		return "date"
	case bson.TypeCodeWithScope:
		return "javascriptWithScope"
	case bson.TypeInt32:
		return "int"
	case bson.TypeInt64:
		return "long"
	case bson.TypeDecimal128:
		return "decimal"
	case bson.TypeMinKey:
		return "minKey"
	case bson.TypeMaxKey:
		return "maxKey"
	}
	return t.String()
}

// show writes a value as MongoDB does in its error texts.
func show(v bson.RawValue) string {
	switch v.Type {
	case 0:
		return "missing"
	case bson.TypeString:
		return strconv.Quote(v.StringValue())
	case bson.TypeInt32:
		return strconv.FormatInt(int64(v.Int32()), 10)
	case bson.TypeInt64:
		return strconv.FormatInt(v.Int64(), 10)
	case bson.TypeDouble:
		s := strconv.FormatFloat(v.Double(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	case bson.TypeBoolean:
		return strconv.FormatBool(v.Boolean())
	case bson.TypeNull:
		return "null"
	case bson.TypeObjectID:
		return "ObjectId('" + v.ObjectID().Hex() + "')"
	case bson.TypeDateTime:
		return "new Date(" + strconv.FormatInt(v.DateTime(), 10) + ")"
	case bson.TypeEmbeddedDocument:
		return showDocument(v.Value)
	case bson.TypeArray:
		var items []string
		for _, item := range elements(v.Value) {
			items = append(items, show(item))
		}
		return "[ " + strings.Join(items, ", ") + " ]"
	case bson.TypeMinKey:
		return "MinKey"
	case bson.TypeMaxKey:
		return "MaxKey"
	}
	return v.String()
}

func showDocument(d bson.Raw) string {
	var fields []string
	for name, v := range elements(d) {
		fields = append(fields, name+": "+show(v))
	}
	if len(fields) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(fields, ", ") + " }"
}
