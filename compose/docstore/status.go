package docstore

import (
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/FerretDB/wire"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// version and the wire versions are those of MongoDB 7.0, whose commands
	// and texts these are.
	version        = "7.0.0"
	minWireVersion = 0
	maxWireVersion = 21
)

// stats are the numbers of serverStatus since the server was made.
type stats struct {
	// opcounters; doc.go says what counts as what
	insert, query, update, delete, getmore, command atomic.Int64
	// metrics.document: documents that were inserted (also by an upsert),
	// matched by an update, deleted, and answered
	inserted, updated, deleted, returned atomic.Int64

	connections, requests, bytesIn, bytesOut atomic.Int64
}

// operations are the opcounters, as serverStatus has them.
func (s *stats) operations() bson.D {
	return bson.D{
		{Key: "insert", Value: s.insert.Load()},
		{Key: "query", Value: s.query.Load()},
		{Key: "update", Value: s.update.Load()},
		{Key: "delete", Value: s.delete.Load()},
		{Key: "getmore", Value: s.getmore.Load()},
		{Key: "command", Value: s.command.Load()},
	}
}

// add adds what one write has counted.
func (s *stats) add(o *stats) {
	s.insert.Add(o.insert.Load())
	s.update.Add(o.update.Load())
	s.delete.Add(o.delete.Load())
	s.inserted.Add(o.inserted.Load())
	s.updated.Add(o.updated.Load())
	s.deleted.Add(o.deleted.Load())
}

// hello answers hello and its older names. doc.go says why it says what it says.
func (s *Server) hello(r *request) (bson.D, error) {
	primary := "isWritablePrimary"
	if r.name != "hello" {
		primary = "ismaster"
	}
	d := bson.D{}
	if truthy(r.args["helloOk"]) {
		d = append(d, bson.E{Key: "helloOk", Value: true})
	}
	if s.set == nil {
		d = append(d, bson.E{Key: primary, Value: true})
	} else {
		member, err := s.set.hello(r, primary)
		if err != nil {
			return nil, err
		}
		d = append(d, member...)
	}
	return append(d,
		bson.E{Key: "maxBsonObjectSize", Value: int32(maxDocument)},
		bson.E{Key: "maxMessageSizeBytes", Value: int32(wire.MaxMsgLen)},
		bson.E{Key: "maxWriteBatchSize", Value: int32(maxWriteBatch)},
		bson.E{Key: "localTime", Value: bson.NewDateTimeFromTime(s.now())},
		bson.E{Key: "connectionId", Value: connectionID(r)},
		bson.E{Key: "minWireVersion", Value: int32(minWireVersion)},
		bson.E{Key: "maxWireVersion", Value: int32(maxWireVersion)},
		bson.E{Key: "readOnly", Value: false},
	), nil
}

func connectionID(r *request) int32 { return int32(r.conn.id & math.MaxInt32) }

// ping is the command ping.
func ping(*Server, *request) (bson.D, error) { return bson.D{}, nil }

// buildInfo is the command buildInfo.
func buildInfo(*Server, *request) (bson.D, error) {
	return bson.D{
		{Key: "version", Value: version},
		{Key: "versionArray", Value: bson.A{int32(7), int32(0), int32(0), int32(0)}},
		{Key: "gitVersion", Value: "throughline docstore"},
		{Key: "modules", Value: bson.A{}},
		{Key: "bits", Value: int32(strconv.IntSize)},
		{Key: "debug", Value: false},
		{Key: "maxBsonObjectSize", Value: int32(maxDocument)},
		{Key: "storageEngines", Value: bson.A{"bbolt"}},
	}, nil
}

// connectionStatus is the command connectionStatus.
func connectionStatus(_ *Server, r *request) (bson.D, error) {
	info := bson.D{{Key: "authenticatedUsers", Value: bson.A{}}, {Key: "authenticatedUserRoles", Value: bson.A{}}}
	show, err := r.flag("showPrivileges", false)
	if show {
		info = append(info, bson.E{Key: "authenticatedUserPrivileges", Value: bson.A{}})
	}
	return bson.D{{Key: "authInfo", Value: info}}, err
}

