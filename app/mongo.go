package app

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"throughline/app/statsd"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	database   = "test"
	collection = "words"

	selectTimeout = 2 * time.Second // to find a server that answers
	// insertAttempts bounds how often an insert is tried that lost the race
	// for a new word. One more attempt is enough, unless the word is deleted
	// at that moment.
	insertAttempts = 5
)

// mongoWords keeps words in the collection test.words, as the talk's app did.
type mongoWords struct {
	client *mongo.Client
	words  *mongo.Collection
	log    *log.Logger
	unique bool                                         // the index
	add    func(ctx context.Context, name string) error // adds one to a word
}

// connectMongo waits until the database answers and the unique index is there,
// at most c.StartTimeout. Many instances may do so at once. Every query of the
// app is timed on p.client as fullstack.db.time.
func connectMongo(ctx context.Context, c Config, p parts) (*mongoWords, error) {
	o := options.Client().
		ApplyURI(c.MongoURI).
		SetAppName(c.Instance).
		SetServerSelectionTimeout(selectTimeout).
		SetConnectTimeout(selectTimeout).
		SetMonitor(queryTimer(p.client))
	if o.WriteConcern != nil && !o.WriteConcern.Acknowledged() {
		return nil, errors.New("MONGODB_URI: w=0 asks for no acknowledgement, and an insert is counted only when acknowledged; remove it")
	}
	connection, err := mongo.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("MONGODB_URI: %w", err)
	}
	m := &mongoWords{client: connection, words: connection.Database(database).Collection(collection), log: p.log, unique: true}
	m.add = m.upsert
	if p.wrong.store != nil {
		p.wrong.store(m)
	}
	if err := m.prepare(ctx, c.StartTimeout); err != nil {
		// The error of the start is the one to tell.
		_ = connection.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return m, nil
}

// prepare makes the index as soon as the database answers. Without it two
// racing upserts of a new word could make two documents.
func (m *mongoWords) prepare(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	index := mongo.IndexModel{
		Keys:    bson.D{{Key: "name", Value: 1}},
		Options: options.Index().SetUnique(m.unique),
	}
	for {
		_, err := m.words.Indexes().CreateOne(ctx, index)
		switch refused := mongo.ServerError(nil); {
		case err == nil:
			return nil
		case mongo.IsDuplicateKeyError(err):
			return fmt.Errorf("database: %s.%s holds a word twice, so its unique index cannot be made; remove one or use an empty database: %w", database, collection, err)
		case errors.As(err, &refused) && refusedForGood(refused):
			return fmt.Errorf("database: make the unique index of %s.%s: %w", database, collection, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("database: not ready within %v; is it running where MONGODB_URI says? %w", within, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// refusedForGood reports whether waiting does not help. A server that is
// starting or electing a primary refuses too, but not for long.
// Source: https://www.mongodb.com/docs/manual/reference/error-codes/
func refusedForGood(err mongo.ServerError) bool {
	const (
		unauthorized          = 13
		authenticationFailed  = 18
		commandNotFound       = 59
		indexOptionsConflict  = 85
		indexKeySpecsConflict = 86
	)
	return slices.ContainsFunc(
		[]int{unauthorized, authenticationFailed, commandNotFound, indexOptionsConflict, indexKeySpecsConflict},
		err.HasErrorCode)
}

// Insert makes one update and one query. A findAndModify would do both in one
// round trip, but MongoDB counts it in opcounters.command, among the health
// checks, where an update is one insert in opcounters.update.
// Source: https://www.mongodb.com/docs/manual/reference/command/serverStatus/#opcounters
func (m *mongoWords) Insert(ctx context.Context, name string) (Word, error) {
	if err := retryDuplicate(func() error { return m.add(ctx, name) }); err != nil {
		return Word{}, fmt.Errorf("insert: %w", err)
	}
	word, err := m.Get(ctx, name)
	if err != nil {
		// The insert is done and acknowledged; only its answer is shorter.
		m.log.Printf("insert %q: done, but not read back: %v", name, err)
		return Word{Name: name}, nil
	}
	return word, nil
}

func (m *mongoWords) upsert(ctx context.Context, name string) error {
	_, err := m.words.UpdateOne(ctx, byName(name), addOne(), options.UpdateOne().SetUpsert(true))
	return err
}

func byName(name string) bson.D { return bson.D{{Key: "name", Value: name}} }

func addOne() bson.D { return bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: int64(1)}}}} }

// retryDuplicate repeats an upsert that lost the race for a new word: the
// server refused it, so it did nothing, and now there is a document to update.
func retryDuplicate(upsert func() error) error {
	var err error
	for range insertAttempts {
		if err = upsert(); !mongo.IsDuplicateKeyError(err) {
			return err
		}
	}
	return err
}

func (m *mongoWords) Get(ctx context.Context, name string) (Word, error) {
	var word Word
	err := m.words.FindOne(ctx, byName(name)).Decode(&word)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Word{}, ErrNoWord
	}
	if err != nil {
		return Word{}, fmt.Errorf("get: %w", err)
	}
	return word, nil
}

func (m *mongoWords) List(ctx context.Context, limit int) ([]Word, error) {
	words, err := m.find(ctx, limit, bson.D{{Key: "name", Value: 1}})
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	return words, nil
}

func (m *mongoWords) Top(ctx context.Context, limit int) ([]Word, error) {
	words, err := m.find(ctx, limit, bson.D{{Key: "count", Value: -1}, {Key: "name", Value: 1}})
	if err != nil {
		return nil, fmt.Errorf("toplist: %w", err)
	}
	return words, nil
}

// find reads up to limit words in one batch.
func (m *mongoWords) find(ctx context.Context, limit int, order bson.D) ([]Word, error) {
	cursor, err := m.words.Find(ctx, bson.D{},
		options.Find().SetSort(order).SetLimit(int64(limit)).SetBatchSize(int32(limit)+1))
	if err != nil {
		return nil, err
	}
	words := []Word{} // so that no word is [] and not null
	err = cursor.All(ctx, &words)
	return words, err
}

func (m *mongoWords) Close(ctx context.Context) error {
	if err := m.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("database: disconnect: %w", err)
	}
	return nil
}

// queryTimer times what the app asks of the database for a user, where it
// succeeds, as the routes' timers do: making the index or saying goodbye takes
// time, but no user's.
func queryTimer(client statsd.Client) *event.CommandMonitor {
	return &event.CommandMonitor{
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			switch e.CommandName {
			case "update", "find", "getMore":
				client.Timing("fullstack.db.time", e.Duration)
			}
		},
	}
}
