package docstore

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/FerretDB/wire"
	"github.com/FerretDB/wire/wirebson"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Messages are taken apart here rather than by wire.ReadMessage, which drops
// the names of document sequences and indexes past the end of an OP_MSG whose
// checksum flag lies. Everything else of the protocol is wire's.
// Source: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/

const (
	flagsLen    = 4
	checksumLen = 4
	// trusted is how many bytes are reserved on a header's word alone.
	trusted = 1 << 20
	// Bits 0 to 15 of OP_MSG's flags must be understood or refused.
	requiredFlags = 0xffff
)

// errProtocol marks input after which a connection cannot go on.
var errProtocol = errors.New("wire protocol violation")

// message is one message as it came, header and all.
type message struct {
	header wire.MsgHeader
	raw    []byte // header and body
}

func (m message) body() []byte { return m.raw[wire.MsgHeaderLen:] }

// readHeader reads the header of one message. The error is io.EOF when the
// client closed the connection between two messages. A length that cannot be is
// refused before the rest of the header is waited for: what has no MongoDB
// client at its other end may never send it.
func readHeader(r *bufio.Reader) (h wire.MsgHeader, err error) {
	if first, err := r.Peek(4); err == nil {
		if n := int32(binary.LittleEndian.Uint32(first)); n < wire.MsgHeaderLen || n > wire.MaxMsgLen {
			return h, fmt.Errorf("%w: message of %d bytes (allowed: %d to %d)", errProtocol, n, wire.MsgHeaderLen, wire.MaxMsgLen)
		}
	}
	head := make([]byte, wire.MsgHeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, err
	}
	h = wire.MsgHeader{
		MessageLength: int32(binary.LittleEndian.Uint32(head)),
		RequestID:     int32(binary.LittleEndian.Uint32(head[4:])),
		ResponseTo:    int32(binary.LittleEndian.Uint32(head[8:])),
		OpCode:        wire.OpCode(binary.LittleEndian.Uint32(head[12:])),
	}
	return h, nil
}

// unsupported refuses a message that is neither OP_MSG nor OP_QUERY.
func unsupported(op wire.OpCode) error {
	if op == wire.OpCodeMsg || op == wire.OpCodeQuery {
		return nil
	}
	return fmt.Errorf("%w: %s is not supported: use a driver that speaks OP_MSG", errProtocol, op)
}

// readBody reads what follows a header. The whole length is allocated only once
// a part of it has come.
func readBody(r io.Reader, h wire.MsgHeader) (message, error) {
	n := int(h.MessageLength)
	raw := appendHeader(make([]byte, 0, min(n, trusted)), h)
	for len(raw) < n {
		if len(raw) == cap(raw) {
			raw = append(make([]byte, 0, n), raw...)
		}
		have := len(raw)
		raw = raw[:cap(raw)]
		if _, err := io.ReadFull(r, raw[have:]); err != nil {
			return message{}, fmt.Errorf("message cut off: %w", err)
		}
	}
	return message{header: h, raw: raw}, nil
}

// opMsg is the content of an OP_MSG.
type opMsg struct {
	moreToCome bool // the client wants no answer
	exhaust    bool // the client takes more than one answer
	body       bson.Raw
	sequences  map[string][]bson.Raw // documents outside the body, by name
}

// parseMsg takes an OP_MSG apart and validates every document in it.
func parseMsg(m message) (opMsg, error) {
	b := m.body()
	if len(b) < flagsLen {
		return opMsg{}, fmt.Errorf("%w: OP_MSG of %d bytes", errProtocol, len(b))
	}
	flags := wire.OpMsgFlags(binary.LittleEndian.Uint32(b))
	if unknown := flags & requiredFlags &^ wire.OpMsgFlags(wire.OpMsgChecksumPresent|wire.OpMsgMoreToCome); unknown != 0 {
		return opMsg{}, fmt.Errorf("%w: OP_MSG with unknown flags %#x", errProtocol, uint32(unknown))
	}
	if flags.FlagSet(wire.OpMsgChecksumPresent) {
		if err := verifyChecksum(m.raw); err != nil {
			return opMsg{}, err
		}
		b = b[:len(b)-checksumLen]
	}
	p := opMsg{moreToCome: flags.FlagSet(wire.OpMsgMoreToCome), exhaust: flags.FlagSet(wire.OpMsgExhaustAllowed)}
	for rest := b[flagsLen:]; len(rest) > 0; {
		var err error
		if rest, err = p.section(rest); err != nil {
			return opMsg{}, err
		}
	}
	if p.body == nil {
		return opMsg{}, fmt.Errorf("%w: OP_MSG without a body", errProtocol)
	}
	return p, nil
}

