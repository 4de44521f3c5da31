package docstore

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"testing"

	"github.com/FerretDB/wire"
	"github.com/FerretDB/wire/wirebson"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// frame puts a header before a body.
func frame(op wire.OpCode, body []byte) []byte {
	return append(appendHeader(nil, wire.MsgHeader{MessageLength: int32(wire.MsgHeaderLen + len(body)), RequestID: 7, OpCode: op}), body...)
}

// readMessage reads one message.
func readMessage(r *bufio.Reader) (message, error) {
	h, err := readHeader(r)
	if err != nil {
		return message{}, err
	}
	return readBody(r, h)
}

// opMsgBody makes the body of an OP_MSG.
func opMsgBody(flags uint32, doc []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, flags)
	return append(append(b, 0), doc...)
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

func send(t testing.TB, nc net.Conn, b []byte) {
	t.Helper()
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
}

// Messages are written and read by another implementation than the server's.
func TestOldDriversSayHelloByOpQuery(t *testing.T) {
	nc := dial(t, serve(t, t.TempDir()))
	for name, primary := range map[string]string{"isMaster": "ismaster", "ismaster": "ismaster", "hello": "isWritablePrimary"} {
		q := wire.MustOpQuery(name, int32(1), "helloOk", true, "client", wirebson.MustDocument("driver", wirebson.MustDocument("name", "test")))
		q.FullCollectionName, q.NumberToReturn = "admin.$cmd", -1
		body, err := q.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		send(t, nc, frame(wire.OpCodeQuery, body))
		header, answer, err := wire.ReadMessage(bufio.NewReader(nc))
		if err != nil {
			t.Fatal(err)
		}
		reply, ok := answer.(*wire.OpReply)
		if !ok || header.ResponseTo != 7 {
			t.Fatalf("%s is answered by %T to %d", name, answer, header.ResponseTo)
		}
		d, err := reply.Document()
		if err != nil {
			t.Fatal(err)
		}
		if d.Get(primary) != true || d.Get("helloOk") != true || d.Get("ok") != 1.0 || d.Get("maxWireVersion") != int32(maxWireVersion) || d.Get("minWireVersion") != int32(0) {
			t.Errorf("%s is answered by %s", name, reply)
		}
		if d.Get("logicalSessionTimeoutMinutes") != nil || d.Get("topologyVersion") != nil || d.Get("setName") != nil {
			t.Errorf("%s promises what there is not: %s", name, reply)
		}
	}
	q := wire.MustOpQuery("find", "words")
	q.FullCollectionName = "test.$cmd"
	body, err := q.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	send(t, nc, frame(wire.OpCodeQuery, body))
	_, answer, err := wire.ReadMessage(bufio.NewReader(nc))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := answer.(*wire.OpReply).Document(); err != nil || d.Get("code") != int32(codeUnsupportedOpQuery) {
		t.Errorf("find by OP_QUERY is answered by %s (%v)", answer, err)
	}
}

func TestChecksum(t *testing.T) {
	nc := dial(t, serve(t, t.TempDir()))
	body := opMsgBody(uint32(wire.OpMsgChecksumPresent), raw(t, `{ping: 1, $db: "test"}`))
	m := frame(wire.OpCodeMsg, append(body, 0, 0, 0, 0))
	end := len(m) - checksumLen
	binary.LittleEndian.PutUint32(m[end:], crc32.Checksum(m[:end], crc32.MakeTable(crc32.Castagnoli)))
	send(t, nc, m)
	if _, answer, err := wire.ReadMessage(bufio.NewReader(nc)); err != nil || !bytes.Contains([]byte(answer.String()), []byte("ok")) {
		t.Fatalf("answer is %v (%v)", answer, err)
	}
	m[end]++
	send(t, nc, m)
	wantClosed(t, nc, "wrong checksum")
}

func wantClosed(t *testing.T, nc net.Conn, about string) {
	t.Helper()
	if b, err := io.ReadAll(nc); len(b) > 0 || err != nil && !isReset(err) {
		t.Errorf("%s: %d bytes are answered (%v), want the connection closed", about, len(b), err)
	}
}

