package docstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

func uniqueName(t testing.TB, c *mongo.Collection) error {
	t.Helper()
	_, err := c.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "name", Value: 1}}, Options: options.Index().SetUnique(true)})
	return err
}

func TestUpsertsByManyWritersAreAllCounted(t *testing.T) {
	const writers, each, vocabulary = 32, 20, 7
	c := words(t)
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("w%d", (w+i)%vocabulary)
				_, err := c.UpdateOne(t.Context(), bson.D{{Key: "name", Value: name}},
					bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
				if err != nil {
					t.Errorf("upsert: %v", err)
				}
			}
		})
	}
	wg.Wait()
	want := make(map[string]int64)
	for w := range writers {
		for i := range each {
			want[fmt.Sprintf("w%d", (w+i)%vocabulary)]++
		}
	}
	cursor, err := c.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Name  string
		Count int64
	}
	if err := cursor.All(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != vocabulary {
		t.Errorf("%d documents, want %d", len(got), vocabulary)
	}
	for _, g := range got {
		if g.Count != want[g.Name] {
			t.Errorf("%s counts %d, want %d", g.Name, g.Count, want[g.Name])
		}
	}
}

func TestOneOfManyRacingInsertsWins(t *testing.T) {
	c := words(t)
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := c.InsertOne(t.Context(), bson.D{{Key: "name", Value: "it"}})
			switch {
			case err == nil:
				won.Add(1)
			case mongo.IsDuplicateKeyError(err):
				lost.Add(1)
			default:
				t.Errorf("insert: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won and %d lost, want 1 and 15", won.Load(), lost.Load())
	}
	_, err := c.InsertOne(t.Context(), bson.D{{Key: "name", Value: "it"}})
	const text = `E11000 duplicate key error collection: test.words index: name_1 dup key: { name: "it" }`
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v, want the text %s", err, text)
	}
	var we mongo.WriteException
	if !errors.As(err, &we) || showDocument(we.WriteErrors[0].Raw.Lookup("keyValue").Document()) != `{ name: "it" }` {
		t.Errorf("error %v has no keyValue", err)
	}
}

