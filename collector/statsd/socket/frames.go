package socket

import (
	"bytes"
	"encoding/binary"
)

// framer finds the payloads in a stream of bytes.
type framer interface {
	// next looks for the first payload in data. used bytes are done with,
	// also where they are in no payload. Where nothing is used and no
	// payload found, more data is needed; never more than MaxPayload and
	// overhead together. The payload is a part of data.
	next(data []byte, e end) (p Payload, used int, found bool)
}

// overhead is what a frame or line has more than its payload, in bytes.
const overhead = headerSize

// end is what is known of the end of a stream.
type end uint8

const (
	flowing  end = iota // there may be more
	complete            // the sender closed it
	broken              // it broke off
)

func newFramer(n Network, maxPayload int) framer {
	if n == Unixstream {
		return &frames{max: maxPayload}
	}
	return &lines{max: maxPayload}
}

// frames are how Datadog's clients and agent use a Unix socket of streams.
// Source: uds.go of github.com/DataDog/datadog-go/v5/statsd.
type frames struct {
	max  int
	skip uint32 // bytes that remain of a frame that was too long
}

// headerSize is that of a frame's length: 32 bits, little-endian.
const headerSize = 4

func (f *frames) next(data []byte, e end) (Payload, int, bool) {
	if f.skip > 0 {
		n := min(uint64(f.skip), uint64(len(data)))
		f.skip -= uint32(n)
		return Payload{}, int(n), false
	}
	if len(data) < headerSize {
		if e == flowing || len(data) == 0 {
			return Payload{}, 0, false
		}
		// Nothing is left of it, but it is not lost unseen.
		return Payload{Bytes: data[:0], Truncated: true}, len(data), true
	}
	length, body := binary.LittleEndian.Uint32(data), data[headerSize:]
	whole := uint64(length) <= uint64(f.max)
	size := int(min(uint64(length), uint64(f.max)))
	switch {
	case len(body) >= size:
		f.skip = length - uint32(size)
		return Payload{Bytes: body[:size], Truncated: !whole}, headerSize + size, true
	case e == flowing:
		return Payload{}, 0, false
	}
	return Payload{Bytes: body, Truncated: true}, len(data), true
}

// lines hands out as many whole lines as there are, with their newlines.
type lines struct {
	max      int
	skipping bool // until after the next newline: the line was too long
}

func (l *lines) next(data []byte, e end) (Payload, int, bool) {
	if l.skipping {
		newline := bytes.IndexByte(data, '\n')
		if newline < 0 {
			return Payload{}, len(data), false
		}
		l.skipping = false
		return Payload{}, newline + 1, false
	}
	part := data[:min(len(data), l.max)]
	whole := bytes.LastIndexByte(part, '\n') + 1
	switch {
	case whole > 0:
		return Payload{Bytes: data[:whole]}, whole, true
	case len(data) > l.max && data[l.max] == '\n':
		return Payload{Bytes: part}, l.max + 1, true // just fits
	case len(data) > l.max:
		l.skipping = true
		return Payload{Bytes: part, Truncated: true}, l.max, true
	case e == flowing || len(data) == 0:
		return Payload{}, 0, false
	}
	// Nobody needs to end the last line. But of a connection that broke off
	// who knows what was to come.
	return Payload{Bytes: data, Truncated: e == broken}, len(data), true
}
