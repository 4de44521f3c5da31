package docstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// The layout of a bbolt file, in the machine's own byte order.
// Source: https://pkg.go.dev/go.etcd.io/bbolt@v1.5.0/internal/common
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	metaLen     = 64 // the last 8 bytes are the checksum of the others

	pageHeader  = 16 // id uint64, flags uint16, count uint16, overflow uint32
	elementLen  = 16 // branch: pos, ksize uint32, page uint64; leaf: flags, pos, ksize, vsize uint32
	inBucketLen = 16 // root page uint64, sequence uint64
	branchFlag  = 1
	leafFlag    = 2
	metaFlag    = 4
	bucketEntry = 1 // flags of a leaf's element whose value is a bucket

	minPageSize, maxPageSize = 1 << 10, 64 << 10
	noFreelist               = 1<<64 - 1
)

var order16, order32, order64 = binary.NativeEndian.Uint16, binary.NativeEndian.Uint32, binary.NativeEndian.Uint64

// meta is one of the two pages at the beginning, which are written in turns.
type meta struct {
	pageSize int
	root     uint64 // page of the bucket of buckets
	freelist uint64
	pages    uint64 // pages from this one on are not in use
	txid     uint64
}

// image reads a file's pages without trusting anything that is in them, as
// bbolt does: it would crash the process, or answer whatever a page says.
type image struct {
	f    io.ReaderAt
	size int64
	meta meta
	seen map[uint64]bool // pages that were reached
}

// leafEntry is an element of a leaf.
type leafEntry struct {
	key, value []byte
	isBucket   bool
}

// verify reads the whole file and compares it with its checksums. No other
// process writes to it meanwhile.
func verify(path string, o bbolt.Options) error {
	o.ReadOnly = true
	var db *bbolt.DB
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: it is empty, where even a new database is not", errDamaged)
	}
	// bbolt has the lock, and looks at the meta pages only.
	err = guard(func() (err error) { db, err = bbolt.Open(path, 0o600, &o); return err })
	system := syscall.Errno(0)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout), errors.As(err, &system):
		return err
	case err != nil && !errors.Is(err, errDamaged): // it is too short, or has no meta page
		return fmt.Errorf("%w: %w", errDamaged, err)
	case err != nil:
		return err
	}
	defer func() { _ = db.Close() }() // nothing was written
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return err
	}
	return (&image{f: f, size: info.Size(), seen: make(map[uint64]bool)}).verify()
}

