package docstore

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		filter, doc string
		want        bool
	}{
		{`{}`, `{a: 1}`, true},
		{`{a: 1}`, `{a: {$numberLong: "1"}}`, true},
		{`{a: 1}`, `{a: 1.0}`, true},
		{`{a: 1}`, `{a: 1.5}`, false},
		{`{a: 1}`, `{a: "1"}`, false},
		{`{a: 1}`, `{a: true}`, false},
		{`{a: {$numberLong: "9007199254740993"}}`, `{a: 9007199254740992.0}`, false},
		{`{a: null}`, `{b: 1}`, true},
		{`{a: null}`, `{a: null}`, true},
		{`{a: null}`, `{a: 0}`, false},
		{`{a: 1}`, `{a: [3, 1]}`, true},
		{`{a: [3, 1]}`, `{a: [3, 1]}`, true},
		{`{a: [3, 1]}`, `{a: [[3, 1]]}`, true},
		{`{a: [3, 1]}`, `{a: [1, 3]}`, false},
		{`{a: {b: 1}}`, `{a: {b: 1.0}}`, true},
		{`{a: {b: 1}}`, `{a: {b: 1, c: 1}}`, false},
		{`{"a.b": 1}`, `{a: {b: 1, c: 1}}`, true},
		{`{"a.b": 1}`, `{a: [{b: 2}, {b: 1}]}`, true},
		{`{"a.b": 1}`, `{a: 1}`, false},
		{`{"a.b": null}`, `{a: 1}`, true},
		{`{"a.b": null}`, `{a: [{b: 1}, {c: 1}]}`, true},
		{`{"a.0": 1}`, `{a: {"0": 1}}`, true},
		{`{a: {$gt: 1}}`, `{a: 1.5}`, true},
		{`{a: {$gt: 1}}`, `{a: "x"}`, false},
		{`{a: {$gt: 1}}`, `{}`, false},
		{`{a: {$gte: null}}`, `{}`, true},
		{`{a: {$lt: 3, $gt: 1}}`, `{a: [0, 5]}`, true}, // each by another item, as in MongoDB
		{`{a: {$lt: 3, $gt: 1}}`, `{a: 5}`, false},
		{`{a: {$lte: {$numberDouble: "NaN"}}}`, `{a: 1}`, false},
		{`{a: {$gt: {$numberDouble: "NaN"}}}`, `{a: 1}`, false},
		{`{a: {$lt: 5}}`, `{a: {$numberDouble: "NaN"}}`, false},
		{`{a: {$numberDouble: "NaN"}}`, `{a: {$numberDouble: "NaN"}}`, true},
		{`{a: {$ne: 1}}`, `{a: [1, 2]}`, false},
		{`{a: {$ne: 1}}`, `{}`, true},
		{`{a: {$in: [1, "x", null]}}`, `{a: "x"}`, true},
		{`{a: {$in: [1, "x", null]}}`, `{}`, true},
		{`{a: {$in: []}}`, `{a: 1}`, false},
		{`{a: {$nin: [1, 2]}}`, `{a: 2}`, false},
		{`{a: {$nin: [1, 2]}}`, `{a: 3}`, true},
		{`{a: {$exists: true}}`, `{a: null}`, true},
		{`{a: {$exists: false}}`, `{a: null}`, false},
		{`{a: {$exists: 0}}`, `{}`, true},
		{`{a: {$not: {$gt: 1}}}`, `{a: 2}`, false},
		{`{a: {$not: {$gt: 1}}}`, `{a: "x"}`, true},
		{`{a: {$not: {$gt: 1, $ne: 7}}}`, `{a: 7}`, true},
		{`{$or: [{a: 1}, {b: 1}]}`, `{b: 1}`, true},
		{`{$or: [{a: 1}, {b: 1}]}`, `{c: 1}`, false},
		{`{$and: [{a: 1}, {b: 1}]}`, `{a: 1}`, false},
		{`{$nor: [{a: 1}, {b: 1}]}`, `{c: 1}`, true},
		{`{$comment: "x", a: 1}`, `{a: 1}`, true},
	} {
		f, err := parseFilter(raw(t, c.filter))
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got, err := f.match(raw(t, c.doc)); got != c.want || err != nil {
			t.Errorf("%s matches %s: %t (%v), want %t", c.filter, c.doc, got, err, c.want)
		}
	}
}

