package docstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// command is how one command is executed and which fields it takes.
type command struct {
	run func(*Server, *request) (bson.D, error)
	// fields are honoured, or change nothing here for the reason given where
	// they are listed.
	fields []string
	// unset are fields of MongoDB's that are refused unless they are false,
	// empty or null and so ask for nothing.
	unset []string
	// open commands take any field: MongoDB's own do, or they read none.
	open bool
	// counted elsewhere than in opcounters.command.
	ownCounter bool
	access     access
	retried    bool // drivers send it again under the same txnNumber
}

// access is what a command does to the documents, for which a replica set asks.
type access int

const (
	none access = iota
	reads
	writes
)

// harmless are fields any command may have which change nothing here.
func harmless() []string {
	return []string{
		"$db",                  // read by handle
		"lsid",                 // sessions carry no state without transactions
		"$clusterTime",         // gossip of clusters; there is no cluster
		"$readPreference",      // there is one server to read from
		"comment",              // for the server's log
		"apiVersion",           // checked by handle; the API is a subset of version 1
		"apiStrict",            // nothing outside of version 1 is offered under its name
		"apiDeprecationErrors", // nothing deprecated is offered
		"maxTimeMS",            // honoured by handle
		"readConcern",          // checked by handle: all reads are of committed, synced data
		"writeConcern",         // checked by handle: all writes are synced before the answer
		"$comment",             // for the server's log
	}
}

// commands lists all commands by name.
func commands() map[string]command {
	find := []string{"filter", "sort", "projection", "hint", "skip", "limit", "batchSize", "singleBatch",
		"allowDiskUse",        // nothing is ever written to disk for a query
		"allowPartialResults", // there are no shards
		"noCursorTimeout",     // honoured: see cursors.expire
	}
	findUnset := []string{"collation", "let", "max", "min", "returnKey", "showRecordId", "tailable", "awaitData", "oplogReplay"}
	write := []string{"ordered",
		"bypassDocumentValidation", // there are no validators
	}
	statement := func(list string) []string { return append([]string{list}, write...) }
	findAndModify := command{run: (*Server).findAndModify,
		fields: []string{"query", "sort", "remove", "update", "new", "fields", "upsert", "hint", "bypassDocumentValidation"},
		unset:  []string{"collation", "arrayFilters", "let"}, access: writes, retried: true}
	hello := command{run: (*Server).hello, open: true} // drivers describe themselves in it
	noAuth := command{run: noAuthentication, open: true}
	return map[string]command{
		"hello": hello, "isMaster": hello, "ismaster": hello,
		"ping":             {run: ping},
		"buildInfo":        {run: buildInfo},
		"buildinfo":        {run: buildInfo},
		"serverStatus":     {run: (*Server).serverStatus, open: true}, // any field may switch a section on or off
		"connectionStatus": {run: connectionStatus, fields: []string{"showPrivileges"}},
		"whatsmyuri":       {run: whatsMyURI},
		"endSessions":      {run: endSessions},
		"getParameter":     {run: getParameter, open: true},
		"replSetInitiate":  {run: (*Server).replSetInitiate},
		"replSetReconfig":  {run: (*Server).replSetReconfig, fields: []string{"force"}},
		"replSetGetConfig": {run: (*Server).replSetGetConfig},
		"replSetGetStatus": {run: (*Server).replSetGetStatus},
		"replSetStepDown":  {run: (*Server).replSetStepDown, fields: []string{"force", "secondaryCatchUpPeriodSecs"}},
		"saslStart":        noAuth, "saslContinue": noAuth, "authenticate": noAuth, "getnonce": noAuth,

		"insert":        {run: (*Server).insert, fields: statement("documents"), ownCounter: true, access: writes, retried: true},
		"update":        {run: (*Server).update, fields: statement("updates"), unset: []string{"let"}, ownCounter: true, access: writes, retried: true},
		"delete":        {run: (*Server).delete, fields: statement("deletes"), unset: []string{"let"}, ownCounter: true, access: writes, retried: true},
		"findAndModify": findAndModify, "findandmodify": findAndModify,

		"find":        {run: (*Server).find, fields: find, unset: findUnset, ownCounter: true, access: reads},
		"getMore":     {run: (*Server).getMore, fields: []string{"collection", "batchSize"}, unset: []string{"term", "lastKnownCommittedOpTime"}, ownCounter: true},
		"killCursors": {run: (*Server).killCursors, fields: []string{"cursors"}},
		"count":       {run: (*Server).count, fields: []string{"query", "limit", "skip", "hint", "fields"}, unset: []string{"collation"}, access: reads},
		"distinct":    {run: (*Server).distinct, fields: []string{"key", "query", "hint"}, unset: []string{"collation"}, access: reads},
		"aggregate": {run: (*Server).aggregate, fields: []string{"pipeline", "cursor", "allowDiskUse", "bypassDocumentValidation", "hint"},
			unset: []string{"collation", "let", "explain"}, access: reads},

		"create": {run: (*Server).create, access: writes, unset: []string{"capped", "size", "max", "timeseries", "viewOn", "pipeline", "validator",
			"validationLevel", "validationAction", "collation", "clusteredIndex", "changeStreamPreAndPostImages", "expireAfterSeconds", "storageEngine", "indexOptionDefaults", "encryptedFields"}},
		"createIndexes":   {run: (*Server).createIndexes, fields: []string{"indexes"}, unset: []string{"commitQuorum"}, access: writes},
		"listIndexes":     {run: (*Server).listIndexes, fields: []string{"cursor"}, access: reads},
		"dropIndexes":     {run: (*Server).dropIndexes, fields: []string{"index"}, access: writes},
		"listCollections": {run: (*Server).listCollections, fields: []string{"filter", "nameOnly", "authorizedCollections", "cursor"}, access: reads},
		"listDatabases":   {run: (*Server).listDatabases, fields: []string{"filter", "nameOnly", "authorizedDatabases"}, access: reads},
		"drop":            {run: (*Server).drop, access: writes},
		"dropDatabase":    {run: (*Server).dropDatabase, access: writes},
	}
}