func (m *image) verify() error {
	if err := m.readMeta(); err != nil {
		return err
	}
	buckets := make(map[string]leafEntry)
	err := m.walk(m.meta.root, nil, nil, func(e leafEntry) error {
		if !e.isBucket {
			return fmt.Errorf("%w: an entry of page %d is in no bucket", errDamaged, m.meta.root)
		}
		buckets[string(e.key)] = e
		return nil
	})
	if err != nil {
		return err
	}
	sums, err := m.readSums(buckets)
	if err != nil {
		return err
	}
	delete(buckets, string(sumsBucket))
	have := make(map[string]sum64) // as the entries are
	known := map[string]bool{string(catalogBucket): true}
	for name, e := range buckets {
		have[name], err = m.bucket(e, func(_, value []byte) error {
			if name == string(catalogBucket) {
				return named(value, known)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return compareAll(sums, have, known)
}

// readSums reads the bucket of the sums, and first the format of the file.
func (m *image) readSums(buckets map[string]leafEntry) (map[string]sum64, error) {
	e, ok := buckets[string(sumsBucket)]
	if !ok {
		return nil, errors.New("it has no checksums: an older throughline wrote it, or it is damaged; move it away to begin with an empty database")
	}
	values := make(map[string][]byte)
	if _, err := m.bucket(e, func(key, value []byte) error { values[string(key)] = value; return nil }); err != nil {
		return nil, err
	}
	b := values[string(formatKey)]
	if len(b) != 4 {
		return nil, fmt.Errorf("%w: its format is %x", errDamaged, b)
	}
	if n := binary.BigEndian.Uint32(b); n != format {
		return nil, fmt.Errorf("its format is %d and not %d: another version of throughline wrote it; use that one, or move the file away to begin with an empty database", n, format)
	}
	delete(values, string(formatKey))
	sums := make(map[string]sum64)
	for name, b := range values {
		var err error
		if sums[name], err = decodeSum([]byte(name), b); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// named adds the buckets that an entry of the catalog names.
func named(value []byte, buckets map[string]bool) error {
	var e catalogEntry
	if err := bson.Unmarshal(value, &e); err != nil {
		return fmt.Errorf("%w: an entry of the catalog: %w", errDamaged, err)
	}
	buckets[string(bucketName('c', e.ID))] = true
	for _, ix := range e.Indexes {
		buckets[string(bucketName('i', ix.ID))] = true
	}
	return nil
}

// compareAll compares what is there with the sums, and both with what the
// catalog knows.
func compareAll(want, have map[string]sum64, known map[string]bool) error {
	for name := range have {
		if !known[name] {
			return fmt.Errorf("%w: the catalog does not know %s", errDamaged, showBucket([]byte(name)))
		}
	}
	for name := range want {
		if !known[name] {
			return fmt.Errorf("%w: the catalog does not know %s, which has a sum", errDamaged, showBucket([]byte(name)))
		}
	}
	for name := range known {
		s, there := have[name]
		sum, summed := want[name]
		if !there || !summed {
			return fmt.Errorf("%w: %s or its sum is missing", errDamaged, showBucket([]byte(name)))
		}
		if err := sum.compare([]byte(name), s); err != nil {
			return err
		}
		if sum.sequence != s.sequence {
			return fmt.Errorf("%w: the sequence of %s is %d, where %d was written", errDamaged, showBucket([]byte(name)), s.sequence, sum.sequence)
		}
	}
	return nil
}

// readMeta reads both meta pages. bbolt falls back on the older one where the
// newer is damaged, and so to a state before writes that were acknowledged.
// Both are always good: each is written in one piece that is less than a sector,
// and the newer is one transaction ahead.
func (m *image) readMeta() error {
	first, err := m.metaAt(0)
	if err != nil {
		return err
	}
	second, err := m.metaAt(int64(first.pageSize))
	if err != nil {
		return err
	}
	old, newest := first, second
	if first.txid > second.txid {
		old, newest = second, first
	}
	if newest.txid != old.txid+1 || first.txid%2 != 0 || second.pageSize != first.pageSize {
		return fmt.Errorf("%w: the meta pages are of the transactions %d and %d", errDamaged, first.txid, second.txid)
	}
	if newest.freelist != noFreelist {
		return fmt.Errorf("%w: it has a list of free pages (page %d), which docstore does not write", errDamaged, newest.freelist)
	}
	m.meta = newest
	return nil
}

func (m *image) metaAt(at int64) (meta, error) {
	b := make([]byte, pageHeader+metaLen)
	if _, err := m.f.ReadAt(b, at); err != nil {
		return meta{}, fmt.Errorf("%w: meta page at %d: %w", errDamaged, at, err)
	}
	flags, b := order16(b[8:]), b[pageHeader:]
	h := fnv.New64a()
	_, _ = h.Write(b[:metaLen-8]) // never fails
	size := int(order32(b[8:]))
	if flags != metaFlag || order32(b) != boltMagic || order32(b[4:]) != boltVersion || order64(b[metaLen-8:]) != h.Sum64() ||
		size < minPageSize || size > maxPageSize {
		return meta{}, fmt.Errorf("%w: the meta page at %d does not match its checksum", errDamaged, at)
	}
	return meta{pageSize: size, root: order64(b[16:]), freelist: order64(b[32:]), pages: order64(b[40:]), txid: order64(b[48:])}, nil
}

// bucket reads all entries of a bucket and sums them.
func (m *image) bucket(e leafEntry, visit func(key, value []byte) error) (s sum64, err error) {
	if len(e.value) < inBucketLen {
		return s, fmt.Errorf("%w: %s is cut off", errDamaged, showBucket(e.key))
	}
	root := order64(e.value)
	s.sequence = order64(e.value[8:])
	name := slices.Clone(e.key)
	each := func(e leafEntry) error {
		if e.isBucket {
			return fmt.Errorf("%w: there is a bucket in %s", errDamaged, showBucket(name))
		}
		value, is, err := unseal(name, e.key, e.value)
		if err != nil {
			return err
		}
		s.entries++
		s.seals += is
		return visit(e.key, value)
	}
	if root != 0 {
		return s, m.walk(root, nil, nil, each)
	}
	// A small bucket is a leaf in the place of its root's number.
	p := page{b: e.value[inBucketLen:]}
	if len(p.b) < pageHeader || p.flags() != leafFlag {
		return s, fmt.Errorf("%w: %s is not a page", errDamaged, showBucket(name))
	}
	return s, p.leaf(nil, nil, each)
}

// walk visits the leaves' entries from a page down. All keys are in [from, to);
// nil is no limit.
func (m *image) walk(id uint64, from, to []byte, visit func(leafEntry) error) error {
	p, err := m.page(id)
	if err != nil {
		return err
	}
	if p.flags() == leafFlag {
		return p.leaf(from, to, visit)
	}
	type child struct {
		key []byte
		id  uint64
	}
	children := make([]child, p.count())
	for i := range children {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		children[i].id = order64(e[8:])
		if children[i].key, err = p.bytes(i, int64(order32(e)), order32(e[4:])); err != nil {
			return err
		}
		if err := p.inOrder(children[i].key, from, to, i > 0); err != nil {
			return err
		}
		from = children[i].key
	}
	for i, c := range children {
		end := to
		if i+1 < len(children) {
			end = children[i+1].key
		}
		if err := m.walk(c.id, c.key, end, visit); err != nil {
			return err
		}
	}
	return nil
}

// page reads a branch or a leaf with the pages it runs over to. Each is in the
// tree once.
func (m *image) page(id uint64) (page, error) {
	damaged := func(format string, args ...any) (page, error) {
		return page{}, fmt.Errorf("%w: page %d: %s", errDamaged, id, fmt.Sprintf(format, args...))
	}
	p := page{id: id, b: make([]byte, m.meta.pageSize)}
	if id < 2 || id >= m.meta.pages {
		return damaged("there are the pages 2 to %d", m.meta.pages-1)
	}
	if _, err := m.f.ReadAt(p.b, int64(id)*int64(m.meta.pageSize)); err != nil {
		return damaged("%v", err)
	}
	if got := order64(p.b); got != id {
		return damaged("it says that it is page %d", got)
	}
	if p.flags() != branchFlag && p.flags() != leafFlag || p.flags() == branchFlag && p.count() == 0 {
		return damaged("it is neither branch nor leaf (flags %#x, %d elements)", p.flags(), p.count())
	}
	more := uint64(order32(p.b[12:]))
	if id+more >= m.meta.pages || int64(id+more+1)*int64(m.meta.pageSize) > m.size {
		return damaged("it runs over to page %d of %d", id+more, m.meta.pages)
	}
	for i := id; i <= id+more; i++ {
		if m.seen[i] {
			return damaged("page %d is in use twice", i)
		}
		m.seen[i] = true
	}
	if more > 0 {
		rest := make([]byte, int(more)*m.meta.pageSize)
		if _, err := m.f.ReadAt(rest, int64(id+1)*int64(m.meta.pageSize)); err != nil {
			return damaged("%v", err)
		}
		p.b = append(p.b, rest...)
	}
	return p, nil
}
