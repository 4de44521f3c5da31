package docstore

import (
	"bytes"
	"fmt"
)

// page is a page in memory, or the part of one that a small bucket is.
type page struct {
	id uint64
	b  []byte
}

func (p page) flags() uint16 { return order16(p.b[8:]) }
func (p page) count() int    { return int(order16(p.b[10:])) }

func (p page) damaged(i int, what string) error {
	return fmt.Errorf("%w: page %d: element %d %s", errDamaged, p.id, i, what)
}

func (p page) element(i int) ([]byte, error) {
	at := pageHeader + i*elementLen
	if at+elementLen > len(p.b) {
		return nil, p.damaged(i, "is beyond its end")
	}
	return p.b[at : at+elementLen], nil
}

// bytes gives n bytes at pos, counted from element i.
func (p page) bytes(i int, pos int64, n uint32) ([]byte, error) {
	at := int64(pageHeader+i*elementLen) + pos
	if at+int64(n) > int64(len(p.b)) {
		return nil, p.damaged(i, "has its bytes beyond the page's end")
	}
	return p.b[at : at+int64(n)], nil
}

// inOrder refuses a key out of [from, to), and from itself where it is that of
// the element before.
func (p page) inOrder(key, from, to []byte, follows bool) error {
	if c := bytes.Compare(key, from); c < 0 || c == 0 && follows || to != nil && bytes.Compare(key, to) >= 0 {
		return fmt.Errorf("%w: page %d: keys are out of order", errDamaged, p.id)
	}
	return nil
}

func (p page) leaf(from, to []byte, visit func(leafEntry) error) error {
	for i := range p.count() {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		flags, pos, keyLen, valueLen := order32(e), int64(order32(e[4:])), order32(e[8:]), order32(e[12:])
		key, err := p.bytes(i, pos, keyLen)
		if err != nil {
			return err
		}
		value, err := p.bytes(i, pos+int64(keyLen), valueLen)
		if err != nil {
			return err
		}
		if flags != 0 && flags != bucketEntry || len(key) == 0 {
			return p.damaged(i, "is of no known kind")
		}
		if err := p.inOrder(key, from, to, i > 0); err != nil {
			return err
		}
		from = key
		if err := visit(leafEntry{key: key, value: value, isBucket: flags == bucketEntry}); err != nil {
			return err
		}
	}
	return nil
}
