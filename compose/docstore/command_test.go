package docstore

import (
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// What the server does not have is refused with MongoDB's code and by its name.
func TestCommandsRefuse(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 1, a: 1}`)
	for _, q := range []struct {
		command string
		code    int
		names   string
	}{
		{`{noSuchThing: 1}`, codeCommandNotFound, "'noSuchThing'"},
		{`{explain: {find: "words"}}`, codeCommandNotFound, "'explain'"},
		{`{find: "words", colour: 1}`, codeUnknownField, "'find.colour'"},
		{`{find: "words", filter: 1}`, codeTypeMismatch, "'find.filter'"},
		{`{find: "words", limit: -1}`, codeOutOfRange, "'limit'"},
		{`{find: "words", limit: 1.5}`, codeFailedToParse, "limit"},
		{`{find: "words", collation: {locale: "de"}}`, codeCommandNotSupported, "'collation'"},
		{`{find: "words", tailable: true}`, codeCommandNotSupported, "'tailable'"},
		{`{find: "words", hint: "none_1"}`, codeBadValue, "none_1"},
		{`{find: "words", hint: {z: 1}}`, codeBadValue, "z: 1"},
		{`{find: "words", sort: {a: 0}}`, codeBadSortOrder, "a: 0"},
		{`{find: "words", projection: {a: {$slice: 1}}}`, codeBadValue, "$slice"},
		{`{find: "words", projection: {a: 1, b: 0}}`, codeExclusionInInclusion, "b"},
		{`{find: "words", projection: {a: 0, b: 1}}`, codeInclusionInExclusion, "b"},
		{`{find: ""}`, codeInvalidNamespace, "test."},
		{`{find: "a$b"}`, codeInvalidNamespace, "a$b"},
		{`{find: 1}`, codeInvalidNamespace, "int"},
		{`{find: "words", txnNumber: {$numberLong: "1"}}`, codeIllegalOperation, "txnNumber"},
		{`{find: "words", readConcern: {level: "linearizable"}}`, codeNotAReplicaSet, "linearizable"},
		{`{find: "words", apiVersion: "2"}`, codeAPIVersionError, "2"},
		{`{insert: "words"}`, codeMissingField, "'insert.documents'"},
		{`{insert: "words", documents: []}`, codeInvalidLength, "between 1"},
		{`{insert: "words", documents: [1]}`, codeTypeMismatch, "documents.0"},
		{`{insert: "words", documents: [{a: 1}], writeConcern: {w: 2}}`, codeBadValue, "w: 2"},
		{`{update: "words", updates: [{q: {}, u: {}, colour: 1}]}`, codeUnknownField, "colour"},
		{`{update: "words", updates: [{q: {}, u: {$set: {a: 1}}, arrayFilters: [{x: 1}]}]}`, codeCommandNotSupported, "arrayFilters"},
		{`{update: "words", updates: [{q: {}}]}`, codeMissingField, "'update.updates.u'"},
		{`{delete: "words", deletes: [{q: {}}]}`, codeMissingField, "limit"},
		{`{findAndModify: "words", query: {}}`, codeFailedToParse, "remove=true"},
		{`{findAndModify: "words", query: {}, update: [{$set: {a: 1}}]}`, codeFailedToParse, "pipeline"},
		{`{createIndexes: "words", indexes: []}`, codeBadValue, "at least one"},
		{`{createIndexes: "words", indexes: [{key: {a: 1}, name: "a_1", sparse: true}]}`, codeCommandNotSupported, "'sparse'"},
		{`{createIndexes: "words", indexes: [{key: {a: 1}, name: "a_1", colour: 1}]}`, codeUnknownField, "colour"},
		{`{createIndexes: "words", indexes: [{key: {a: "text"}, name: "a_text"}]}`, codeCannotCreateIndex, "\"text\""},
		{`{listIndexes: "none"}`, codeNamespaceNotFound, "test.none"},
		{`{dropIndexes: "words", index: "none"}`, codeIndexNotFound, "none"},
		{`{dropIndexes: "words", index: "_id_"}`, codeInvalidOptions, "_id"},
		{`{create: "words"}`, codeNamespaceExists, "test.words"},
		{`{create: "capped", capped: true, size: 100}`, codeCommandNotSupported, "'capped'"},
		{`{getMore: {$numberLong: "5"}, collection: "words"}`, codeCursorNotFound, "5"},
		{`{getMore: 5, collection: "words"}`, codeTypeMismatch, "getMore"},
		{`{getParameter: 1, logLevel: 1}`, codeInvalidOptions, "logLevel"},
		{`{saslStart: 1, mechanism: "SCRAM-SHA-256"}`, codeCommandNotSupported, "authentication is not supported"},
		{`{listDatabases: 1}`, codeUnauthorized, "admin"},
	} {
		_, err := run(t, c.Database(), q.command)
		wantCode(t, err, q.code, q.names)
	}
	_, err := c.Database().RunCommand(t.Context(), bson.D{{Key: "ping", Value: 1}, {Key: "ping", Value: 2}}).Raw()
	wantCode(t, err, codeDuplicateField, "ping")
	// A statement that is wrong in what it says is a write error.
	answer, err := run(t, c.Database(), `{update: "words", updates: [{q: {$foo: 1}, u: {$set: {a: 2}}}, {q: {}, u: {$set: {a: 3}}}], ordered: false}`)
	if err == nil || !strings.Contains(err.Error(), "$foo") {
		t.Errorf("update with a bad filter: %s, %v", answer, err)
	}
	cursor, err := c.Find(t.Context(), bson.D{})
	if got := allOf(t, cursor, err); got != "{ _id: 1, a: 3 }" {
		t.Errorf("the good statement was not executed: %s", got)
	}
}

// Options that ask for nothing, or for what is always so, are no reason to refuse.
func TestHarmlessOptions(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 1, a: 1}`)
	for _, command := range []string{
		`{find: "words", collation: {locale: "simple"}, tailable: false, allowDiskUse: true, comment: "x", maxTimeMS: 10000, lsid: {id: 1}, hint: "_id_"}`,
		`{find: "words", readConcern: {level: "majority"}, hint: {$natural: 1}}`,
		`{insert: "words", documents: [{_id: 2}], writeConcern: {w: "majority", j: true, wtimeout: 10}, bypassDocumentValidation: true}`,
		`{count: "words", hint: {_id: 1}}`,
		`{killCursors: "words", cursors: [{$numberLong: "5"}]}`,
		`{endSessions: []}`, `{ping: 1}`, `{buildInfo: 1}`, `{connectionStatus: 1, showPrivileges: true}`, `{whatsmyuri: 1}`, `{hello: 1}`,
		`{drop: "none"}`,
	} {
		if _, err := run(t, c.Database(), command); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestIndexes(t *testing.T) {
	c := words(t)
	one := func(name, keys string, unique bool) error {
		_, err := c.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: doc(t, keys), Options: options.Index().SetName(name).SetUnique(unique)})
		return err
	}
	for range 2 { // the second time nothing is left to do
		if err := one("w", `{w: 1}`, true); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, one("w", `{w: -1}`, true), codeIndexKeySpecsConflict, `"w"`)
	wantCode(t, one("w", `{w: 1}`, false), codeIndexKeySpecsConflict, `"w"`)
	wantCode(t, one("v", `{w: 1}`, true), codeIndexOptionsConflict, "w")
	fill(t, c, `{_id: 1, w: 1, k: 1}`, `{_id: 2, w: [2, 3], k: 1}`, `{_id: 3}`)
	for d, value := range map[string]string{`{w: 1.0}`: "w: 1", `{w: 3}`: "w: 3", `{w: [5, 2]}`: "w: 2", `{w: null}`: "w: null", `{}`: "w: null"} {
		_, err := c.InsertOne(t.Context(), doc(t, d))
		wantCode(t, err, codeDuplicateKey, value)
	}
	if _, err := c.InsertOne(t.Context(), doc(t, `{_id: 4, w: [6, 6]}`)); err != nil {
		t.Errorf("a document does not conflict with itself: %v", err)
	}
	// Two indexes at once, of which the second is refused: neither is made.
	_, err := c.Indexes().CreateMany(t.Context(), []mongo.IndexModel{{Keys: doc(t, `{z: 1}`)}, {Keys: doc(t, `{k: 1}`), Options: options.Index().SetUnique(true)}})
	wantCode(t, err, codeDuplicateKey, "k: 1")
	if !mongo.IsDuplicateKeyError(err) {
		t.Errorf("the driver does not know %v for a duplicate key", err)
	}
	names := func() string {
		cursor, err := c.Indexes().List(t.Context())
		return allOf(t, cursor, err)
	}
	if got, want := names(), "{ v: 2, key: { _id: 1 }, name: \"_id_\" }\n{ v: 2, key: { w: 1 }, name: \"w\", unique: true }"; got != want {
		t.Errorf("indexes are\n%s\nwant\n%s", got, want)
	}
	if err := c.Indexes().DropOne(t.Context(), "w"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.InsertOne(t.Context(), doc(t, `{w: 3}`)); err != nil {
		t.Errorf("the index is dropped but still refuses: %v", err)
	}
}