// whatsMyURI is the command whatsmyuri.
func whatsMyURI(_ *Server, r *request) (bson.D, error) {
	return bson.D{{Key: "you", Value: r.conn.RemoteAddr().String()}}, nil
}

// endSessions is the command endSessions: there are none.
func endSessions(*Server, *request) (bson.D, error) { return bson.D{}, nil }

func getParameter(_ *Server, r *request) (bson.D, error) {
	var names []string
	for name := range elements(r.body) {
		if name != r.name && name != "comment" && !strings.HasPrefix(name, "$") && name != "lsid" {
			names = append(names, name)
		}
	}
	return nil, fail(codeInvalidOptions, "no option found to get: docstore has no parameters (asked for %s)", strings.Join(names, ", "))
}

func noAuthentication(_ *Server, r *request) (bson.D, error) {
	return nil, fail(codeCommandNotSupported, "%s: authentication is not supported by docstore: connect without a user name and password", r.name)
}

// serverStatus is the command serverStatus. A field {section: 0} leaves a
// section out, as in MongoDB; any other field asks for what is there anyway.
func (s *Server) serverStatus(r *request) (bson.D, error) {
	now := s.now()
	uptime := now.Sub(s.started)
	current := int32(s.currentConnections())
	all := bson.D{
		{Key: "host", Value: s.host},
		{Key: "version", Value: version},
		{Key: "process", Value: "docstore"},
		{Key: "pid", Value: int64(os.Getpid())},
		{Key: "uptime", Value: uptime.Seconds()},
		{Key: "uptimeMillis", Value: uptime.Milliseconds()},
		{Key: "uptimeEstimate", Value: int64(uptime.Seconds())},
		{Key: "localTime", Value: bson.NewDateTimeFromTime(now)},
		{Key: "connections", Value: bson.D{
			{Key: "current", Value: current},
			{Key: "available", Value: maxConnections - current},
			{Key: "totalCreated", Value: s.stats.connections.Load()},
		}},
		{Key: "network", Value: bson.D{
			{Key: "bytesIn", Value: s.stats.bytesIn.Load()},
			{Key: "bytesOut", Value: s.stats.bytesOut.Load()},
			{Key: "numRequests", Value: s.stats.requests.Load()},
		}},
		{Key: "opcounters", Value: s.stats.operations()},
		{Key: "mem", Value: memory()},
		{Key: "metrics", Value: bson.D{
			{Key: "cursor", Value: bson.D{{Key: "open", Value: bson.D{{Key: "total", Value: int64(s.cursors.count())}}}}},
			{Key: "document", Value: bson.D{
				{Key: "deleted", Value: s.stats.deleted.Load()},
				{Key: "inserted", Value: s.stats.inserted.Load()},
				{Key: "returned", Value: s.stats.returned.Load()},
				{Key: "updated", Value: s.stats.updated.Load()},
			}},
		}},
		{Key: "storageEngine", Value: bson.D{{Key: "name", Value: "bbolt"}, {Key: "persistent", Value: true}}},
	}
	if s.set != nil {
		all = append(all, s.set.status()...)
	}
	d := bson.D{}
	for _, section := range all {
		if v, asked := r.args[section.Key]; !asked || truthy(v) {
			d = append(d, section)
		}
	}
	return d, nil
}

// memory is the section mem, in MiB, from Linux's /proc/self/statm (see
// proc_pid_statm(5)); elsewhere it says that it is not supported, as MongoDB does.
func memory() bson.D {
	d := bson.D{{Key: "bits", Value: int32(strconv.IntSize)}}
	raw, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(raw))
	if err != nil || len(fields) < 2 {
		return append(d, bson.E{Key: "supported", Value: false})
	}
	mib := func(pages string) int32 {
		n, _ := strconv.ParseInt(pages, 10, 64) // the kernel writes numbers
		return int32(n * int64(os.Getpagesize()) >> 20)
	}
	return append(d,
		bson.E{Key: "resident", Value: mib(fields[1])},
		bson.E{Key: "virtual", Value: mib(fields[0])},
		bson.E{Key: "supported", Value: true},
	)
}
