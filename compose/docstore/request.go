package docstore

import (
	"context"
	"math"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// request is a command as it was asked.
type request struct {
	conn      *conn
	name      string // as the client wrote it
	db        string
	body      bson.Raw
	args      map[string]bson.RawValue // the fields of the body, the command's own included
	sequences map[string][]bson.Raw
	now       func() time.Time
	deadline  time.Time // zero = none

	ctx   context.Context      // ends with the server
	stats *stats               // where what the command does is counted
	newID func() bson.ObjectID // for documents that have no _id
	tx    *txn                 // of the log's entry that this is; nil: the command makes its own
}

func (r *request) setDeadline() error {
	if r.name == "getMore" || r.name == "hello" || r.name == "isMaster" || r.name == "ismaster" {
		// In these it bounds the wait for something new; nothing here waits.
		return nil
	}
	ms, err := r.number("maxTimeMS", 0)
	if err != nil {
		return err
	}
	if ms > math.MaxInt32 {
		return fail(codeBadValue, "%d value for maxTimeMS is out of range", ms)
	}
	if ms > 0 {
		r.deadline = r.now().Add(time.Duration(ms) * time.Millisecond)
	}
	return nil
}

// checkTime is asked now and then by what can take long.
func (r *request) checkTime() error {
	if r.deadline.IsZero() || r.now().Before(r.deadline) {
		return nil
	}
	return fail(codeMaxTimeMSExpired, "operation exceeded time limit")
}

func wrongType(command, field string, v bson.RawValue, want string) *commandError {
	return fail(codeTypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected type '%s'", command, field, typeName(v.Type), want)
}

// number reads a whole number that is not negative.
func (r *request) number(field string, otherwise int64) (int64, error) {
	v, ok := r.args[field]
	if !ok || v.Type == bson.TypeNull {
		return otherwise, nil
	}
	if !isNumber(v) {
		return 0, wrongType(r.name, field, v, "long")
	}
	n, whole := wholeNumber(v)
	if !whole {
		return 0, fail(codeFailedToParse, "%s: %s has to be a whole number, got %s", r.name, field, show(v))
	}
	if n < 0 {
		return 0, fail(codeOutOfRange, "BSON field '%s' value must be >= 0, actual value '%d'", field, n)
	}
	return n, nil
}

// flag reads a boolean; MongoDB takes numbers for one too.
func (r *request) flag(field string, otherwise bool) (bool, error) {
	return flag(r.name, field, r.args[field], otherwise)
}

func flag(command, field string, v bson.RawValue, otherwise bool) (bool, error) {
	switch {
	case missing(v) || v.Type == bson.TypeNull:
		return otherwise, nil
	case v.Type == bson.TypeBoolean || isNumber(v):
		return truthy(v), nil
	}
	return false, wrongType(command, field, v, "bool")
}

// document reads a document; where there is none it is {}.
func (r *request) document(field string) (bson.Raw, error) {
	return document(r.name, field, r.args[field])
}

func document(command, field string, v bson.RawValue) (bson.Raw, error) {
	switch v.Type {
	case 0, bson.TypeNull:
		return emptyDocument(), nil
	case bson.TypeEmbeddedDocument:
		return v.Value, nil
	}
	return nil, wrongType(command, field, v, "object")
}

// documents reads a list of documents from the body or a document sequence.
func (r *request) documents(field string) ([]bson.Raw, error) {
	if docs, ok := r.sequences[field]; ok {
		return docs, nil
	}
	v, ok := r.args[field]
	if !ok {
		return nil, fail(codeMissingField, "BSON field '%s.%s' is missing but a required field", r.name, field)
	}
	if v.Type != bson.TypeArray {
		return nil, wrongType(r.name, field, v, "array")
	}
	docs := []bson.Raw{}
	for i, item := range elements(v.Value) {
		if item.Type != bson.TypeEmbeddedDocument {
			return nil, wrongType(r.name, field+"."+i, item, "object")
		}
		docs = append(docs, item.Value)
	}
	return docs, nil
}

// collection is the name of the collection that the command's own field gives.
func (r *request) collection() (namespace, error) {
	v := r.args[r.name]
	if v.Type != bson.TypeString {
		return namespace{}, fail(codeInvalidNamespace, "collection name has invalid type %s", typeName(v.Type))
	}
	ns := namespace{r.db, v.StringValue()}
	return ns, checkCollection(ns)
}

// namespace names a collection.
type namespace struct{ db, collection string }

func (n namespace) String() string { return n.db + "." + n.collection }

// checkDatabase and checkCollection keep MongoDB's rules for names.
// Source: https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
func checkDatabase(name string) error {
	if name == "" || len(name) > 63 || strings.ContainsAny(name, "/\\. \"$*<>:|?\x00") {
		return fail(codeInvalidNamespace, "Invalid database name: '%s'", name)
	}
	return nil
}

func checkCollection(n namespace) error {
	if n.collection == "" || n.collection[0] == '.' || len(n.String()) > 255 || strings.ContainsAny(n.collection, "$\x00") ||
		strings.HasPrefix(n.collection, "system.") {
		return fail(codeInvalidNamespace, "Invalid namespace specified '%s'", n)
	}
	return nil
}
