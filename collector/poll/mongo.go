package poll

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"throughline/collector"
)

// Mongo makes samples of MongoDB's serverStatus:
//
//	mongodb_opcounters_total{type="insert"|"query"|"update"|"delete"|"getmore"|"command"}
//	mongodb_connections{state="current"|"available"|"active"}
//	mongodb_connections_created_total
//	mongodb_memory_mebibytes{kind="resident"|"virtual"}
//	mongodb_uptime_seconds
//
// It needs the opcounters; what else the server does not tell is left out. Of a server that speaks MongoDB's protocol and has none, as
// FerretDB, they are how many commands of the kind it was given (metrics.commands), of which one may have several statements.
// Source: https://www.mongodb.com/docs/manual/reference/command/serverStatus/
type Mongo struct {
	client *mongo.Client
	fields []mongoField // of serverStatus
}

// patienceWithServer is how long the driver looks for a server that answers. A
// poll's own timeout is mostly shorter.
const patienceWithServer = 5 * time.Second

// NewMongo returns a poller of the server at uri. It connects when it is first
// used; the error is about the URI.
func NewMongo(uri string) (*Mongo, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetAppName("throughline").
		SetMaxPoolSize(2).SetServerSelectionTimeout(patienceWithServer))
	if err != nil {
		return nil, fmt.Errorf("mongo %s: %w", uri, err)
	}
	return &Mongo{client, mongoFields}, nil
}

// Close ends the connections.
func (m *Mongo) Close(ctx context.Context) error {
	if err := m.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("close mongo: %w", err)
	}
	return nil
}

// Poll implements collector.Poller.
func (m *Mongo) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	var status bson.Raw
	if err := m.client.Database("admin").RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		return nil, fmt.Errorf("serverStatus: %w", err)
	}
	return mongoSamples(status, at, m.fields)
}

// mongoField is one number of serverStatus.
type mongoField struct {
	path  []string
	name  string
	label [2]string
	meta  *collector.Meta
}

var mongoFields = []mongoField{
	{[]string{"opcounters", "insert"}, "mongodb_opcounters_total", [2]string{"type", "insert"}, counterMeta},
	{[]string{"opcounters", "query"}, "mongodb_opcounters_total", [2]string{"type", "query"}, counterMeta},
	{[]string{"opcounters", "update"}, "mongodb_opcounters_total", [2]string{"type", "update"}, counterMeta},
	{[]string{"opcounters", "delete"}, "mongodb_opcounters_total", [2]string{"type", "delete"}, counterMeta},
	{[]string{"opcounters", "getmore"}, "mongodb_opcounters_total", [2]string{"type", "getmore"}, counterMeta},
	{[]string{"opcounters", "command"}, "mongodb_opcounters_total", [2]string{"type", "command"}, counterMeta},
	{[]string{"connections", "current"}, "mongodb_connections", [2]string{"state", "current"}, gaugeMeta},
	{[]string{"connections", "available"}, "mongodb_connections", [2]string{"state", "available"}, gaugeMeta},
	{[]string{"connections", "active"}, "mongodb_connections", [2]string{"state", "active"}, gaugeMeta},
	{[]string{"connections", "totalCreated"}, "mongodb_connections_created_total", [2]string{}, counterMeta},
	{[]string{"mem", "resident"}, "mongodb_memory_mebibytes", [2]string{"kind", "resident"}, mebibytesMeta},
	{[]string{"mem", "virtual"}, "mongodb_memory_mebibytes", [2]string{"kind", "virtual"}, mebibytesMeta},
	{[]string{"uptime"}, "mongodb_uptime_seconds", [2]string{}, durationMeta},
}

// memberFields are those that tell something of a member of a replica set alone: what it did after others had done it,
// and, of docstore, what it had acknowledged and rolled back.
var memberFields = []mongoField{
	{[]string{"opcountersRepl", "insert"}, "mongodb_opcounters_repl_total", [2]string{"type", "insert"}, counterMeta},
	{[]string{"opcountersRepl", "update"}, "mongodb_opcounters_repl_total", [2]string{"type", "update"}, counterMeta},
	{[]string{"opcountersRepl", "delete"}, "mongodb_opcounters_repl_total", [2]string{"type", "delete"}, counterMeta},
	{[]string{"rollback", "acknowledged"}, "mongodb_rolled_back_total", [2]string{}, counterMeta},
}

var mebibytesMeta = &collector.Meta{Type: collector.Gauge, Unit: "mebibytes"}

func mongoSamples(status bson.Raw, at time.Time, fields []mongoField) ([]collector.Sample, error) {
	var samples []collector.Sample
	if _, err := status.LookupErr("opcounters"); err != nil {
		if samples, err = commandSamples(status, at); err != nil {
			return nil, err
		}
	}
	for _, f := range fields {
		value, err := status.LookupErr(f.path...)
		if err != nil {
			continue
		}
		n, ok := bsonNumber(value)
		if !ok {
			return nil, fmt.Errorf("serverStatus: %v is a %s, not a number", f.path, value.Type)
		}
		var labels collector.Labels
		if f.label[0] != "" {
			labels = collector.NewLabels(f.label[0], f.label[1])
		}
		samples = append(samples, collector.Sample{Name: f.name, Labels: labels, Meta: f.meta, At: at, Value: n, Observed: 1})
	}
	return samples, nil
}

// commandKinds are the opcounters with a command each, in the order of mongoFields.
var commandKinds = [...]struct{ kind, command string }{{"insert", "insert"}, {"query", "find"}, {"update", "update"}, {"delete", "delete"}, {"getmore", "getMore"}}

// commandSamples makes opcounters of how often each command was given. One that has not been given yet may not be listed.
// Source: https://www.mongodb.com/docs/manual/reference/command/serverStatus/#mongodb-serverstatus-serverstatus.metrics.commands
func commandSamples(status bson.Raw, at time.Time) (samples []collector.Sample, err error) {
	if _, err := status.LookupErr("metrics", "commands"); err != nil {
		return nil, errors.New("serverStatus: the answer has no opcounters; is it a MongoDB server, and may this user see them?")
	}
	for _, c := range commandKinds {
		n := 0.0
		if value, err := status.LookupErr("metrics", "commands", c.command, "total"); err == nil {
			var ok bool
			if n, ok = bsonNumber(value); !ok {
				return nil, fmt.Errorf("serverStatus: metrics.commands.%s.total is a %s, not a number", c.command, value.Type)
			}
		}
		samples = append(samples, collector.Sample{Name: "mongodb_opcounters_total", Labels: collector.NewLabels("type", c.kind), Meta: counterMeta, At: at, Value: n, Observed: 1})
	}
	return samples, nil
}

// bsonNumber reads a number of any of BSON's types for one.
func bsonNumber(v bson.RawValue) (float64, bool) {
	if n, ok := v.AsInt64OK(); ok && v.Type != bson.TypeDouble {
		return float64(n), true
	}
	n, ok := v.DoubleOK()
	return n, ok && !math.IsNaN(n) && !math.IsInf(n, 0)
}
