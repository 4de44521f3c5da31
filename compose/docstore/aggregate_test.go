package docstore

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func pipeline(t testing.TB, json string) bson.A {
	t.Helper()
	var a bson.A
	return append(a, doc(t, `{p: `+json+`}`)[0].Value.(bson.A)...)
}

func TestAggregate(t *testing.T) {
	c := words(t)
	fill(t, c, `{_id: 1, w: "a", k: "x", n: 1}`, `{_id: 2, w: "b", k: "x", n: 2.5}`, `{_id: 3, w: "c", k: "y", n: {$numberLong: "9223372036854775807"}}`,
		`{_id: 4, w: "d", k: "y", n: {$numberLong: "1"}}`, `{_id: 5, w: "e", n: "no number", s: [{t: 1}, {t: 2}]}`)
	for _, q := range []struct{ pipeline, want string }{
		{`[{$match: {k: "x"}}, {$project: {w: 1}}]`, "{ _id: 1, w: \"a\" }\n{ _id: 2, w: \"b\" }"},
		{`[{$match: {_id: {$lt: 3}}}, {$group: {_id: null, n: {$sum: "$n"}, avg: {$avg: "$n"}, docs: {$sum: 1}, min: {$min: "$w"}, max: {$max: "$w"}}}]`,
			`{ _id: null, n: 3.5, avg: 1.75, docs: 2, min: "a", max: "b" }`},
		{`[{$group: {_id: "$k", docs: {$sum: 1}}}, {$sort: {docs: -1, _id: -1}}]`, "{ _id: \"y\", docs: 2 }\n{ _id: \"x\", docs: 2 }\n{ _id: null, docs: 1 }"},
		{`[{$match: {k: "y"}}, {$group: {_id: "$k", n: {$sum: "$n"}}}]`, `{ _id: "y", n: 9.223372036854776e+18 }`},
		{`[{$match: {_id: 3}}, {$group: {_id: 1, n: {$sum: "$n"}}}]`, `{ _id: 1, n: 9223372036854775807 }`},
		{`[{$match: {_id: 5}}, {$group: {_id: 1, n: {$sum: "$n"}, a: {$avg: "$n"}, m: {$min: "$zz"}}}]`, `{ _id: 1, n: 0, a: null, m: null }`},
		{`[{$group: {_id: {k: "$k", one: {$literal: 1}}, n: {$sum: 1}}}, {$match: {n: 1}}]`, `{ _id: { one: 1 }, n: 1 }`},
		{`[{$match: {k: "none"}}, {$group: {_id: null, n: {$sum: 1}}}]`, ""},
		{`[{$match: {k: "x"}}, {$count: "docs"}]`, "{ docs: 2 }"},
		{`[{$match: {k: "none"}}, {$count: "docs"}]`, ""},
		{`[{$sort: {w: -1}}, {$skip: 1}, {$limit: 2}, {$project: {_id: 1}}]`, "{ _id: 4 }\n{ _id: 3 }"},
		{`[{$sort: {w: -1}}, {$limit: 2}, {$project: {_id: 1}}]`, "{ _id: 5 }\n{ _id: 4 }"},
		{`[{$limit: 2}, {$sort: {w: -1}}, {$project: {_id: 1}}]`, "{ _id: 2 }\n{ _id: 1 }"},
		{`[{$match: {_id: 1}}, {$project: {word: "$w", both: {w: "$w", q: "$q"}, _id: 0}}]`, `{ word: "a", both: { w: "a" } }`},
		{`[{$match: {_id: 5}}, {$project: {t: "$s.t", gone: "$x.y"}}]`, `{ _id: 5, t: [ 1, 2 ] }`},
		{`[{$match: {_id: 1}}, {$project: {w: 0, k: 0}}]`, `{ _id: 1, n: 1 }`},
	} {
		cursor, err := c.Aggregate(t.Context(), pipeline(t, q.pipeline))
		if got := allOf(t, cursor, err); got != q.want {
			t.Errorf("%s:\n%s\nwant\n%s", q.pipeline, got, q.want)
		}
	}
	cursor, err := c.Aggregate(t.Context(), pipeline(t, `[{$project: {_id: 1}}]`), options.Aggregate().SetBatchSize(2))
	if got := allOf(t, cursor, err); got != "{ _id: 1 }\n{ _id: 2 }\n{ _id: 3 }\n{ _id: 4 }\n{ _id: 5 }" {
		t.Errorf("in batches of two:\n%s", got)
	}
}

func TestAggregateRefuses(t *testing.T) {
	c := words(t)
	for _, q := range []struct {
		pipeline string
		code     int
		names    string
	}{
		{`[{$lookup: {}}]`, codeUnknownStage, "'$lookup'"},
		{`[{$match: {}, $limit: 1}]`, codeStageFields, "exactly one field"},
		{`[{$group: {n: {$sum: 1}}}]`, codeMissingGroupID, "_id"},
		{`[{$group: {_id: 1, n: {$push: "$a"}}}]`, codeUnknownGroupOperator, "'$push'"},
		{`[{$group: {_id: 1, n: {$sum: {$add: [1, 2]}}}}]`, codeInvalidPipelineOperator, "'$add'"},
		{`[{$group: {_id: "$$NOW"}}]`, codeUndefinedVariable, "NOW"},
		{`[{$group: {_id: 1, n: 5}}]`, codeNoAccumulator, "'n'"},
		{`[{$project: {a: 1, b: 0}}]`, codeExclusionInInclusion, "b"},
		{`[{$project: {a: 1, "a.b": 1}}]`, codePathCollision, "a.b"},
		{`[{$limit: 0}]`, codeBadSlice, "$limit"},
		{`[{$sort: {a: 2}}]`, codeBadSortOrder, "a: 2"},
		{`[{$count: ""}]`, codeBadCountField, "count field"},
		{`[{$match: {$foo: 1}}]`, codeBadValue, "$foo"},
	} {
		_, err := c.Aggregate(t.Context(), pipeline(t, q.pipeline))
		wantCode(t, err, q.code, q.names)
	}
	_, err := run(t, c.Database(), `{aggregate: "words", pipeline: []}`)
	wantCode(t, err, codeFailedToParse, "'cursor'")
	_, err = run(t, c.Database(), `{aggregate: 1, pipeline: [], cursor: {}}`)
	wantCode(t, err, codeCommandNotSupported, "database")
}

func TestSum(t *testing.T) {
	long := func(i int64) bson.RawValue { return int64Value(i) }
	const most = 1<<63 - 1
	for _, c := range []struct {
		values []bson.RawValue
		want   string
	}{
		{nil, "int 0"},
		{[]bson.RawValue{int32Value(1), int32Value(2)}, "int 3"},
		{[]bson.RawValue{int32Value(1<<31 - 1), int32Value(1)}, "long 2147483648"},
		{[]bson.RawValue{int32Value(1), long(2)}, "long 3"},
		{[]bson.RawValue{long(most), long(most), long(-most), long(-most), long(7)}, "long 7"},
		{[]bson.RawValue{long(most), long(1)}, "double 9.223372036854776e+18"},
		{[]bson.RawValue{doubleValue(1e100), doubleValue(1), doubleValue(-1e100)}, "double 1.0"},
		{[]bson.RawValue{doubleValue(0.5), int32Value(1), nullValue()}, "double 1.5"},
	} {
		s := &sum{}
		for _, v := range c.values {
			s.add(v)
		}
		got := s.result()
		if typeName(got.Type)+" "+show(got) != c.want {
			t.Errorf("the sum of %v is %s %s, want %s", c.values, typeName(got.Type), show(got), c.want)
		}
	}
}
