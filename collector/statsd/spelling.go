package statsd

import (
	"hash/maphash"
	"math/bits"
)

// spelling is the type, the name and the tags of a line as they came over the wire, and the
// series that they belong to.
type spelling struct {
	key    string
	series *series // nil: there is no such spelling
}

// appendKey appends the key of a spelling.
func appendKey(key []byte, kind byte, name, tags []byte) []byte {
	key = append(key, kind)
	key = append(key, name...)
	key = append(key, '|') // in no name
	return append(key, tags...)
}

// is tells that a spelling is that of a line.
func (x *spelling) is(kind byte, name, tags []byte) bool {
	if n := 1 + len(name); len(x.key) == n+1+len(tags) {
		return x.key[0] == kind && x.key[1:n] == string(name) && x.key[n] == '|' && x.key[n+1:] == string(tags)
	}
	return false
}

// hash is that of a spelling. Its parts lie apart in a line, and to put them together
// for each would cost more than to hash them.
func (s *shared) hash(kind byte, name, tags []byte) uint64 {
	return bits.RotateLeft64(maphash.Bytes(s.seed, name)+uint64(kind), 1) ^ maphash.Bytes(s.seed, tags)
}
