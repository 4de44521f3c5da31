// Package mongoset speaks to the members of a MongoDB replica set as their operator does:
// it makes the set, asks who is the primary, has one step down, and changes who is in it.
// It is the same to members of package docstore and to mongod. It is no client for
// documents, and starts no process: scenarios/run does, which calls it.
package mongoset

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// askEvery is how often members are asked while something is awaited.
	askEvery = 25 * time.Millisecond
	// answerWithin is how long one member may take to answer; who is dead or cut off does not.
	answerWithin = 500 * time.Millisecond
	// connectWithin is how long it may take to connect to one, which is some questions and answers.
	connectWithin = 2 * time.Second
	// changeWithin is how long a change of the set may take.
	changeWithin = 15 * time.Second
)

// URI is the connection string of a set for clients, who need one living member of those
// that are named.
func URI(set string, members []string) string {
	return fmt.Sprintf("mongodb://%s/?replicaSet=%s", strings.Join(members, ","), set)
}

// Initiate makes a set of members, host:port each, that are running. A mongod holds an election when it has heard nothing of a
// primary for the time given; a member of docstore knows that from its start.
func Initiate(ctx context.Context, set string, members []string, election time.Duration) error {
	hosts := bson.A{}
	for i, m := range members {
		hosts = append(hosts, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: m}})
	}
	_, err := command(ctx, members[0], changeWithin, bson.D{{Key: "replSetInitiate", Value: bson.D{{Key: "_id", Value: set}, {Key: "members", Value: hosts},
		{Key: "settings", Value: bson.D{
			{Key: "electionTimeoutMillis", Value: election.Milliseconds()},
			// Whoever is elected catches up first, and asks all members how far they are; one whose address answers nothing is
			// given up after so long.
			{Key: "heartbeatTimeoutSecs", Value: int32(max(1, math.Ceil(election.Seconds())))},
		}}}}})
	if err != nil {
		return fmt.Errorf("make the replica set %s: %w", set, err)
	}
	return nil
}

// StepDown has the primary hand its part over.
func StepDown(ctx context.Context, primary string) error {
	_, err := command(ctx, primary, changeWithin, bson.D{{Key: "replSetStepDown", Value: 60}, {Key: "secondaryCatchUpPeriodSecs", Value: 10}})
	if err != nil && !mongo.IsNetworkError(err) { // a mongod may close the connection over it
		return fmt.Errorf("have %s step down: %w", primary, err)
	}
	return nil
}

// Replace takes members out of the set that the primary leads and puts others in: first
// those go that are gone, so that nobody waits for them.
func Replace(ctx context.Context, primary string, gone, fresh []string) error {
	for _, m := range gone {
		if err := reconfigure(ctx, primary, m, ""); err != nil {
			return fmt.Errorf("take %s out of the replica set: %w", m, err)
		}
	}
	for _, m := range fresh {
		if err := reconfigure(ctx, primary, "", m); err != nil {
			return fmt.Errorf("put %s into the replica set: %w", m, err)
		}
	}
	return nil
}

// setConfig is a set's configuration, with all that is not looked at here.
type setConfig struct {
	Version int32    `bson:"version"`
	Members []bson.M `bson:"members"`
	Rest    bson.M   `bson:",inline"`
}

// reconfigure takes one member out or puts one in: a mongod changes one at a time.
func reconfigure(ctx context.Context, primary, out, in string) error {
	answer, err := command(ctx, primary, answerWithin, bson.D{{Key: "replSetGetConfig", Value: 1}})
	if err != nil {
		return err
	}
	var have struct{ Config setConfig }
	if err := bson.Unmarshal(answer, &have); err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	c := have.Config
	c.Version++
	c.Members = slices.DeleteFunc(c.Members, func(m bson.M) bool { return m["host"] == out })
	if in != "" {
		next := int32(0)
		for _, m := range c.Members {
			if id, ok := m["_id"].(int32); ok {
				next = max(next, id+1)
			}
		}
		c.Members = append(c.Members, bson.M{"_id": next, "host": in})
	}
	_, err = command(ctx, primary, changeWithin, bson.D{{Key: "replSetReconfig", Value: c}})
	return err
}

// command has one member, and no other, execute a command.
func command(ctx context.Context, member string, within time.Duration, cmd bson.D) (bson.Raw, error) {
	client, done, err := dial(ctx, member)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return client.Database("admin").RunCommand(ctx, cmd).Raw()
}

// dial gives a client of one member, and of no other, which connects when it is first used. done lets go of it.
func dial(ctx context.Context, member string) (client *mongo.Client, done func(), err error) {
	client, err = mongo.Connect(options.Client().ApplyURI("mongodb://" + member + "/?directConnection=true").SetAppName("throughline").
		SetMaxPoolSize(1).SetConnectTimeout(connectWithin))
	return client, func() {
		// The driver, told to disconnect while it begins to connect, waits until it has, or has given up: for 10 s and more
		// of one that answers nothing, whatever the context says. Nobody waits for that.
		go func() {
			goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), askEvery)
			defer cancel()
			_ = client.Disconnect(goodbye) // whoever is dead hears no good-bye
		}()
	}, err
}
