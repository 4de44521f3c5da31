package docstore

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"github.com/FerretDB/wire"
	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// corpus is one command of each kind.
func corpus() []string {
	return []string{
		`{hello: 1, $db: "admin"}`,
		`{serverStatus: 1, $db: "admin"}`,
		`{insert: "w", documents: [{_id: 1, a: [1, "x", {b: 2}]}], $db: "t"}`,
		`{update: "w", updates: [{q: {a: {$in: [1, 2]}}, u: {$inc: {"n.m": 1}, $setOnInsert: {z: 1}}, upsert: true, multi: true}], $db: "t"}`,
		`{update: "w", updates: [{q: {_id: 1}, u: {a: 1}}], $db: "t"}`,
		`{find: "w", filter: {$or: [{a: {$gt: 1, $not: {$lt: 5}}}, {"a.b": null}]}, sort: {"a.b": -1}, projection: {"a.b": 1}, limit: 3, skip: 1, batchSize: 1, $db: "t"}`,
		`{findAndModify: "w", query: {a: 1}, update: {$unset: {"a.b": 1}}, new: true, upsert: true, fields: {a: 0}, $db: "t"}`,
		`{aggregate: "w", pipeline: [{$match: {a: 1}}, {$group: {_id: {x: "$a.b"}, s: {$sum: "$n"}, m: {$max: "$a"}, v: {$avg: 1}}}, {$sort: {s: 1}}, {$project: {q: "$s", s: 1}}, {$limit: 2}, {$skip: 1}, {$count: "c"}], cursor: {batchSize: 0}, $db: "t"}`,
		`{createIndexes: "w", indexes: [{key: {a: 1, "n.m": -1}, name: "i", unique: true}], $db: "t"}`,
		`{distinct: "w", key: "a.b", query: {}, $db: "t"}`,
		`{count: "w", query: {a: 1}, limit: -1, $db: "t"}`,
		`{delete: "w", deletes: [{q: {a: 1}, limit: 1}], $db: "t"}`,
		`{getMore: {$numberLong: "1"}, collection: "w", $db: "t"}`,
		`{killCursors: "w", cursors: [{$numberLong: "1"}], $db: "t"}`,
		`{listCollections: 1, filter: {name: "w"}, $db: "t"}`,
		`{listDatabases: 1, $db: "admin"}`, `{listIndexes: "w", $db: "t"}`, `{dropIndexes: "w", index: ["i"], $db: "t"}`, `{drop: "w", $db: "t"}`, `{dropDatabase: 1, $db: "t"}`,
	}
}

// FuzzHandle feeds whole messages, bytes as they may come from the network.
func FuzzHandle(f *testing.F) {
	for _, command := range corpus() {
		f.Add(int32(wire.OpCodeMsg), opMsgBody(0, raw(f, command)))
	}
	docs := append([]byte("documents\x00"), raw(f, `{_id: 5}`)...)
	sequence := append(opMsgBody(0, raw(f, `{insert: "w", $db: "t"}`)), 1)
	sequence = append(binary.LittleEndian.AppendUint32(sequence, uint32(4+len(docs))), docs...)
	f.Add(int32(wire.OpCodeMsg), sequence)
	f.Add(int32(wire.OpCodeQuery), append([]byte("\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\xff\xff\xff\xff"), raw(f, `{isMaster: 1}`)...))
	exchange := fuzzServer(f)
	f.Fuzz(func(t *testing.T, op int32, body []byte) { exchange(t, wire.OpCode(op), body) })
}

// FuzzCommand feeds commands as text, so that what is changed is what they say
// rather than the lengths in their bytes.
func FuzzCommand(f *testing.F) {
	for _, command := range corpus() {
		f.Add(bareName.ReplaceAllString(command, `$1"$2":`))
	}
	exchange := fuzzServer(f)
	f.Fuzz(func(t *testing.T, json string) {
		var d bson.D
		if bson.UnmarshalExtJSON([]byte(json), false, &d) != nil {
			return
		}
		b, err := bson.Marshal(d)
		if err != nil {
			return
		}
		exchange(t, wire.OpCodeMsg, opMsgBody(0, b))
	})
}

// prelude is what every fuzzed message finds: the same few documents.
func prelude() []string {
	return []string{
		`{dropDatabase: 1, $db: "t"}`,
		`{insert: "w", documents: [{_id: 1, a: [1, "x", {b: 2}], n: 1}, {_id: 2, a: {b: null}, n: {m: 1.5}}, {_id: 3, s: "x"}], $db: "t"}`,
		`{createIndexes: "w", indexes: [{key: {a: 1}, name: "a"}, {key: {_id: 1, "n.m": 1}, name: "i", unique: true}], $db: "t"}`,
	}
}

// fuzzServer gives a function that sends one message to a server. It must be
// answered or refused, and the answer must be well-formed.
func fuzzServer(f *testing.F) func(*testing.T, wire.OpCode, []byte) {
	// The file need not survive anything here, so it is not synced.
	store, err := open(f.TempDir(), bbolt.Options{NoSync: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := store.Close(); err != nil {
			f.Error(err)
		}
	})
	s := NewServer(store, Config{})
	left, right := net.Pipe()
	f.Cleanup(func() { left.Close(); right.Close() })
	c := &conn{Conn: left, id: 1}
	var before []bson.Raw
	for _, command := range prelude() {
		before = append(before, raw(f, command))
	}
	return func(t *testing.T, op wire.OpCode, body []byte) {
		for _, b := range before {
			if answer, err := s.handle(t.Context(), c, opMsg{body: b}); err != nil || lookup(answer, "ok").AsFloat64() != 1 {
				t.Fatalf("%s: %s, %v", showDocument(b), showDocument(answer), err)
			}
		}
		m, err := readMessage(bufio.NewReader(bytes.NewReader(frame(op, body))))
		if err != nil {
			t.Fatalf("a whole message is refused: %v", err)
		}
		answer, err := s.answer(t.Context(), c, m)
		if errors.Is(err, errProtocol) || err == nil && answer == nil {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		back, err := readMessage(bufio.NewReader(bytes.NewReader(answer)))
		if err != nil {
			t.Fatal(err)
		}
		doc := bson.Raw(back.body()[flagsLen+1:])
		if back.header.OpCode == wire.OpCodeReply {
			doc = back.body()[20:]
		}
		if err := doc.Validate(); err != nil {
			t.Fatalf("the answer is malformed: %v", err)
		}
		if code := lookup(doc, "code"); code.Type == bson.TypeInt32 && code.Int32() == codeInternalError {
			t.Fatalf("the storage failed: %s", showDocument(doc))
		}
	}
}
