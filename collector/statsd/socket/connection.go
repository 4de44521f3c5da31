package socket

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// connection is one stream. While nothing comes it has no buffer.
type connection struct {
	file    *os.File
	raw     syscall.RawConn
	from    netip.AddrPort
	buffers *sync.Pool // of *buffer
	busy    latch      // held while reading and handing out; guards what follows
	framer  framer
	rest    []byte // was read and is not yet a whole payload
	end     end
}

// buffer is what one read needs.
type buffer struct {
	bytes []byte
	batch []Payload
}

// readSize is how much is read at once, in bytes.
const readSize = 32 << 10

// streamBatch is how many payloads of a stream are handed out at once.
const streamBatch = 64

func newBuffers(maxPayload int) *sync.Pool {
	return &sync.Pool{New: func() any {
		return &buffer{bytes: make([]byte, maxPayload+overhead+readSize), batch: make([]Payload, 0, streamBatch)}
	}}
}

// next reads what is there, as much as fits, hands out what is whole of it and
// returns how many bytes it read; 0 when there is nothing, or nothing any more:
// then c.end is set. It does not wait. The latch is held.
func (c *connection) next(fd int, handle Handler) int {
	if c.end != flowing {
		return 0
	}
	b := c.buffers.Get().(*buffer)
	defer c.buffers.Put(b)
	kept := len(c.rest)
	n, err := readNow(fd, b.bytes[kept:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0
	case err != nil:
		n, c.end = 0, broken
	case n == 0:
		c.end = complete
	}
	copy(b.bytes, c.rest)
	c.cut(b, b.bytes[:kept+n], handle)
	return n
}

func readNow(fd int, into []byte) (int, error) {
	for {
		n, err := unix.Read(fd, into)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// finish hands out what is left of a stream that is not read any further.
func (c *connection) finish(handle Handler) {
	if c.end != flowing {
		return
	}
	c.end = broken
	b := c.buffers.Get().(*buffer)
	defer c.buffers.Put(b)
	c.cut(b, b.bytes[:copy(b.bytes, c.rest)], handle)
}

// cut hands out the payloads in data and keeps the rest.
func (c *connection) cut(b *buffer, data []byte, handle Handler) {
	b.batch = b.batch[:0]
	for {
		p, used, found := c.framer.next(data, c.end)
		data = data[used:]
		if found {
			p.From = c.from
			b.batch = append(b.batch, p)
		}
		done := !found && used == 0
		if len(b.batch) == cap(b.batch) || done && len(b.batch) > 0 {
			handle(b.batch)
			b.batch = b.batch[:0]
		}
		if done {
			break
		}
	}
	if len(data) == 0 && cap(c.rest) > small {
		c.rest = nil
		return
	}
	c.rest = append(c.rest[:0], data...)
}

// small is how many bytes an idle connection may hold on to.
const small = 1 << 10
