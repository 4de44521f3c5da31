package socket

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams one system call reads at most.
const batchSize = 32

// headSize is how long a datagram is mostly: StatsD's clients fill 1,432 bytes where
// the network has an MTU of 1,500. headStride keeps the first bytes of all from falling
// into the same few sets of the processor's cache.
const (
	headSize   = 2048
	headStride = headSize + 64
)

// room is where a batch of datagrams is read to. The head of each lies close to the
// others, so that short datagrams touch few pages and stay in the cache; what
// goes beyond it has a place of its own, where there is room for the head as well.
type room struct {
	kind    kind
	heads   []byte
	wholes  []byte // nil where no datagram is longer than a head
	iovecs  [batchSize][2]unix.Iovec
	headers [batchSize]mmsghdr
	names   []unix.RawSockaddrInet6 // of who sent them; nil when nobody asks
}

// kind tells which rooms are alike.
type kind struct {
	size    int // the longest datagram that is read whole
	sources bool
}

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func newRoom(k kind) *room {
	r := &room{kind: k, heads: make([]byte, batchSize*headStride)}
	if k.size > headSize {
		r.wholes = make([]byte, batchSize*k.size)
	}
	if k.sources {
		r.names = make([]unix.RawSockaddrInet6, batchSize)
	}
	for i := range r.headers {
		parts, header := &r.iovecs[i], &r.headers[i].header
		parts[0].Base = &r.heads[i*headStride]
		parts[0].SetLen(min(k.size, headSize))
		header.Iov = &parts[0]
		header.SetIovlen(1)
		if r.wholes != nil {
			parts[1].Base = &r.wholes[i*k.size+headSize]
			parts[1].SetLen(k.size - headSize)
			header.SetIovlen(2)
		}
		if k.sources {
			// Large enough for an IPv4 address as well.
			header.Name = (*byte)(unsafe.Pointer(&r.names[i]))
			header.Namelen = unix.SizeofSockaddrInet6
		}
	}
	return r
}

// bytes is the i-th datagram.
func (r *room) bytes(i int) []byte {
	n, head := int(r.headers[i].length), i*headStride
	if n <= headSize {
		return r.heads[head : head+n]
	}
	whole := r.wholes[i*r.kind.size:][:n]
	copy(whole[:headSize], r.heads[head:])
	return whole
}

// name is who sent the i-th datagram. It is asked for once.
func (r *room) name(i int) *unix.RawSockaddrInet6 {
	r.headers[i].header.Namelen = unix.SizeofSockaddrInet6 // the kernel wrote there how much it used
	return &r.names[i]
}

// roomList are the rooms in which nobody reads. Sockets share them: hundreds wait,
// and few read at a time.
type roomList struct {
	mu   sync.Mutex
	free []*room
}

// maxRooms is how many are kept: more than read at a time, even where each of hundreds
// of readers may lose the processor in the middle.
const maxRooms = 64

var rooms roomList

func (l *roomList) take(k kind) *room {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range l.free {
		if r.kind == k {
			last := len(l.free) - 1
			l.free[i], l.free[last] = l.free[last], nil
			l.free = l.free[:last]
			return r
		}
	}
	return newRoom(k)
}

func (l *roomList) give(r *room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) == maxRooms {
		// The one that is there longest may be of a kind that nobody asks for any more.
		copy(l.free, l.free[1:])
		l.free = l.free[:maxRooms-1]
	}
	l.free = append(l.free, r)
}