// What a filter cannot say here is refused by name, never passed over.
func TestFilterRefuses(t *testing.T) {
	c := words(t)
	fill(t, c, `{a: [1]}`)
	for filter, names := range map[string]string{
		`{$where: "true"}`:          "$where",
		`{$expr: {}}`:               "$expr",
		`{a: {$regex: "x"}}`:        "$regex",
		`{a: {$gt: 1, $foo: 1}}`:    "$foo",
		`{a: {$gt: 1, b: 1}}`:       "unknown operator: b",
		`{a: {$elemMatch: {b: 1}}}`: "$elemMatch",
		`{a: {$gt: {$maxKey: 1}}}`:  "MaxKey",
		`{$or: []}`:                 "$or",
		`{a: {$in: 1}}`:             "$in",
		`{a: {$regularExpression: {pattern: "x", options: ""}}}`: "regex",
		`{a: {$numberDecimal: "1"}}`:                             "decimal",
		`{"a.0": 1}`:                                             "'0'",
	} {
		_, err := c.CountDocuments(t.Context(), doc(t, filter))
		wantCode(t, err, codeBadValue, names)
	}
	_, err := c.CountDocuments(t.Context(), doc(t, `{"a..b": 1}`))
	wantCode(t, err, codeEmptyFieldName, "a..b")
}

