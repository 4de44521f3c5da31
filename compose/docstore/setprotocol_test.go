package docstore

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/FerretDB/wire"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// talk is a connection on which a test says every field itself, which no driver lets it.
type talk struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func talkTo(t testing.TB, addr string) *talk {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &talk{t, conn, bufio.NewReader(conn)}
}

// ask sends a command and gives its answer.
func (k *talk) ask(command bson.D) bson.Raw {
	k.t.Helper()
	b, err := bson.Marshal(append(command, bson.E{Key: "$db", Value: "test"}))
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := k.conn.Write(encodeMsg(wire.MsgHeader{}, 1, b)); err != nil {
		k.t.Fatal(err)
	}
	h, err := readHeader(k.r)
	if err != nil {
		k.t.Fatal(err)
	}
	m, err := readBody(k.r, h)
	if err != nil {
		k.t.Fatal(err)
	}
	msg, err := parseMsg(m)
	if err != nil {
		k.t.Fatal(err)
	}
	return msg.body
}

// incrementAs is an update as a driver sends it in a session.
func incrementAs(session bson.D, number int64) bson.D {
	return bson.D{{Key: "update", Value: "words"},
		{Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "name", Value: "moon"}}},
			{Key: "u", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: 1}}}}}, {Key: "upsert", Value: true}}}},
		{Key: "lsid", Value: session}, {Key: "txnNumber", Value: number}}
}

func newSession() bson.D {
	id := bson.NewObjectID()
	return bson.D{{Key: "id", Value: bson.Binary{Subtype: bson.TypeBinaryUUID, Data: append(id[:], 1, 2, 3, 4)}}}
}

// A write that comes again under its number is answered as it was, and not done again:
// also by another primary, and by one that has it from a snapshot.
func TestARepeatedWriteIsDoneOnce(t *testing.T) {
	s := newReplicaSetWith(t, 3, 20)
	session := newSession()
	first := talkTo(t, s.primary())
	answer := first.ask(incrementAs(session, 7))
	if lookup(answer, "ok").AsFloat64() != 1 || missing(lookup(answer, "upserted")) {
		t.Fatalf("the first time: %s", showDocument(answer))
	}
	if again := first.ask(incrementAs(session, 7)); string(again) != string(answer) {
		t.Errorf("again: %s, want %s", showDocument(again), showDocument(answer))
	}
	c := s.client().Database("test").Collection("words")
	for range 45 { // two snapshots
		if err := increment(t.Context(), c, "other"); err != nil {
			t.Fatal(err)
		}
	}
	old := s.primary()
	s.stop(old)
	now := talkTo(t, s.primary())
	if again := now.ask(incrementAs(session, 7)); string(again) != string(answer) {
		t.Errorf("again, of another primary: %s, want %s", showDocument(again), showDocument(answer))
	}
	if n := countOf(t, c, "moon"); n != 1 {
		t.Errorf("moon counts %d, want 1", n)
	}
	if next := now.ask(incrementAs(session, 8)); lookup(next, "nModified").AsInt64() != 1 {
		t.Errorf("the next write of the session: %s", showDocument(next))
	}
	if late := now.ask(incrementAs(session, 7)); lookup(late, "code").AsInt64() != codeTransactionTooOld {
		t.Errorf("the one before: %s, want code %d", showDocument(late), codeTransactionTooOld)
	}
	if other := now.ask(incrementAs(newSession(), 7)); lookup(other, "nModified").AsInt64() != 1 {
		t.Errorf("another session: %s", showDocument(other))
	}
	if n := countOf(t, c, "moon"); n != 3 {
		t.Errorf("moon counts %d, want 3", n)
	}
}

