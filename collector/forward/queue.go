package forward

import (
	"fmt"
	"sync"
)

// queue holds items, which are bytes, in the order they came. It is bounded by
// number and by bytes; when it is full the oldest item goes. The newest are worth
// the most: a cumulative counter's last sample tells all that the ones before it
// did, a gauge's last value is the one that holds, and a StatsD peer takes a
// datagram for one of the moment it arrives.
//
// The memory is one ring, made at once, of which the system gives only what was
// used: nothing is allocated for an item.
type queue struct {
	wake chan struct{} // has a token when something was put in

	mu     sync.Mutex
	data   []byte // a ring
	head   int    // where the oldest item begins
	used   int    // bytes in it
	sizes  []int  // a ring, of the items
	first  int    // the oldest item's size
	n      int    // items in it
	away   int    // items taken out and not settled
	closed bool
	broken bool    // the connection was lost, and no other was made
	fate   Figures // without To, Kind and Queued
}

func newQueue(l Limits) *queue {
	return &queue{wake: make(chan struct{}, 1), data: make([]byte, l.Bytes), sizes: make([]int, l.Items)}
}

// put copies an item into the queue. It never waits for the peer.
func (q *queue) put(item []byte) {
	q.mu.Lock()
	q.fate.In++
	switch {
	case q.closed:
		q.fate.Unsent++
	case len(item) > len(q.data):
		q.fate.Refused++
		q.fate.LastError = fmt.Sprintf("an item of %d bytes is larger than the queue, which has %d", len(item), len(q.data))
	default:
		for q.n == len(q.sizes) || q.used+len(item) > len(q.data) {
			q.used -= q.pop(nil)
			q.fate.Full++
		}
		q.push(item)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// refuse counts an item for which there is no form that the peer takes.
func (q *queue) refuse(reason error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fate.In++
	q.fate.Refused++
	q.fate.LastError = reason.Error()
}

// push puts in an item that fits. q.mu is held.
func (q *queue) push(item []byte) {
	if q.n == 0 {
		q.head, q.first = 0, 0 // memory that is in use already
	}
	tail := (q.head + q.used) % len(q.data)
	if k := copy(q.data[tail:], item); k < len(item) {
		copy(q.data, item[k:])
	}
	q.used += len(item)
	q.sizes[(q.first+q.n)%len(q.sizes)] = len(item)
	q.n++
}

// pop takes the oldest item out, into b if there is one, and returns its size;
// the caller takes it off q.used. q.mu is held.
func (q *queue) pop(b *batch) int {
	size := q.sizes[q.first]
	if b != nil {
		end := min(q.head+size, len(q.data))
		b.data = append(b.data, q.data[q.head:end]...)
		b.data = append(b.data, q.data[:size-(end-q.head)]...)
		b.ends = append(b.ends, len(b.data))
	}
	q.head = (q.head + size) % len(q.data)
	q.first = (q.first + 1) % len(q.sizes)
	q.n--
	return size
}

// take moves the oldest items into b: at least one, if there is any, and then as
// many as b may have.
func (q *queue) take(b *batch) {
	b.data, b.ends, b.done = b.data[:0], b.ends[:0], 0
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n > 0 && len(b.ends) < b.maxItems && (len(b.ends) == 0 || len(b.data)+q.sizes[q.first] <= b.maxBytes) {
		q.used -= q.pop(b)
		q.away++
	}
}

// waiting is the number of items that nobody took.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// settle books what an attempt brought.
func (q *queue) settle(r result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := &q.fate
	q.away -= r.sent + r.refused
	a.Sent += uint64(r.sent)
	a.Refused += uint64(r.refused)
	a.Bytes += uint64(r.bytes)
	a.Up = r.err == nil && !q.broken
	if r.refusal != nil {
		a.LastError = r.refusal.Error()
	}
	if r.err != nil {
		a.LastError = r.err.Error()
	}
}

// retry books that a failed attempt is made again.
func (q *queue) retry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fate.Retries++
}

// made books a new connection.
func (q *queue) made() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = false
}

// lost books that the peer went away.
func (q *queue) lost(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = true
	q.fate.Up = false
	q.fate.LastError = err.Error()
}

// close gives up what waits and what is away. What is put in later is given up
// at once.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fate.Unsent += uint64(q.n + q.away)
	q.n, q.used, q.away = 0, 0, 0
	q.closed = true
	q.fate.Up = false
}

func (q *queue) figures() Figures {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.fate
	f.Queued = q.n + q.away
	f.Dropped = f.Full + f.Refused + f.Unsent
	return f
}

// batch is some items on their way to the peer.
type batch struct {
	maxItems, maxBytes int

	data []byte
	ends []int // of each item, in data
	done int   // items that are settled, from the front
}

// left is the number of items that are not settled.
func (b *batch) left() int { return len(b.ends) - b.done }

// span is n items in one piece, beginning with the i-th of those left.
func (b *batch) span(i, n int) []byte { return b.data[b.start(i):b.start(i+n)] }

// start is where the i-th item of those left begins.
func (b *batch) start(i int) int {
	if i += b.done; i > 0 {
		return b.ends[i-1]
	}
	return 0
}