func TestFind(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 3, w: "c", n: 2}`, `{_id: 1, w: "a", n: 5}`, `{_id: 2, w: "b", n: 2.0}`, `{_id: 4, w: "d", x: {y: 1, z: 2}, l: [{y: 1, z: 2}, 7]}`)
	for _, q := range []struct {
		about, filter, sort, projection string
		skip, limit                     int64
		want                            string
	}{
		{about: "unsorted", projection: `{_id: 1}`, want: "{ _id: 1 }\n{ _id: 2 }\n{ _id: 3 }\n{ _id: 4 }"},
		{about: "sort", sort: `{n: -1, w: 1}`, projection: `{_id: 1}`, want: "{ _id: 1 }\n{ _id: 2 }\n{ _id: 3 }\n{ _id: 4 }"},
		{about: "sort puts what is missing first", sort: `{n: 1, w: -1}`, projection: `{_id: 1}`, want: "{ _id: 4 }\n{ _id: 3 }\n{ _id: 2 }\n{ _id: 1 }"},
		{about: "sort, skip, limit", sort: `{w: -1}`, projection: `{_id: 1}`, skip: 1, limit: 2, want: "{ _id: 3 }\n{ _id: 2 }"},
		{about: "skip, limit", projection: `{_id: 1}`, skip: 2, limit: 1, want: "{ _id: 3 }"},
		{about: "skip all", projection: `{_id: 1}`, skip: 9, want: ""},
		{about: "skip all, sorted", sort: `{w: 1}`, skip: 9, limit: 2, want: ""},
		{about: "several _ids", filter: `{_id: {$in: [4, 1, 4, 9]}}`, projection: `{_id: 1}`, want: "{ _id: 1 }\n{ _id: 4 }"},
		{about: "leave out", filter: `{_id: 1}`, projection: `{w: 0}`, want: "{ _id: 1, n: 5 }"},
		{about: "keep without _id", filter: `{_id: 1}`, projection: `{w: true, _id: false}`, want: `{ w: "a" }`},
		{about: "leave out _id", filter: `{_id: 1}`, projection: `{_id: 0}`, want: `{ w: "a", n: 5 }`},
		{about: "keep within", filter: `{_id: 4}`, projection: `{"x.y": 1, "l.z": 1, "w.q": 1}`, want: "{ _id: 4, x: { y: 1 }, l: [ { z: 2 } ] }"},
		{about: "leave out within", filter: `{_id: 4}`, projection: `{"x.y": 0, "l.z": 0, w: 0}`, want: "{ _id: 4, x: { z: 2 }, l: [ { y: 1 }, 7 ] }"},
	} {
		o := options.Find().SetSkip(q.skip).SetLimit(q.limit)
		if q.sort != "" {
			o.SetSort(doc(t, q.sort))
		}
		if q.projection != "" {
			o.SetProjection(doc(t, q.projection))
		}
		filter := bson.D{}
		if q.filter != "" {
			filter = doc(t, q.filter)
		}
		cursor, err := c.Find(t.Context(), filter, o)
		if got := allOf(t, cursor, err); got != q.want {
			t.Errorf("%s:\n%s\nwant\n%s", q.about, got, q.want)
		}
	}
	var d bson.Raw
	if err := c.FindOne(t.Context(), doc(t, `{w: "z"}`)).Decode(&d); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("no match: %v", err)
	}
}

// The same queries with and without indexes give the same documents.
func TestIndexesChangeNoResult(t *testing.T) {
	db := connect(t, serve(t, t.TempDir())).Database("test")
	with, without := db.Collection("with"), db.Collection("without")
	for _, keys := range []string{`{a: 1}`, `{b: -1, a: 1}`, `{"s.t": 1}`} {
		if _, err := with.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: doc(t, keys)}); err != nil {
			t.Fatal(err)
		}
	}
	docs := []string{`{a: 1}`, `{a: 1.0, b: 2}`, `{a: [1, 2], b: 2}`, `{a: []}`, `{a: null}`, `{}`, `{b: {c: 1}}`, `{a: "1", b: [2, 3]}`,
		`{s: {t: 5}}`, `{s: [{t: 5}, {t: 6}, 7]}`, `{s: {t: [5, 6]}}`, `{a: {$numberLong: "1"}, b: 3}`}
	for i, d := range docs {
		for _, c := range []*mongo.Collection{with, without} {
			if _, err := c.InsertOne(t.Context(), append(bson.D{{Key: "_id", Value: i}}, doc(t, d)...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What is moved or removed must be moved or removed in the indexes too.
	for _, c := range []*mongo.Collection{with, without} {
		if _, err := c.UpdateMany(t.Context(), doc(t, `{b: 3}`), doc(t, `{$set: {a: 9}}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DeleteOne(t.Context(), doc(t, `{_id: 0}`)); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{`{a: 1}`, `{a: 2}`, `{a: null}`, `{a: []}`, `{a: [1, 2]}`, `{a: {$in: [1, "1", 9]}}`, `{a: {$in: [1, null]}}`, `{b: 2}`, `{b: 2, a: 1}`, `{b: {$in: [2, 3]}, a: {$in: [1, 2]}}`,
		`{b: {c: 1}}`, `{"s.t": 5}`, `{"s.t": {$in: [5, 6]}}`, `{a: 9}`, `{a: {$ne: 1}}`, `{$or: [{a: 1}, {b: 3}]}`, `{$and: [{a: 1}, {b: 2}]}`, `{a: {$eq: 1, $gt: 0}}`} {
		var got [2]string
		for i, c := range []*mongo.Collection{with, without} {
			cursor, err := c.Find(t.Context(), doc(t, q))
			got[i] = allOf(t, cursor, err)
		}
		if got[0] != got[1] {
			t.Errorf("%s with indexes:\n%s\nwithout:\n%s", q, got[0], got[1])
		}
	}
}

func TestCursorReadsInBatches(t *testing.T) {
	c := words(t)
	var docs []any
	for i := range 25 {
		docs = append(docs, bson.D{{Key: "_id", Value: i}, {Key: "n", Value: -i}})
	}
	if _, err := c.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*options.FindOptionsBuilder{
		options.Find().SetBatchSize(4),
		options.Find().SetBatchSize(4).SetSort(doc(t, `{n: -1}`)),
		options.Find().SetBatchSize(0),
		options.Find().SetBatchSize(25),
		options.Find().SetBatchSize(5).SetLimit(25),
	} {
		cursor, err := c.Find(t.Context(), bson.D{}, o)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 25; i++ {
			var d struct {
				ID int `bson:"_id"`
			}
			if !cursor.Next(t.Context()) {
				t.Fatalf("ended before document %d: %v", i, cursor.Err())
			}
			if err := cursor.Decode(&d); err != nil || d.ID != i {
				t.Errorf("document %d is %d (%v)", i, d.ID, err)
			}
		}
		if cursor.Next(t.Context()) || cursor.Err() != nil {
			t.Errorf("more than 25 documents (%v)", cursor.Err())
		}
	}
	// A closed cursor is gone on the server.
	cursor, err := c.Find(t.Context(), bson.D{}, options.Find().SetBatchSize(2))
	if err != nil {
		t.Fatal(err)
	}
	id := cursor.ID()
	if err := cursor.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = c.Database().RunCommand(t.Context(), bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: c.Name()}}).Raw()
	wantCode(t, err, codeCursorNotFound, fmt.Sprint(id))
}

