package script

import (
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"throughline/spelling"
)

// mapping is a value made of keys and values, in the order of the file.
type mapping struct {
	value
	keys    []value // the keys themselves, for their places
	entries []value
	meant   []string // known keys that unknown ones were probably meant to be
}

// mapping reads keys and values; every key must be one of the known.
func (v value) mapping(known ...string) (mapping, bool) {
	m, ok := v.open("keys and values (" + list(known) + ")")
	for _, k := range m.keys {
		if key := plain(k.node); !slices.Contains(known, key) {
			k.failf("unknown key %s: %s", quote(key), didYouMean(key, known))
			m.meant = append(m.meant, spelling.Nearest(key, known))
		}
	}
	return m, ok
}

// options reads keys and values that may all be left out, also {}.
func (v value) options(known ...string) (mapping, bool) {
	if n, ok := v.node.(*ast.MappingNode); ok && len(n.Values) == 0 {
		return mapping{value: v}, true
	}
	return v.mapping(known...)
}

// open reads keys and values whose keys are names that the author chose. A key that is there twice is refused.
func (v value) open(want string) (mapping, bool) {
	n, ok := v.node.(*ast.MappingNode)
	if !ok {
		v.wrong(want)
		return mapping{}, false
	}
	m := mapping{value: v}
	first := map[string]Pos{}
	for _, e := range n.Values {
		at := v.r.at(e.Key.GetToken())
		key := plain(e.Key)
		if there, twice := first[key]; twice {
			v.r.failf(at, "%s: the key %s is in line %d already: want it once", v.name, quote(key), there.Line)
			continue
		}
		first[key] = at
		m.keys = append(m.keys, value{r: v.r, name: v.name, node: e.Key, at: at})
		m.entries = append(m.entries, v.r.value(v.below(key), e.Value, at))
	}
	if len(m.keys) == 0 {
		v.failf("is empty: want %s", want)
		return m, false
	}
	return m, true
}

// below is the name of a key's value in errors: not longer than it takes to find it.
func (v value) below(key string) string {
	if v.name == documentName {
		return shorten(key)
	}
	return v.name + "." + shorten(key)
}

// require complains about every key that is not there, unless it is there misspelled: that is one mistake, not two.
func (m mapping) require(keys ...string) {
	for _, key := range keys {
		if _, ok := m.get(key); !ok && !slices.Contains(m.meant, key) {
			m.failf("the key %q is missing", key)
		}
	}
}

// get gives a key's value. A key that is there without a value is a mistake where the value is read, not an absence.
func (m mapping) get(key string) (value, bool) {
	for i, k := range m.keys {
		if plain(k.node) == key {
			return m.entries[i], true
		}
	}
	return value{}, false
}

// without is the mapping less a key.
func (m mapping) without(key string) mapping {
	less := m
	less.keys, less.entries = nil, nil
	for i, k := range m.keys {
		if plain(k.node) != key {
			less.keys, less.entries = append(less.keys, k), append(less.entries, m.entries[i])
		}
	}
	return less
}

// keyed finds a key of a value that has keys, and gives the key.
func (v value) keyed(key string) (value, bool) {
	n, ok := v.node.(*ast.MappingNode)
	if !ok {
		return value{}, false
	}
	for _, e := range n.Values {
		if plain(e.Key) == key {
			return value{r: v.r, name: v.name, node: e.Key, at: v.r.at(e.Key.GetToken())}, true
		}
	}
	return value{}, false
}

// entriesOf are the values of a value that has keys; none where it has not.
func (v value) entriesOf() (all []value) {
	n, ok := v.node.(*ast.MappingNode)
	if !ok {
		return nil
	}
	for _, e := range n.Values {
		all = append(all, v.r.value(v.below(plain(e.Key)), e.Value, v.r.at(e.Key.GetToken())))
	}
	return all
}

// duration gives a key's duration, or the default where the key is absent.
func (m mapping) duration(key string, least, otherwise time.Duration) time.Duration {
	if v, ok := m.get(key); ok {
		return v.duration(least)
	}
	return otherwise
}

// rate gives a key's requests per second, or 0 where the key is absent.
func (m mapping) rate(key string, pause bool) float64 {
	if v, ok := m.get(key); ok {
		return v.rate(pause)
	}
	return 0
}

// fraction gives a key's fraction, or the default where the key is absent.
func (m mapping) fraction(key string, one bool, otherwise float64) float64 {
	if v, ok := m.get(key); ok {
		return v.fraction(one)
	}
	return otherwise
}

// yes reads a key that is yes or no; no where it is absent.
func (m mapping) yes(key string) bool {
	v, ok := m.get(key)
	return ok && v.oneOf("yes", "no") == "yes"
}
