package run

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/compose/mongoset"
	"throughline/compose/owndisk"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// databaseLimit is how long a MongoDB may take to be ready: it makes its files first.
const databaseLimit = 60 * time.Second

// database is where the web instances keep their words, if anywhere.
type database struct {
	cfg       Config
	record    *record.Writer
	network   *network
	uri       string         // of somebody else's, as the web instances reach it; "" = there is none
	peer, own string         // host:port of the run's own, as the web instances and as the harness reach it; "" = there is none
	at        string         // as the harness does
	mongo     *poll.Mongo    // nil: there is none
	members   *replicaSet    // of the run's own, if it has any
	polled    *poll.MongoSet // what asks them
}

// uriOf is what a web instance is told: with links on its hop, its own.
func (d *database) uriOf(instance string) (string, error) {
	if d.polled != nil {
		uri := mongoset.URI(setName, d.members.living())
		if d.cfg.Scenario.Stack.Early {
			uri += "&w=1"
		}
		return uri, nil
	}
	if d.own == "" {
		return d.uri, nil
	}
	way, err := d.network.way(script.WebDB, instance, d.peer, d.own)
	if err != nil {
		return "", err
	}
	return mongoURI(way), nil
}

// start starts the database, unless there is none or it is somebody else's.
func (d *database) start(ctx context.Context, in *lives, polls *telemetry) error {
	switch {
	case d.cfg.Run.Database == record.NoDatabase:
		return nil
	case d.cfg.Scenario.Stack.Members > 0:
		return d.startMembers(ctx, polls)
	case d.cfg.MongoURI != "":
		d.uri, d.at = d.cfg.MongoURI, d.cfg.MongoURI
	default:
		one, err := in.start(ctx, d.cfg.databaseInstance(), record.Database, "")
		if err != nil {
			return err
		}
		d.peer, d.own = one.PeerAddr("mongo"), one.Addr("mongo")
		d.at = mongoURI(d.own)
	}
	var err error
	if d.mongo, err = poll.NewMongo(d.at); err != nil {
		return err
	}
	return polls.addPoller(mongoPoller, d.mongo)
}

// startMembers starts a database that is a replica set.
func (d *database) startMembers(ctx context.Context, polls *telemetry) (err error) {
	if err := d.members.start(ctx); err != nil {
		return err
	}
	if d.mongo, err = poll.NewMongo(mongoset.URI(setName, d.members.living())); err != nil {
		return err
	}
	d.polled = poll.NewMongoSet(d.members.polled)
	return polls.addPoller(mongoPoller, d.polled)
}

func mongoURI(addr string) string {
	return fmt.Sprintf("mongodb://%s/?directConnection=true", addr)
}

// disk is a directory on the file system that the run's database has of its own, as this process sees it.
func (d *database) disk(in *lives) (string, error) {
	found, err := in.find(DatabaseName)
	if err != nil {
		return "", err
	}
	known, ok := found[0].(compose.Identified)
	if !ok {
		return "", fmt.Errorf("%s: this platform does not tell its process; choose another one", DatabaseName)
	}
	pid, err := strconv.Atoi(known.ID())
	if err != nil {
		return "", fmt.Errorf("%s: %q is no process of this machine; choose another platform", DatabaseName, known.ID())
	}
	return owndisk.Seen(pid, d.cfg.ownDisk()), nil
}

// documents reads the database and hands what it holds to keep.
func (d *database) documents(ctx context.Context, keep func(record.Documents) error) error {
	if d.mongo == nil {
		return nil
	}
	words, err := d.mongo.Words(ctx)
	if err != nil {
		return err
	}
	documents := record.Documents{At: d.record.Offset(time.Now()), Words: make([]record.WordCount, 0, len(words))}
	for _, w := range words {
		documents.Words = append(documents.Words, record.WordCount{Word: w.Word, Count: w.Count})
	}
	return keep(documents)
}

// close lets go of the connections to it.
func (d *database) close(ctx context.Context) error {
	if d.mongo == nil {
		return nil
	}
	err := d.mongo.Close(ctx)
	if d.polled != nil {
		err = errors.Join(err, d.polled.Close(ctx))
	}
	return err
}