func TestCollectionsAndDatabases(t *testing.T) {
	client := connect(t, serve(t, t.TempDir()))
	a, b := client.Database("a"), client.Database("b")
	fill(t, a.Collection("x"), `{_id: 1}`)
	fill(t, a.Collection("y"), `{_id: 1}`)
	fill(t, b.Collection("x"), `{_id: 1}`)
	if err := b.CreateCollection(t.Context(), "empty"); err != nil {
		t.Fatal(err)
	}
	check := func(want ...string) {
		t.Helper()
		var got []string
		dbs, err := client.ListDatabaseNames(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for _, db := range dbs {
			names, err := client.Database(db).ListCollectionNames(t.Context(), bson.D{})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				got = append(got, db+"."+n)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("collections are %v, want %v", got, want)
		}
	}
	check("a.x", "a.y", "b.empty", "b.x")
	if err := a.Collection("x").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("a.y", "b.empty", "b.x")
	if err := b.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("a.y")
	specs, err := client.ListDatabases(t.Context(), doc(t, `{name: "a"}`))
	if err != nil || len(specs.Databases) != 1 || specs.Databases[0].SizeOnDisk <= 0 {
		t.Errorf("list of databases: %+v (%v)", specs, err)
	}
	if names, err := a.ListCollectionNames(t.Context(), doc(t, `{name: "nope"}`)); len(names) != 0 || err != nil {
		t.Errorf("filtered list: %v (%v)", names, err)
	}
}

func TestServerStatusCounts(t *testing.T) {
	client := connect(t, serve(t, t.TempDir()))
	c := client.Database("test").Collection("words")
	type status struct {
		Opcounters  struct{ Insert, Query, Update, Delete, Getmore, Command int64 }
		Connections struct{ Current, TotalCreated int64 }
		Mem         struct {
			Resident, Virtual int64
			Supported         bool
		}
		Metrics struct {
			Document struct{ Inserted, Updated, Deleted, Returned int64 }
		}
		Host, Version string
		Pid           int64
		UptimeMillis  int64
	}
	read := func() (s status) {
		t.Helper()
		if err := client.Database("admin").RunCommand(t.Context(), doc(t, `{serverStatus: 1, network: 0}`)).Decode(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := read()
	fill(t, c, `{_id: 0}`)
	if _, err := c.InsertMany(t.Context(), []any{doc(t, `{_id: 1}`), doc(t, `{_id: 2}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateMany(t.Context(), bson.D{}, doc(t, `{$set: {a: 1}}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateOne(t.Context(), doc(t, `{_id: 9}`), doc(t, `{$set: {a: 1}}`), options.UpdateOne().SetUpsert(true)); err != nil {
		t.Fatal(err)
	}
	if err := c.FindOneAndUpdate(t.Context(), doc(t, `{_id: 1}`), doc(t, `{$set: {a: 5}}`)).Err(); err != nil {
		t.Fatal(err)
	}
	cursor, err := c.Find(t.Context(), bson.D{}, options.Find().SetBatchSize(3))
	allOf(t, cursor, err)
	if _, err := c.DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	after := read()
	o, p := after.Opcounters, before.Opcounters
	got := [...]int64{o.Insert - p.Insert, o.Query - p.Query, o.Update - p.Update, o.Delete - p.Delete, o.Getmore - p.Getmore}
	if want := [...]int64{3, 1, 2, 1, 1}; got != want {
		t.Errorf("insert, query, update, delete, getmore grew by %v, want %v", got, want)
	}
	// findAndModify and serverStatus itself; the driver may add a hello.
	if d := o.Command - p.Command; d < 2 {
		t.Errorf("command grew by %d, want at least 2", d)
	}
	m, n := after.Metrics.Document, before.Metrics.Document
	if docs, want := [...]int64{m.Inserted - n.Inserted, m.Updated - n.Updated, m.Deleted - n.Deleted, m.Returned - n.Returned}, [...]int64{4, 4, 4, 4}; docs != want {
		t.Errorf("inserted, updated, deleted, returned grew by %v, want %v", docs, want)
	}
	if after.Connections.Current < 1 || after.Connections.TotalCreated < after.Connections.Current || after.Pid == 0 || after.Version != version {
		t.Errorf("status is %+v", after)
	}
	if after.Mem.Supported && (after.Mem.Resident <= 0 || after.Mem.Virtual < after.Mem.Resident) {
		t.Errorf("mem is %+v", after.Mem)
	}
	var all bson.M
	if err := client.Database("admin").RunCommand(t.Context(), doc(t, `{serverStatus: 1, opcounters: 0}`)).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if _, there := all["opcounters"]; there || all["network"] == nil {
		t.Errorf("{opcounters: 0} gave the sections %v", all)
	}
}

// A clock that has moved past the deadline when it is next looked at.
func TestMaxTimeMS(t *testing.T) {
	r := &request{name: "find", args: map[string]bson.RawValue{"maxTimeMS": int32Value(5)}}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r.now = func() time.Time { return at }
	if err := r.setDeadline(); err != nil {
		t.Fatal(err)
	}
	if err := r.checkTime(); err != nil {
		t.Errorf("at once: %v", err)
	}
	at = at.Add(5 * time.Millisecond)
	if err := asCommandError(r.checkTime()); err.code != codeMaxTimeMSExpired {
		t.Errorf("after 5 ms: %v", err)
	}
}
