package docstore

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// maxBuffered bounds what one query may keep in memory, as MongoDB bounds a
	// sort that must not use the disk.
	maxBuffered = 100 << 20
	// maxKept bounds the results that all open cursors keep together: a client
	// may leave as many behind as it likes.
	maxKept = 256 << 20
	// maxBatchBytes bounds the documents in one answer.
	maxBatchBytes = maxDocument
	// cursorTimeout is how long a cursor may be left alone.
	// Source: https://www.mongodb.com/docs/manual/reference/parameters/#mongodb-parameter-param.cursorTimeoutMillis
	cursorTimeout = 10 * time.Minute
	// firstBatch is how many documents find answers unless told.
	firstBatch = 101
)

// query is what find asks for.
type query struct {
	ns         namespace
	filter     *filter
	order      order
	projection *projection
	skip       int64
	limit      int64 // 0 = none
}

// cursor gives the result of a query in batches. Without an order it reads on
// from where it stopped, in a new transaction each time, so it may or may not
// see what is written meanwhile, but never a document twice. Ordered and
// aggregated results are kept.
type cursor struct {
	id      int64
	q       query
	entryID int64  // the collection's id when the query began
	after   []byte // key of the last document looked at
	given   int64  // documents answered so far
	skipped int64
	kept    []bson.Raw
	keeps   bool // the result is in kept
	done    bool
	endless bool // noCursorTimeout
	used    time.Time
}

// batch is a part of a result under construction.
type batch struct {
	docs  []bson.Raw
	bytes int
	max   int64 // documents; negative = as many as fit
}

func (b *batch) fits(doc bson.Raw) bool {
	if b.max >= 0 && int64(len(b.docs)) >= b.max {
		return false
	}
	return len(b.docs) == 0 || b.bytes+len(doc) <= maxBatchBytes
}

func (b *batch) add(doc bson.Raw) {
	b.docs = append(b.docs, doc)
	b.bytes += len(doc)
}

// next gives up to max documents, copied out of the transaction.
func (c *cursor) next(tx *txn, max int64, check func() error) ([]bson.Raw, error) {
	b := &batch{docs: []bson.Raw{}, max: max}
	if c.keeps {
		for len(c.kept) > 0 && b.fits(c.kept[0]) {
			b.add(c.kept[0])
			c.kept = c.kept[1:]
		}
		c.done = len(c.kept) == 0
		return b.docs, nil
	}
	coll, err := openCollection(tx, c.q.ns, check)
	if err != nil {
		return nil, err
	}
	if coll == nil || coll.entry.ID != c.entryID {
		return nil, fail(codeQueryPlanKilled, "collection dropped: '%s'", c.q.ns)
	}
	c.done = true // unless stopped by the size of the batch
	err = coll.scan(c.q.filter, c.after, func(key []byte, doc bson.Raw) (bool, error) { return c.take(b, key, doc) })
	return b.docs, err
}

// take puts one document of an unordered query into a batch.
func (c *cursor) take(b *batch, key []byte, doc bson.Raw) (more bool, err error) {
	if c.q.limit > 0 && c.given >= c.q.limit {
		return false, nil
	}
	if c.skipped < c.q.skip {
		c.skipped++
		c.after = bytes.Clone(key)
		return true, nil
	}
	out, err := c.q.projection.apply(doc)
	if err != nil {
		return false, err
	}
	if !b.fits(out) {
		c.done = false
		return false, nil
	}
	b.add(bytes.Clone(out))
	c.after = bytes.Clone(key)
	c.given++
	return c.q.limit == 0 || c.given < c.q.limit, nil
}

// sortAll runs an ordered query and keeps its result.
func (c *cursor) sortAll(coll *collection) error {
	c.keeps = true
	s := sorter{order: c.q.order}
	if c.q.limit > 0 && c.q.limit+c.q.skip < maxDocument {
		s.limit = int(c.q.limit + c.q.skip)
	}
	err := coll.scan(c.q.filter, nil, func(_ []byte, doc bson.Raw) (bool, error) { return true, s.add(doc) })
	if err != nil {
		return err
	}
	docs := s.sorted()
	docs = docs[min(c.q.skip, int64(len(docs))):]
	if c.q.limit > 0 {
		docs = docs[:min(c.q.limit, int64(len(docs)))]
	}
	for _, doc := range docs {
		out, err := c.q.projection.apply(doc)
		if err != nil {
			return err
		}
		c.kept = append(c.kept, bytes.Clone(out))
	}
	return nil
}

// cursors are those that clients have not read to the end.
type cursors struct {
	mu   sync.Mutex
	open map[int64]*cursor
	kept int // bytes of their results
}

// put keeps a cursor for the next getMore and returns its id, or 0 if there is
// nothing left to read. It refuses what would be too much with what is kept.
func (cs *cursors) put(c *cursor, now time.Time) (int64, error) {
	if c.done {
		return 0, nil
	}
	size := c.size()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.expire(now)
	if cs.kept+size > maxKept {
		return 0, fail(codeMemoryLimit, "%d open cursors keep %d bytes of results, so there is no room for %d more (at most %d): read cursors to their end, or kill them", len(cs.open), cs.kept, size, maxKept)
	}
	cs.kept += size
	for c.id == 0 || cs.open[c.id] != nil && cs.open[c.id] != c {
		// Drivers treat an id as opaque; it only has to be positive and unused.
		c.id = rand.Int64()
	}
	c.used = now
	cs.open[c.id] = c
	return c.id, nil
}

// size is how many bytes of a result the cursor keeps.
func (c *cursor) size() int {
	n := 0
	for _, doc := range c.kept {
		n += len(doc)
	}
	return n
}

// remove forgets a cursor.
func (cs *cursors) remove(c *cursor) {
	cs.kept -= c.size()
	delete(cs.open, c.id)
}

// expire forgets what nobody has asked for in a long time. It runs whenever a
// cursor is kept, so there are never more old ones than new.
func (cs *cursors) expire(now time.Time) {
	for _, c := range cs.open {
		if !c.endless && now.Sub(c.used) > cursorTimeout {
			cs.remove(c)
		}
	}
}

// take removes a cursor, so that only one getMore at a time reads from it.
func (cs *cursors) take(id int64, ns namespace) (*cursor, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.open[id]
	if c == nil {
		return nil, fail(codeCursorNotFound, "cursor id %d not found", id)
	}
	if c.q.ns != ns {
		return nil, fail(codeBadValue, "Requested getMore on namespace '%s', but cursor belongs to a different namespace %s", ns, c.q.ns)
	}
	cs.remove(c)
	return c, nil
}

// kill removes a cursor and reports whether it was there.
func (cs *cursors) kill(id int64, ns namespace) bool {
	_, err := cs.take(id, ns)
	return err == nil
}

func (cs *cursors) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.open)
}