// Each case runs in a collection of its own: documents, an update, and what is
// there afterwards or the error's code.
func TestUpdate(t *testing.T) {
	client := connect(t, serve(t, t.TempDir()))
	for i, c := range []struct {
		about        string
		docs         []string
		query, with  string
		upsert, many bool
		want         string // without _id where that was generated
		matched      int64
		modified     int64
		code         int
		names        string
	}{
		{about: "$inc keeps an int", docs: []string{`{_id: 1, n: 1}`}, query: `{_id: 1}`, with: `{$inc: {n: 2}}`, want: `{ _id: 1, n: 3 }`, matched: 1, modified: 1},
		{about: "$inc of an int grows into a long", docs: []string{`{_id: 1, n: 2147483647}`}, query: `{_id: 1}`, with: `{$inc: {n: 1}}`, want: `{ _id: 1, n: 2147483648 }`, matched: 1, modified: 1},
		{about: "$inc by a double", docs: []string{`{_id: 1, n: 1}`}, query: `{_id: 1}`, with: `{$inc: {n: 0.5}}`, want: `{ _id: 1, n: 1.5 }`, matched: 1, modified: 1},
		{about: "$inc of a long does not overflow", docs: []string{`{_id: 1, n: {$numberLong: "9223372036854775807"}}`}, query: `{_id: 1}`, with: `{$inc: {n: 1}}`, code: 2, names: "9223372036854775807"},
		{about: "$inc of a string", docs: []string{`{_id: 1, n: "x"}`}, query: `{_id: 1}`, with: `{$inc: {n: 1}}`, code: 14, names: "'n' of non-numeric type string"},
		{about: "$inc by a string", docs: []string{`{_id: 1}`}, query: `{_id: 1}`, with: `{$inc: {n: "x"}}`, code: 14, names: "n"},
		{about: "$inc by zero changes nothing", docs: []string{`{_id: 1, n: 1}`}, query: `{_id: 1}`, with: `{$inc: {n: 0}}`, want: `{ _id: 1, n: 1 }`, matched: 1},
		{about: "$set makes documents on the way", docs: []string{`{_id: 1}`}, query: `{_id: 1}`, with: `{$set: {"a.b.c": 1, "a.d": 2}}`, want: `{ _id: 1, a: { b: { c: 1 }, d: 2 } }`, matched: 1, modified: 1},
		{about: "$set through a number", docs: []string{`{_id: 1, a: 1}`}, query: `{_id: 1}`, with: `{$set: {"a.b": 1}}`, code: 28, names: "'b'"},
		{about: "$set of an array's item", docs: []string{`{_id: 1, a: [1]}`}, query: `{_id: 1}`, with: `{$set: {"a.0": 2}}`, code: 2, names: "'0'"},
		{about: "$unset", docs: []string{`{_id: 1, a: 1, b: {c: 1, d: 1}}`}, query: `{_id: 1}`, with: `{$unset: {a: "", "b.c": "", "x.y": ""}}`, want: `{ _id: 1, b: { d: 1 } }`, matched: 1, modified: 1},
		{about: "_id stays", docs: []string{`{_id: 1}`}, query: `{_id: 1}`, with: `{$set: {_id: 2}}`, code: 66, names: "_id"},
		{about: "conflict", docs: []string{`{_id: 1}`}, query: `{_id: 1}`, with: `{$set: {a: 1}, $inc: {"a.b": 1}}`, code: 40, names: "'a.b'"},
		{about: "unknown operator", docs: []string{`{_id: 1}`}, query: `{_id: 1}`, with: `{$push: {a: 1}}`, code: 9, names: "$push"},
		{about: "many", docs: []string{`{_id: 1, k: 1}`, `{_id: 2, k: 1}`, `{_id: 3, k: 2}`}, query: `{k: 1}`, with: `{$inc: {n: 1}}`, many: true, want: "{ _id: 1, k: 1, n: 1 }\n{ _id: 2, k: 1, n: 1 }\n{ _id: 3, k: 2 }", matched: 2, modified: 2},
		{about: "one of many", docs: []string{`{_id: 1, k: 1}`, `{_id: 2, k: 1}`}, query: `{k: 1}`, with: `{$inc: {n: 1}}`, want: "{ _id: 1, k: 1, n: 1 }\n{ _id: 2, k: 1 }", matched: 1, modified: 1},
		{about: "no match", docs: []string{`{_id: 1}`}, query: `{_id: 2}`, with: `{$inc: {n: 1}}`, want: `{ _id: 1 }`},
		{about: "upsert", query: `{_id: 5, k: "a", "x.y": 1, n: {$gt: 3}}`, with: `{$inc: {n: 1}, $setOnInsert: {z: true}}`, upsert: true, want: `{ _id: 5, k: "a", x: { y: 1 }, n: 1, z: true }`},
		{about: "upsert takes $eq and $and", query: `{$and: [{_id: {$eq: 5}}, {k: 1}]}`, with: `{$set: {n: 1}}`, upsert: true, want: `{ _id: 5, k: 1, n: 1 }`},
		{about: "upsert of a contradiction", query: `{k: 1, $and: [{k: 1}]}`, with: `{$set: {n: 1}}`, upsert: true, code: 54, names: "'k'"},
		{about: "upsert does not $setOnInsert what is there", docs: []string{`{_id: 1}`}, query: `{_id: 1}`, with: `{$setOnInsert: {z: 1}}`, upsert: true, want: `{ _id: 1 }`, matched: 1},
	} {
		t.Run(c.about, func(t *testing.T) {
			coll := client.Database("test").Collection(fmt.Sprintf("c%d", i))
			fill(t, coll, c.docs...)
			update := coll.UpdateOne
			var o options.Lister[options.UpdateOneOptions] = options.UpdateOne().SetUpsert(c.upsert)
			var res *mongo.UpdateResult
			var err error
			if c.many {
				res, err = coll.UpdateMany(t.Context(), doc(t, c.query), doc(t, c.with))
			} else {
				res, err = update(t.Context(), doc(t, c.query), doc(t, c.with), o)
			}
			if c.code != 0 {
				wantCode(t, err, c.code, c.names)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if res.MatchedCount != c.matched || res.ModifiedCount != c.modified {
				t.Errorf("matched %d and modified %d, want %d and %d", res.MatchedCount, res.ModifiedCount, c.matched, c.modified)
			}
			cursor, err := coll.Find(t.Context(), bson.D{})
			if got := allOf(t, cursor, err); got != c.want {
				t.Errorf("documents are\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestReplace(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 1, a: 1}`)
	if _, err := c.ReplaceOne(t.Context(), doc(t, `{a: 1}`), doc(t, `{b: 2}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReplaceOne(t.Context(), doc(t, `{_id: 9, q: 1}`), doc(t, `{b: 3}`), options.Replace().SetUpsert(true)); err != nil {
		t.Fatal(err)
	}
	_, err := c.ReplaceOne(t.Context(), doc(t, `{_id: 1}`), doc(t, `{_id: 2}`))
	wantCode(t, err, codeImmutableField, "_id")
	cursor, err := c.Find(t.Context(), bson.D{})
	if got, want := allOf(t, cursor, err), "{ _id: 1, b: 2 }\n{ _id: 9, b: 3 }"; got != want {
		t.Errorf("documents are\n%s\nwant\n%s", got, want)
	}
}

func TestInsert(t *testing.T) {
	c := words(t)
	res, err := c.InsertOne(t.Context(), doc(t, `{a: 1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := res.InsertedID.(bson.ObjectID); !ok {
		t.Errorf("_id is %T", res.InsertedID)
	}
	// The driver adds an _id; a bare command leaves that to the server.
	if _, err := run(t, c.Database(), `{insert: "bare", documents: [{a: 1}]}`); err != nil {
		t.Fatal(err)
	}
	var d bson.Raw
	if d, err = c.Database().Collection("bare").FindOne(t.Context(), bson.D{}).Raw(); err != nil {
		t.Fatal(err)
	}
	if first := d.Index(0); first.Key() != "_id" || first.Value().Type != bson.TypeObjectID {
		t.Errorf("stored as %s, want an ObjectId in front", showDocument(d))
	}
	for _, bad := range []struct {
		doc   string
		code  int
		names string
	}{
		{`{_id: [1]}`, codeInvalidIDField, "array"},
		{`{_id: {$x: 1}}`, codeDollarPrefixedFieldName, "$x"},
		{`{$a: 1}`, codeDollarPrefixedFieldName, "$a"},
		{`{a: {b: {$numberDecimal: "1.5"}}}`, codeBadValue, "'a.b'"},
		{`{a: [{$regularExpression: {pattern: "x", options: ""}}]}`, codeBadValue, "'a.0'"},
	} {
		_, err := c.InsertOne(t.Context(), doc(t, bad.doc))
		wantCode(t, err, bad.code, bad.names)
	}
	_, err = c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: strings.Repeat("k", maxKey)}})
	wantCode(t, err, codeKeyTooLong, "_id_")
}

func TestOrderedInsertStopsAndUnorderedGoesOn(t *testing.T) {
	c := words(t)
	docs := bson.A{doc(t, `{_id: 1}`), doc(t, `{_id: 1}`), doc(t, `{_id: 2}`)}
	_, err := c.InsertMany(t.Context(), docs)
	if !mongo.IsDuplicateKeyError(err) {
		t.Errorf("ordered: error is %v", err)
	}
	if n, err := c.CountDocuments(t.Context(), bson.D{}); n != 1 || err != nil {
		t.Errorf("ordered: %d documents (%v), want 1", n, err)
	}
	_, err = c.InsertMany(t.Context(), docs, options.InsertMany().SetOrdered(false))
	var be mongo.BulkWriteException
	if !errors.As(err, &be) || len(be.WriteErrors) != 2 {
		t.Errorf("unordered: error is %v, want two write errors", err)
	}
	if n, err := c.CountDocuments(t.Context(), bson.D{}); n != 2 || err != nil {
		t.Errorf("unordered: %d documents (%v), want 2", n, err)
	}
}

// The answer to a command with many errors stays small: the later ones lose
// their text, but not their code.
func TestManyErrorsAreBrief(t *testing.T) {
	c := words(t)
	long := bson.D{{Key: "_id", Value: strings.Repeat("x", 4096)}}
	docs := make([]any, 500)
	for i := range docs {
		docs[i] = long
	}
	_, err := c.InsertMany(t.Context(), docs, options.InsertMany().SetOrdered(false))
	var be mongo.BulkWriteException
	if !errors.As(err, &be) || len(be.WriteErrors) != len(docs)-1 {
		t.Fatalf("%d errors, want %d", len(be.WriteErrors), len(docs)-1)
	}
	text := 0
	for _, we := range be.WriteErrors {
		text += len(we.Message)
		if we.Code != codeDuplicateKey {
			t.Fatalf("error %+v", we)
		}
	}
	if text == 0 || text > maxErrorText {
		t.Errorf("%d bytes of text, want 1 to %d", text, maxErrorText)
	}
}

func TestDelete(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 1, k: 1}`, `{_id: 2, k: 1}`, `{_id: 3, k: 1}`, `{_id: 4, k: 2}`)
	one, err := c.DeleteOne(t.Context(), doc(t, `{k: 1}`))
	if err != nil || one.DeletedCount != 1 {
		t.Errorf("delete one: %v, %v", one, err)
	}
	many, err := c.DeleteMany(t.Context(), doc(t, `{k: 1}`))
	if err != nil || many.DeletedCount != 2 {
		t.Errorf("delete many: %v, %v", many, err)
	}
	cursor, err := c.Find(t.Context(), bson.D{})
	if got := allOf(t, cursor, err); got != "{ _id: 4, k: 2 }" {
		t.Errorf("left: %s", got)
	}
}

func TestFindAndModify(t *testing.T) {
	c := words(t)
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	inc := doc(t, `{$inc: {count: 1}, $setOnInsert: {born: true}}`)
	after := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After).SetProjection(doc(t, `{_id: 0}`))
	for i := 1; i <= 3; i++ {
		got, err := c.FindOneAndUpdate(t.Context(), doc(t, `{name: "a"}`), inc, after).Raw()
		if want := fmt.Sprintf(`{ name: "a", born: true, count: %d }`, i); err != nil || !sameFields(got, raw(t, want)) {
			t.Errorf("round %d: %s (%v), want %s", i, showDocument(got), err, want)
		}
	}
	err := c.FindOneAndUpdate(t.Context(), doc(t, `{name: "b"}`), inc, options.FindOneAndUpdate().SetUpsert(true)).Err()
	if !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("upsert answering the document before: %v, want none", err)
	}
	err = c.FindOneAndUpdate(t.Context(), doc(t, `{name: "b"}`), doc(t, `{$set: {name: "a"}}`)).Err()
	if !mongo.IsDuplicateKeyError(err) {
		t.Errorf("duplicate: %v", err)
	}
	got, err := c.FindOneAndDelete(t.Context(), bson.D{}, options.FindOneAndDelete().SetSort(doc(t, `{count: 1}`)).SetProjection(doc(t, `{name: 1, _id: 0}`))).Raw()
	if err != nil || showDocument(got) != `{ name: "b" }` {
		t.Errorf("removed %s (%v), want b", showDocument(got), err)
	}
	got, err = c.FindOneAndReplace(t.Context(), doc(t, `{name: "a"}`), doc(t, `{name: "z"}`), options.FindOneAndReplace().SetProjection(doc(t, `{name: 1, _id: 0}`))).Raw()
	if err != nil || showDocument(got) != `{ name: "a" }` {
		t.Errorf("replaced %s (%v), want a", showDocument(got), err)
	}
}

// sameFields compares documents without regard to the order of their fields.
func sameFields(a, b bson.Raw) bool {
	n := 0
	for name, v := range elements(a) {
		if compareValues(v, lookup(b, name)) != 0 {
			return false
		}
		n++
	}
	for range elements(b) {
		n--
	}
	return n == 0
}

// A write that spoils its transaction must not take others with it.
func TestOneSpoiltWriteLeavesTheOthers(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	hold := make(chan struct{})
	first := make(chan struct{})
	var once sync.Once
	broken := errors.New("broken")
	var wg sync.WaitGroup
	wg.Go(func() {
		// Keeps the committing goroutine busy until the others wait behind it.
		err := s.update(func(*txn) error {
			once.Do(func() { close(first); <-hold })
			return nil
		})
		if err != nil {
			t.Errorf("first write: %v", err)
		}
	})
	<-first
	var sent sync.WaitGroup
	for i := range 9 {
		sent.Add(1)
		wg.Go(func() {
			// Only the channel matters here: once the write is in it, it is in
			// the batch that follows.
			w := write{done: make(chan error, 1), do: func(tx *txn) error {
				if err := tx.bucket(catalogBucket).put([]byte{byte(i)}, []byte("x")); err != nil {
					return err
				}
				if i%3 == 0 {
					return broken
				}
				return nil
			}}
			s.writes <- w
			sent.Done()
			if err := <-w.done; (i%3 == 0) != errors.Is(err, broken) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	sent.Wait()
	close(hold)
	wg.Wait()
	err = s.view(func(tx *txn) error {
		for i := range 9 {
			value, err := tx.bucket(catalogBucket).get([]byte{byte(i)})
			if there := value != nil; err != nil || there == (i%3 == 0) {
				t.Errorf("write %d: stored is %t (%v)", i, there, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Undo, so that the catalog can be read again.
	if err := s.update(func(tx *txn) error {
		for i := range 9 {
			if err := tx.bucket(catalogBucket).delete([]byte{byte(i)}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestDocumentsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	addr, stop := start(t, Config{Dir: dir})
	client := connect(t, addr)
	c := client.Database("test").Collection("words")
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	fill(t, c, `{_id: 1, name: "a"}`)
	if _, err := open(dir, bbolt.Options{Timeout: time.Millisecond}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second Open: %v", err)
	}
	stop()
	c = connect(t, serve(t, dir)).Database("test").Collection("words")
	cursor, err := c.Find(t.Context(), doc(t, `{name: "a"}`))
	if got := allOf(t, cursor, err); got != `{ _id: 1, name: "a" }` {
		t.Errorf("after the restart: %s", got)
	}
	if _, err := c.InsertOne(t.Context(), doc(t, `{name: "a"}`)); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("the unique index is gone: %v", err)
	}
}

func TestUnacknowledgedWrites(t *testing.T) {
	client := connect(t, serve(t, t.TempDir()))
	c := client.Database("test").Collection("words", options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
	for i := range 50 {
		if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: i}}); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing says when they are done, so ask until they are.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	acknowledged := client.Database("test").Collection("words")
	for n := int64(0); n < 50; {
		var err error
		if n, err = acknowledged.CountDocuments(ctx, bson.D{}); err != nil {
			t.Fatalf("%d of 50 unacknowledged inserts arrived: %v", n, err)
		}
	}
}

func TestAddNumbers(t *testing.T) {
	for _, c := range []struct {
		a, b bson.RawValue
		want string
		ok   bool
	}{
		{int32Value(1), int32Value(-1), "int 0", true},
		{int32Value(math.MinInt32), int32Value(-1), "long -2147483649", true},
		{int64Value(1), int32Value(1), "long 2", true},
		{int64Value(math.MaxInt64), int64Value(1), "", false},
		{int64Value(math.MinInt64), int64Value(-1), "", false},
		{int64Value(math.MinInt64), int64Value(math.MaxInt64), "long -1", true},
		{int64Value(5), int64Value(0), "long 5", true},
		{doubleValue(0.5), int64Value(1), "double 1.5", true},
	} {
		got, ok := add(c.a, c.b)
		if ok != c.ok || ok && typeName(got.Type)+" "+show(got) != c.want {
			t.Errorf("%s + %s = %s %s, %t; want %s, %t", show(c.a), show(c.b), typeName(got.Type), show(got), ok, c.want, c.ok)
		}
	}
}