// handle executes an OP_MSG. Whatever is wrong with the command is in the
// answer; the error is for what the server itself cannot do.
func (s *Server) handle(ctx context.Context, c *conn, msg opMsg) (bson.Raw, error) {
	db := lookup(msg.body, "$db")
	if db.Type != bson.TypeString {
		return encodeDocument(fail(codeNoDatabase, "OP_MSG requests require a $db argument").document())
	}
	return s.handleFor(ctx, c, db.StringValue(), msg)
}

func (s *Server) handleFor(ctx context.Context, c *conn, db string, msg opMsg) (bson.Raw, error) {
	answer, err := s.execute(ctx, c, db, msg)
	if err != nil {
		if errors.Is(err, errDamaged) {
			s.log.storage(err)
		}
		answer = s.asAnswer(err)
	} else {
		answer = append(answer, bson.E{Key: "ok", Value: 1.0})
	}
	return encodeDocument(answer)
}

func encodeDocument(d bson.D) (bson.Raw, error) {
	b, err := bson.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return b, nil
}

func (s *Server) execute(ctx context.Context, c *conn, db string, msg opMsg) (bson.D, error) {
	r := &request{ctx: ctx, conn: c, db: db, body: msg.body, sequences: msg.sequences, now: s.now, stats: &s.stats, newID: bson.NewObjectID}
	cmd, err := s.parse(r)
	if !cmd.ownCounter && cmd.run != nil {
		s.stats.command.Add(1)
	}
	if err != nil {
		return nil, err
	}
	if err := r.checkConcerns(s.set); err != nil {
		return nil, err
	}
	if err := r.setDeadline(); err != nil {
		return nil, err
	}
	if s.set != nil {
		return s.set.execute(cmd, r)
	}
	return cmd.run(s, r)
}

// parse reads the fields of a request and finds its command, which is not the zero one where
// it is known, and refuses what that does not take.
func (s *Server) parse(r *request) (command, error) {
	r.args = make(map[string]bson.RawValue)
	for name, v := range elements(r.body) {
		if len(r.args) == 0 {
			r.name = name
		}
		if _, twice := r.args[name]; twice {
			return command{}, fail(codeDuplicateField, "BSON field '%s.%s' is a duplicate field", r.name, name)
		}
		r.args[name] = v
	}
	cmd, ok := s.commands[r.name]
	if !ok {
		return command{}, fail(codeCommandNotFound, "no such command: '%s'", r.name)
	}
	if err := checkDatabase(r.db); err != nil {
		return cmd, err
	}
	return cmd, r.checkFields(cmd, s.set != nil)
}