// isReset reports whether the server closed while bytes were still unread.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// Whatever breaks the protocol costs the connection, and only that.
func TestMalformedMessagesCloseTheConnection(t *testing.T) {
	addr := serve(t, t.TempDir())
	ping := raw(t, `{ping: 1, $db: "test"}`)
	cut := bytes.Clone(ping)
	cut[len(cut)-1] = 1
	long := bytes.Clone(ping)
	binary.LittleEndian.PutUint32(long, 1<<30)
	deep := []byte{5, 0, 0, 0, 0}
	for range maxDepth + 1 {
		start, b := beginDocument(nil)
		deep = endDocument(appendValue(b, "a", documentValue(deep)), start)
	}
	header := func(n int32, op wire.OpCode) []byte {
		return appendHeader(nil, wire.MsgHeader{MessageLength: n, OpCode: op})
	}
	for about, m := range map[string][]byte{
		"length below the header's":    header(15, wire.OpCodeMsg),
		"negative length":              header(-1, wire.OpCodeMsg),
		"length above the limit":       header(wire.MaxMsgLen+1, wire.OpCodeMsg),
		"unknown opcode":               frame(9999, ping),
		"legacy insert":                frame(wire.OpCodeInsert, ping),
		"compressed":                   frame(wire.OpCodeCompressed, ping),
		"no flags":                     frame(wire.OpCodeMsg, nil),
		"no section":                   frame(wire.OpCodeMsg, []byte{0, 0, 0, 0}),
		"unknown section":              frame(wire.OpCodeMsg, append([]byte{0, 0, 0, 0, 9}, ping...)),
		"unknown flag":                 frame(wire.OpCodeMsg, opMsgBody(4, ping)),
		"two bodies":                   frame(wire.OpCodeMsg, append(append(opMsgBody(0, ping), 0), ping...)),
		"body without an end":          frame(wire.OpCodeMsg, opMsgBody(0, cut)),
		"body longer than the message": frame(wire.OpCodeMsg, opMsgBody(0, long)),
		"body too deep":                frame(wire.OpCodeMsg, opMsgBody(0, deep)),
		"sequence too short":           frame(wire.OpCodeMsg, append(opMsgBody(0, ping), 1, 3, 0, 0, 0)),
		"sequence without a name":      frame(wire.OpCodeMsg, append(opMsgBody(0, ping), 1, 6, 0, 0, 0, 'a', 'b')),
		"checksum that is not there":   frame(wire.OpCodeMsg, opMsgBody(1, ping)),
		"query cut off":                frame(wire.OpCodeQuery, []byte{0, 0, 0, 0, 'a'}),
	} {
		nc := dial(t, addr)
		send(t, nc, m)
		wantClosed(t, nc, about)
	}
	if _, err := connect(t, addr).Database("test").RunCommand(t.Context(), bson.D{{Key: "ping", Value: 1}}).Raw(); err != nil {
		t.Errorf("the server does not answer others any more: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for about, b := range map[string][]byte{
		"empty":              {},
		"too short":          {4, 0, 0, 0},
		"string of length 0": {12, 0, 0, 0, 2, 'a', 0, 0, 0, 0, 0, 0},
		"string without end": {14, 0, 0, 0, 2, 'a', 0, 2, 0, 0, 0, 'x', 'y', 0},
		"boolean of 2":       {9, 0, 0, 0, 8, 'a', 0, 2, 0},
		"binary of -1":       {13, 0, 0, 0, 5, 'a', 0, 255, 255, 255, 255, 0, 0},
		"binary of -5":       {12, 0, 0, 0, 5, 'a', 0, 251, 255, 255, 255, 0},
		"type 0":             {8, 0, 0, 0, 0, 'a', 0, 0},
		"type 0x20":          {8, 0, 0, 0, 0x20, 'a', 0, 0},
		"inner too long":     {13, 0, 0, 0, 3, 'a', 0, 6, 0, 0, 0, 0, 0},
	} {
		if err := validate(b); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", about, err)
		}
	}
	if err := validate(raw(t, `{a: [1, {b: "x"}], c: {$binary: {base64: "AQ==", subType: "02"}}, d: true, e: null}`)); err != nil {
		t.Error(err)
	}
}
