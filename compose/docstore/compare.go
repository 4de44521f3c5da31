package docstore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// rank orders types: values of different rank never compare equal, and sort by
// it. The numbers are MongoDB's own; only their order matters.
// Source: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
func rank(t bson.Type) int {
	switch t {
	case bson.TypeMinKey:
		return 1
	case 0, bson.TypeUndefined: // undefined stands for an empty array in sort and index keys
		return 2
	case bson.TypeNull:
		return 7
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble:
		return 12
	case bson.TypeString:
		return 17
	case bson.TypeEmbeddedDocument:
		return 22
	case bson.TypeArray:
		return 27
	case bson.TypeBinary:
		return 32
	case bson.TypeObjectID:
		return 37
	case bson.TypeBoolean:
		return 42
	case bson.TypeDateTime:
		return 47
	case bson.TypeTimestamp:
		return 49
	case bson.TypeMaxKey:
		return 129
	}
	return 128 // a type that storable refuses
}

// compareValues orders any two storable values as MongoDB does.
func compareValues(a, b bson.RawValue) int {
	if c := cmp.Compare(rank(a.Type), rank(b.Type)); c != 0 {
		return c
	}
	switch a.Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble:
		return compareNumbers(a, b)
	case bson.TypeString:
		return bytes.Compare(stringBytes(a), stringBytes(b))
	case bson.TypeEmbeddedDocument:
		return compareDocuments(a.Value, b.Value, true)
	case bson.TypeArray:
		return compareDocuments(a.Value, b.Value, false)
	case bson.TypeBinary:
		return compareBinary(a, b)
	case bson.TypeObjectID, bson.TypeBoolean:
		return bytes.Compare(a.Value, b.Value)
	case bson.TypeDateTime:
		return cmp.Compare(a.DateTime(), b.DateTime())
	case bson.TypeTimestamp:
		return cmp.Compare(timestamp(a), timestamp(b))
	}
	return 0 // types with a single value
}

// stringBytes is the text of a string without a copy.
func stringBytes(v bson.RawValue) []byte { return v.Value[4 : len(v.Value)-1] }

func timestamp(v bson.RawValue) uint64 { return binary.LittleEndian.Uint64(v.Value) }

// compareBinary orders by length, then subtype, then content.
func compareBinary(a, b bson.RawValue) int {
	return cmp.Or(cmp.Compare(len(a.Value), len(b.Value)), bytes.Compare(a.Value[4:], b.Value[4:]))
}

// compareDocuments orders field by field: by type, then name, then value. Names
// do not matter in arrays.
func compareDocuments(a, b []byte, names bool) int {
	left, right := readFields(a), readFields(b)
	for {
		leftName, l, leftOK := left.next()
		rightName, r, rightOK := right.next()
		switch {
		case !leftOK && !rightOK:
			return 0
		case !leftOK:
			return -1
		case !rightOK:
			return 1
		}
		c := cmp.Compare(rank(l.Type), rank(r.Type))
		if c == 0 && names {
			c = bytes.Compare(leftName, rightName)
		}
		if c == 0 {
			c = compareValues(l, r)
		}
		if c != 0 {
			return c
		}
	}
}

// compareNumbers compares by mathematical value, exactly, whatever the types.
// NaN is equal to itself and less than every other number.
func compareNumbers(a, b bson.RawValue) int {
	switch {
	case a.Type == bson.TypeDouble && b.Type == bson.TypeDouble:
		return cmp.Compare(a.Double(), b.Double())
	case a.Type == bson.TypeDouble:
		return -compareIntDouble(b.AsInt64(), a.Double())
	case b.Type == bson.TypeDouble:
		return compareIntDouble(a.AsInt64(), b.Double())
	}
	return cmp.Compare(a.AsInt64(), b.AsInt64())
}

// compareIntDouble does not convert i to a double, which would lose the last
// digits of large numbers.
func compareIntDouble(i int64, f float64) int {
	switch {
	case math.IsNaN(f) || f < -(1<<63):
		return 1
	case f >= 1<<63:
		return -1
	}
	whole := math.Floor(f)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	if f > whole {
		return -1
	}
	return 0
}

func isNaN(v bson.RawValue) bool { return v.Type == bson.TypeDouble && math.IsNaN(v.Double()) }

// appendKey encodes a value so that the encodings of equal values are equal
// bytes, bytes.Compare of two encodings is compareValues of the values, and no
// encoding is the beginning of another.
func appendKey(dst []byte, v bson.RawValue) []byte {
	dst = append(dst, byte(rank(v.Type)))
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64:
		return appendIntKey(dst, v.AsInt64())
	case bson.TypeDouble:
		return append(appendDoubleKey(dst, v.Double()), 0, 0)
	case bson.TypeString:
		return appendTextKey(dst, stringBytes(v))
	case bson.TypeEmbeddedDocument:
		return appendDocumentKey(dst, v.Value, true)
	case bson.TypeArray:
		return appendDocumentKey(dst, v.Value, false)
	case bson.TypeBinary:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v.Value)))
		return append(dst, v.Value[4:]...)
	case bson.TypeObjectID, bson.TypeBoolean:
		return append(dst, v.Value...)
	case bson.TypeDateTime:
		return binary.BigEndian.AppendUint64(dst, uint64(v.DateTime())^1<<63)
	case bson.TypeTimestamp:
		return binary.BigEndian.AppendUint64(dst, timestamp(v))
	}
	return dst
}

// appendDoubleKey orders NaN, then the negative and then the positive numbers.
func appendDoubleKey(dst []byte, f float64) []byte {
	var bits uint64
	switch {
	case math.IsNaN(f):
		bits = 0 // below the negative infinity, whose bits come out as 2^52-1
	case f == 0:
		bits = 1 << 63 // 0 and -0 are equal
	default:
		bits = math.Float64bits(f)
		if bits>>63 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
	}
	return binary.BigEndian.AppendUint64(dst, bits)
}

// appendIntKey encodes the greatest double that is not above i, and by how much
// i is above it: at most 1023, and 0 wherever i is itself a double.
func appendIntKey(dst []byte, i int64) []byte {
	f := float64(i)
	if compareIntDouble(i, f) < 0 {
		f = math.Nextafter(f, math.Inf(-1))
	}
	dst = appendDoubleKey(dst, f)
	return binary.BigEndian.AppendUint16(dst, uint16(i-int64(f)))
}

// appendTextKey ends the text with two zero bytes and escapes zero bytes in it,
// so that a text sorts before its continuations.
func appendTextKey(dst, text []byte) []byte {
	for _, c := range text {
		dst = append(dst, c)
		if c == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 0)
}

// appendDocumentKey ends with a zero byte, which is below every rank.
func appendDocumentKey(dst, doc []byte, names bool) []byte {
	for name, v := range elements(doc) {
		dst = append(dst, byte(rank(v.Type)))
		if names {
			dst = append(append(dst, name...), 0)
		}
		dst = appendKey(dst, v)
	}
	return append(dst, 0)
}