func TestCursorOfDroppedCollection(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 1}`, `{_id: 2}`, `{_id: 3}`)
	cursor, err := c.Find(t.Context(), bson.D{}, options.Find().SetBatchSize(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, c, `{_id: 1}`, `{_id: 2}`, `{_id: 3}`)
	for cursor.Next(t.Context()) {
	}
	wantCode(t, cursor.Err(), codeQueryPlanKilled, "test.words")
}

func TestIdleCursorsExpire(t *testing.T) {
	cs := cursors{open: make(map[int64]*cursor)}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	put := func(c *cursor, at time.Time) int64 {
		id, err := cs.put(c, at)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	old := put(&cursor{}, at)
	endless := put(&cursor{endless: true}, at)
	young := put(&cursor{}, at.Add(cursorTimeout))
	put(&cursor{}, at.Add(cursorTimeout+1))
	for id, want := range map[int64]bool{old: false, endless: true, young: true} {
		if got := cs.kill(id, namespace{}); got != want {
			t.Errorf("cursor %d is kept: %t, want %t", id, got, want)
		}
	}
}

// Results that nobody reads to the end have a limit together, and room is made
// by reading, killing and forgetting them.
func TestOpenCursorsShareALimit(t *testing.T) {
	cs := cursors{open: make(map[int64]*cursor)}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	doc := make(bson.Raw, maxKept/4) // one for all: only its size matters
	large := func() *cursor { return &cursor{keeps: true, kept: []bson.Raw{doc, doc}} }
	var ids []int64
	for range 2 {
		id, err := cs.put(large(), at)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	_, err := cs.put(large(), at)
	var refused *commandError
	if !errors.As(err, &refused) || refused.code != codeMemoryLimit || !strings.Contains(refused.msg, "2 open cursors keep") {
		t.Fatalf("a third: %v", err)
	}
	if _, err := cs.put(&cursor{}, at); err != nil {
		t.Errorf("one that keeps nothing: %v", err)
	}
	c, err := cs.take(ids[0], namespace{})
	if err != nil {
		t.Fatal(err)
	}
	c.kept = c.kept[1:]
	if _, err := cs.put(c, at); err != nil {
		t.Errorf("one that was read in part: %v", err)
	}
	if !cs.kill(ids[1], namespace{}) {
		t.Error("the second is gone")
	}
	if _, err := cs.put(large(), at); err != nil {
		t.Errorf("after one was killed: %v", err)
	}
	if _, err := cs.put(large(), at.Add(cursorTimeout+1)); err != nil || cs.kept != maxKept/2 {
		t.Errorf("after all have expired: %v, and %d bytes are kept", err, cs.kept)
	}
}

func TestCountAndDistinct(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 1, k: 1}`, `{_id: 2, k: 1.0}`, `{_id: 3, k: ["a", 1]}`, `{_id: 4}`, `{_id: 5, k: {x: 1}}`)
	for _, q := range []struct {
		filter      string
		skip, limit int64
		want        int64
	}{{`{}`, 0, 0, 5}, {`{k: 1}`, 0, 0, 3}, {`{k: 1}`, 1, 0, 2}, {`{k: 1}`, 0, 2, 2}, {`{k: 1}`, 2, 2, 1}, {`{k: 9}`, 0, 0, 0}} {
		o := options.Count().SetSkip(q.skip)
		command := bson.D{{Key: "count", Value: "words"}, {Key: "query", Value: doc(t, q.filter)}, {Key: "skip", Value: q.skip}, {Key: "limit", Value: q.limit}}
		if q.limit > 0 {
			o.SetLimit(q.limit)
		}
		if got, err := c.CountDocuments(t.Context(), doc(t, q.filter), o); got != q.want || err != nil {
			t.Errorf("CountDocuments of %+v is %d (%v)", q, got, err)
		}
		var answer struct{ N int64 }
		if err := c.Database().RunCommand(t.Context(), command).Decode(&answer); answer.N != q.want || err != nil {
			t.Errorf("count of %+v is %d (%v)", q, answer.N, err)
		}
	}
	if n, err := c.EstimatedDocumentCount(t.Context()); n != 5 || err != nil {
		t.Errorf("EstimatedDocumentCount is %d (%v)", n, err)
	}
	values, err := c.Distinct(t.Context(), "k", bson.D{}).Raw()
	if got, want := show(bson.RawValue{Type: bson.TypeArray, Value: values}), `[ 1, "a", { x: 1 } ]`; got != want || err != nil {
		t.Errorf("distinct is %s (%v), want %s", got, err, want)
	}
}