// What a member cannot do is refused with the code, the label and the topologyVersion by
// which drivers find the one that can.
func TestRefusalsTellDriversWhatToDo(t *testing.T) {
	s := newReplicaSet(t, 3)
	s.primary()
	other := talkTo(t, s.secondary())
	find := bson.D{{Key: "find", Value: "words"}, {Key: "filter", Value: bson.D{}}}
	for name, c := range map[string]struct {
		command bson.D
		code    int64
		label   bool
	}{
		"a write in a session":    {incrementAs(newSession(), 1), codeNotWritablePrimary, true},
		"a write in none":         {bson.D{{Key: "create", Value: "c"}}, codeNotWritablePrimary, false},
		"a read for the primary":  {find, codeNotPrimaryNoSecondaryOk, false},
		"a linearizable read":     {append(find, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: "linearizable"}}}), codeNotWritablePrimary, false},
		"a step down":             {bson.D{{Key: "replSetStepDown", Value: 60}}, codeNotWritablePrimary, false},
		"a change of its members": {bson.D{{Key: "replSetReconfig", Value: configOf(s.addrs[:2]...)}}, codeNotWritablePrimary, false},
	} {
		answer := other.ask(c.command)
		if lookup(answer, "code").AsInt64() != c.code {
			t.Errorf("%s: %s, want code %d", name, showDocument(answer), c.code)
		}
		if missing(lookup(answer, "topologyVersion")) {
			t.Errorf("%s: %s has no topologyVersion", name, showDocument(answer))
		}
		if got := strings.Contains(showDocument(answer), "RetryableWriteError"); got != c.label {
			t.Errorf("%s: %s: is it labelled: %v, want %v", name, showDocument(answer), got, c.label)
		}
	}
	answer := other.ask(append(find, bson.E{Key: "$readPreference", Value: bson.D{{Key: "mode", Value: "secondary"}}}))
	if lookup(answer, "ok").AsFloat64() != 1 {
		t.Errorf("a read for a secondary: %s", showDocument(answer))
	}
	lead := talkTo(t, s.primary())
	for name, c := range map[string]struct {
		concern bson.D
		code    int64
	}{
		"majority": {bson.D{{Key: "w", Value: "majority"}, {Key: "wtimeout", Value: 5000}}, 0},
		"one":      {bson.D{{Key: "w", Value: 1}}, 0},
		"two":      {bson.D{{Key: "w", Value: 2}}, 0},
		"all":      {bson.D{{Key: "w", Value: 3}}, codeCommandNotSupported},
		"four":     {bson.D{{Key: "w", Value: 4}}, codeUnsatisfiableConcern},
	} {
		answer := lead.ask(append(incrementAs(newSession(), 1), bson.E{Key: "writeConcern", Value: c.concern}))
		if code, _ := lookup(answer, "code").AsInt64OK(); code != c.code {
			t.Errorf("write concern %s: %s, want code %d", name, showDocument(answer), c.code)
		}
	}
	answer = lead.ask(append(find, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: "linearizable"}}}))
	if lookup(answer, "ok").AsFloat64() != 1 {
		t.Errorf("a linearizable read of the primary: %s", showDocument(answer))
	}
	answer = lead.ask(bson.D{{Key: "replSetInitiate", Value: configOf(s.addrs...)}})
	if lookup(answer, "code").AsInt64() != codeAlreadyInitialized {
		t.Errorf("initiated again: %s", showDocument(answer))
	}
}

// A client that knows how the set is waits for news, and has them when there are some.
func TestHelloWaitsForNews(t *testing.T) {
	s := newReplicaSet(t, 3)
	primary := s.primary()
	other := talkTo(t, s.secondary())
	known := other.ask(bson.D{{Key: "hello", Value: 1}})
	wait := func(ms int) bson.D {
		return bson.D{{Key: "hello", Value: 1}, {Key: "topologyVersion", Value: lookup(known, "topologyVersion")}, {Key: "maxAwaitTimeMS", Value: ms}}
	}
	begin := time.Now()
	if same := other.ask(wait(200)); lookup(same, "topologyVersion").String() != lookup(known, "topologyVersion").String() {
		t.Errorf("with no news: %s, want that of %s", showDocument(same), showDocument(known))
	} else if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("with no news it waited %v, want 200 ms", took)
	}
	go s.stop(primary)
	begin = time.Now()
	news := other.ask(wait(60_000))
	if took := time.Since(begin); took > failover || lookup(news, "primary").String() == lookup(known, "primary").String() {
		t.Errorf("after %v: %s", took, showDocument(news))
	}
}