// checkFields refuses what the command does not take.
func (r *request) checkFields(cmd command, inSet bool) error {
	for _, name := range []string{"txnNumber", "startTransaction", "autocommit"} {
		if _, ok := r.args[name]; ok && !(inSet && cmd.retried && name == "txnNumber") {
			return fail(codeIllegalOperation, "Transaction numbers are only allowed on a replica set member or mongos (field '%s')", name)
		}
	}
	known := harmless()
	for name, v := range elements(r.body) {
		switch {
		case name == r.name || cmd.open || name == "txnNumber" || slices.Contains(known, name) || slices.Contains(cmd.fields, name):
		case slices.Contains(cmd.unset, name):
			if !asksForNothing(v) {
				return fail(codeCommandNotSupported, "%s: option '%s' is not supported by docstore", r.name, name)
			}
		default:
			return fail(codeUnknownField, "BSON field '%s.%s' is an unknown field.", r.name, name)
		}
	}
	for name := range r.sequences {
		if !slices.Contains(cmd.fields, name) {
			return fail(codeUnknownField, "BSON field '%s.%s' is an unknown field.", r.name, name)
		}
		if _, twice := r.args[name]; twice {
			return fail(codeDuplicateField, "BSON field '%s.%s' is a duplicate field", r.name, name)
		}
	}
	return nil
}

// asksForNothing reports whether an option has the value that means none.
func asksForNothing(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeNull:
		return true
	case bson.TypeBoolean:
		return !v.Boolean()
	case bson.TypeArray:
		return len(v.Value) == 5
	case bson.TypeEmbeddedDocument:
		// {locale: "simple"} is the comparison of bytes there always is.
		locale := lookup(v.Value, "locale")
		return len(v.Value) == 5 || locale.Type == bson.TypeString && locale.StringValue() == "simple"
	}
	return false
}

// checkConcerns accepts what is always true of reads and writes here.
func (r *request) checkConcerns(set *set) error {
	if v, ok := r.args["apiVersion"]; ok && (v.Type != bson.TypeString || v.StringValue() != "1") {
		return fail(codeAPIVersionError, "API version must be \"1\", got %s", show(v))
	}
	if v, ok := r.args["writeConcern"]; ok {
		if v.Type != bson.TypeEmbeddedDocument {
			return wrongType(r.name, "writeConcern", v, "object")
		}
		if err := checkWriteConcern(v.Value, set); err != nil {
			return err
		}
	}
	v, ok := r.args["readConcern"]
	if !ok {
		return nil
	}
	if v.Type != bson.TypeEmbeddedDocument {
		return wrongType(r.name, "readConcern", v, "object")
	}
	for name, level := range elements(v.Value) {
		switch text, _ := level.StringValueOK(); {
		case name == "provenance":
		case name != "level":
			return fail(codeUnknownField, "BSON field 'readConcern.%s' is an unknown field.", name)
		case text == "linearizable" && set != nil: // see set.execute
		case text != "local" && text != "available" && text != "majority":
			return fail(codeNotAReplicaSet, "node needs to be a replica set member to use read concern level %s", show(level))
		}
	}
	return nil
}

func checkWriteConcern(wc bson.Raw, set *set) error {
	for name, v := range elements(wc) {
		switch name {
		case "j", "fsync", "wtimeout", "provenance": // every write is synced; wtimeout is honoured where there is somebody to wait for
		case "w":
			if v.Type == bson.TypeString && v.StringValue() == "majority" {
				continue
			}
			if n, ok := wholeNumber(v); ok && set != nil {
				if err := set.checkMembers(n); err != nil {
					return err
				}
			} else if !ok || n < 0 || n > 1 {
				return fail(codeBadValue, "cannot use 'w' > 1 when a host is not replicated (got w: %s)", show(v))
			}
		default:
			return fail(codeUnknownField, "BSON field 'writeConcern.%s' is an unknown field.", name)
		}
	}
	return nil
}