// The encoding of a key sorts as the value does, for every pair of values.
func TestKeysSortAsValues(t *testing.T) {
	values := []string{
		`{$minKey: 1}`, `null`,
		`{$numberDouble: "NaN"}`, `{$numberDouble: "-Infinity"}`, `-1e300`, `{$numberLong: "-9223372036854775808"}`, `{$numberLong: "-9007199254740993"}`, `-9007199254740992.0`,
		`-1.5`, `-1`, `-1e-300`, `0`, `{$numberDouble: "-0.0"}`, `1e-300`, `1`, `{$numberLong: "1"}`, `1.0`, `1.5`, `2`, `9007199254740992.0`, `{$numberLong: "9007199254740993"}`,
		`{$numberLong: "9223372036854774784"}`, `{$numberLong: "9223372036854775807"}`, `9223372036854775808.0`, `{$numberDouble: "Infinity"}`,
		`""`, `"\u0000"`, `"\u0000a"`, `"a"`, `"a\u0000b"`, `"ab"`, `"b"`, `"é"`,
		`{}`, `{a: 1}`, `{a: 1.0}`, `{a: 1, b: 0}`, `{a: 2}`, `{b: 0}`, `{a: "x"}`,
		`[]`, `[1]`, `[1, 0]`, `[2]`, `["a"]`, `[[1]]`,
		`{$binary: {base64: "", subType: "00"}}`, `{$binary: {base64: "AQ==", subType: "00"}}`, `{$binary: {base64: "AQ==", subType: "05"}}`, `{$binary: {base64: "AAA=", subType: "00"}}`,
		`{$oid: "000000000000000000000001"}`, `{$oid: "ff0000000000000000000000"}`, `false`, `true`,
		`{$date: {$numberLong: "-1"}}`, `{$date: {$numberLong: "0"}}`, `{$date: {$numberLong: "1"}}`,
		`{$timestamp: {t: 1, i: 2}}`, `{$timestamp: {t: 4294967295, i: 0}}`, `{$maxKey: 1}`,
	}
	var parsed []bson.RawValue
	for _, v := range values {
		parsed = append(parsed, lookup(raw(t, `{v: `+v+`}`), "v"))
	}
	sign := func(i int) int { return max(-1, min(1, i)) }
	for i, a := range parsed {
		if i > 0 && compareValues(parsed[i-1], a) > 0 {
			t.Errorf("%s is listed before %s, which is less", values[i-1], values[i])
		}
		for j, b := range parsed {
			byValue, byKey := compareValues(a, b), compareKeys(a, b)
			if sign(byValue) != sign(byKey) {
				t.Errorf("%s and %s: by value %d, by key %d", values[i], values[j], byValue, byKey)
			}
			if sign(byValue) != -sign(compareValues(b, a)) {
				t.Errorf("%s and %s: not the opposite of the reverse", values[i], values[j])
			}
		}
	}
	if compareValues(int64Value(math.MaxInt64), doubleValue(math.MaxInt64)) >= 0 {
		t.Error("2^63-1 is not less than 2^63")
	}
}

func compareKeys(a, b bson.RawValue) int {
	return bytes.Compare(appendKey(nil, a), appendKey(nil, b))
}