// verifyChecksum compares the CRC-32C at the end with that of all before it.
func verifyChecksum(raw []byte) error {
	end := len(raw) - checksumLen
	if end < wire.MsgHeaderLen+flagsLen {
		return fmt.Errorf("%w: OP_MSG too short for its checksum", errProtocol)
	}
	sum := crc32.Checksum(raw[:end], crc32.MakeTable(crc32.Castagnoli))
	if sum != binary.LittleEndian.Uint32(raw[end:]) {
		return fmt.Errorf("%w: OP_MSG's checksum does not match its contents", errProtocol)
	}
	return nil
}

// section reads one section and returns what follows it.
func (p *opMsg) section(b []byte) (rest []byte, err error) {
	kind, b := b[0], b[1:]
	switch kind {
	case 0:
		if p.body != nil {
			return nil, fmt.Errorf("%w: OP_MSG with two bodies", errProtocol)
		}
		p.body, rest, err = takeDocument(b)
		return rest, err
	case 1:
		n, _, ok := bsoncore.ReadLength(b)
		if !ok || n < 4 || int(n) > len(b) {
			return nil, fmt.Errorf("%w: a document sequence's length is wrong", errProtocol)
		}
		return b[n:], p.sequence(b[4:n])
	}
	return nil, fmt.Errorf("%w: OP_MSG section of unknown kind %d", errProtocol, kind)
}

// sequence reads a section of kind 1 after its length.
func (p *opMsg) sequence(b []byte) error {
	name, b, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return fmt.Errorf("%w: a document sequence's name has no end", errProtocol)
	}
	if _, twice := p.sequences[string(name)]; twice {
		return fmt.Errorf("%w: two document sequences %q", errProtocol, name)
	}
	docs := []bson.Raw{}
	for len(b) > 0 {
		doc, rest, err := takeDocument(b)
		if err != nil {
			return err
		}
		docs, b = append(docs, doc), rest
	}
	if p.sequences == nil {
		p.sequences = make(map[string][]bson.Raw, 1)
	}
	p.sequences[string(name)] = docs
	return nil
}

// takeDocument cuts a valid document off the front.
func takeDocument(b []byte) (doc bson.Raw, rest []byte, err error) {
	n, err := wirebson.FindRaw(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	if err := validate(b[:n]); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return b[:n], b[n:], nil
}

// parseQuery reads the OP_QUERY that drivers send before they know better.
func parseQuery(m message) (collection string, query bson.Raw, err error) {
	var q wire.OpQuery
	if err := q.UnmarshalBinaryNocopy(m.body()); err != nil {
		return "", nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	// wire shows the query only decoded; its own bytes follow the two numbers.
	at := flagsLen + len(q.FullCollectionName) + 1 + 8
	query, _, err = takeDocument(m.body()[at:])
	return q.FullCollectionName, query, err
}

// encodeMsg makes the OP_MSG that answers m.
func encodeMsg(answerTo wire.MsgHeader, id int32, doc bson.Raw) []byte {
	b := appendHeader(make([]byte, 0, wire.MsgHeaderLen+flagsLen+1+len(doc)), wire.MsgHeader{
		MessageLength: int32(wire.MsgHeaderLen + flagsLen + 1 + len(doc)),
		RequestID:     id,
		ResponseTo:    answerTo.RequestID,
		OpCode:        wire.OpCodeMsg,
	})
	b = append(b, 0, 0, 0, 0, 0) // no flags; section of kind 0
	return append(b, doc...)
}

// moreComes marks an OP_MSG as one of several answers, of which it is not the last.
func moreComes(b []byte) {
	flags := b[wire.MsgHeaderLen:]
	binary.LittleEndian.PutUint32(flags, binary.LittleEndian.Uint32(flags)|uint32(wire.OpMsgMoreToCome))
}

// encodeReply makes the OP_REPLY that answers an OP_QUERY.
func encodeReply(answerTo wire.MsgHeader, id int32, doc bson.Raw) ([]byte, error) {
	reply, err := wire.NewOpReply(wirebson.RawDocument(doc))
	if err != nil {
		return nil, err
	}
	body, err := reply.MarshalBinary()
	if err != nil {
		return nil, err
	}
	b := appendHeader(nil, wire.MsgHeader{
		MessageLength: int32(wire.MsgHeaderLen + len(body)),
		RequestID:     id,
		ResponseTo:    answerTo.RequestID,
		OpCode:        wire.OpCodeReply,
	})
	return append(b, body...), nil
}

// appendHeader does what MsgHeader.MarshalBinary does, without reflection.
func appendHeader(dst []byte, h wire.MsgHeader) []byte {
	for _, field := range []int32{h.MessageLength, h.RequestID, h.ResponseTo, int32(h.OpCode)} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(field))
	}
	return dst
}