// A client that takes a stream of answers is sent them, each an answer to the one before.
func TestHelloIsStreamed(t *testing.T) {
	s := newReplicaSet(t, 3)
	primary := s.primary()
	other := talkTo(t, s.secondary())
	known := other.ask(bson.D{{Key: "hello", Value: 1}})
	b, err := bson.Marshal(bson.D{{Key: "hello", Value: 1}, {Key: "topologyVersion", Value: lookup(known, "topologyVersion")}, {Key: "maxAwaitTimeMS", Value: 100}, {Key: "$db", Value: "admin"}})
	if err != nil {
		t.Fatal(err)
	}
	ask := encodeMsg(wire.MsgHeader{}, 77, b)
	ask[wire.MsgHeaderLen+2] = 1 // exhaustAllowed
	if _, err := other.conn.Write(ask); err != nil {
		t.Fatal(err)
	}
	last := int32(77)
	for i, deadline := 0, time.Now().Add(failover); ; i++ {
		if i == 2 {
			go s.stop(primary)
		}
		h, err := readHeader(other.r)
		if err != nil {
			t.Fatal(err)
		}
		m, err := readBody(other.r, h)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := parseMsg(m)
		if err != nil {
			t.Fatal(err)
		}
		if h.ResponseTo != last || !msg.moreToCome {
			t.Fatalf("answer %d is one to %d, want %d, and more are to come: %v", i, h.ResponseTo, last, msg.moreToCome)
		}
		last = h.RequestID
		if now, _ := lookup(msg.body, "primary").StringValueOK(); i > 2 && now != "" && now != primary {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no answer has another primary in %v: %s", failover, showDocument(msg.body))
		}
	}
}

// A member that nobody has initiated says so, and so does one that stands alone.
func TestWithoutASet(t *testing.T) {
	s := emptySet(t)
	addr := s.launch("127.0.0.1:0", t.TempDir())
	one := talkTo(t, addr)
	hello := one.ask(bson.D{{Key: "hello", Value: 1}})
	if lookup(hello, "isWritablePrimary").Boolean() || lookup(hello, "secondary").Boolean() || !missing(lookup(hello, "setName")) {
		t.Errorf("hello of a member without a set: %s", showDocument(hello))
	}
	for name, c := range map[string]struct {
		command bson.D
		code    int64
	}{
		"a write":                      {incrementAs(newSession(), 1), codeNotWritablePrimary},
		"its status":                   {bson.D{{Key: "replSetGetStatus", Value: 1}}, codeNotYetInitialized},
		"a set of another name":        {bson.D{{Key: "replSetInitiate", Value: bson.D{{Key: "_id", Value: "other"}, {Key: "members", Value: bson.A{bson.D{{Key: "host", Value: addr}}}}}}}, codeInvalidSetConfig},
		"a set without itself":         {bson.D{{Key: "replSetInitiate", Value: configOf("127.0.0.1:1")}}, codeInvalidSetConfig},
		"a set with one that is twice": {bson.D{{Key: "replSetInitiate", Value: configOf(addr, addr)}}, codeInvalidSetConfig},
		"a set of none":                {bson.D{{Key: "replSetInitiate", Value: configOf()}}, codeInvalidSetConfig},
	} {
		if answer := one.ask(c.command); lookup(answer, "code").AsInt64() != c.code {
			t.Errorf("%s: %s, want code %d", name, showDocument(answer), c.code)
		}
	}
	if answer := talkTo(t, serve(t, t.TempDir())).ask(bson.D{{Key: "replSetGetStatus", Value: 1}}); lookup(answer, "code").AsInt64() != codeNoReplicationEnabled {
		t.Errorf("of one that stands alone: %s", showDocument(answer))
	}
}
