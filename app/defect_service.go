package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"throughline/app/statsd"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Wrong service: what fails on the way to the database, and how it is measured.

const (
	panicEvery     = 40
	failEvery      = 40
	duplicateEvery = 40
	forgetEvery    = 50
	raceEvery      = 20
)

func serviceDefects() []Defect {
	return []Defect{
		{Name: "panic-unmeasured", Entry: "F24", About: "every 40th insert panics after its write, past the middleware that counts",
			Service: "every 40th insert is written and answered 500",
			begin:   onInserts(panicEvery, panicAfter)},
		{Name: "failures-counted", Entry: "F25", About: "inserts are counted whatever their status",
			Service: "every 40th insert is not written and answered 500", begin: countFailures},
		{Name: "counted-first", Entry: "F25", About: "inserts are counted before they are written, and so also those that fail", begin: countFirst},
		{Name: "duplicate-key-500", Entry: "F61", About: "every 40th insert loses a race for a new word and is not tried again",
			Service: "every 40th insert is not written and answered 500",
			begin:   onInserts(duplicateEvery, losesRace)},
		{Name: "forgotten-writes", Entry: "F60", About: "every 50th insert is acknowledged and counted, but never written",
			Service: "every 50th insert is answered 200 and not in the database",
			begin:   onInserts(forgetEvery, forget)},
		{Name: "racing-upserts", Entry: "F59", About: "inserts look for their word and then write, the index is not unique, and every 20th looks too early",
			Service: "every 20th insert makes a new document for its word",
			begin: func(Config, *harm) (wrong, error) {
				return wrong{store: func(m *mongoWords) {
					m.unique, m.add = false, (&racer{words: m.words}).add
				}}, nil
			}},
	}
}

// unlucky is what happens to some inserts in place of Words.Insert.
type unlucky func(ctx context.Context, words Words, name string, l *harm) (Word, error)

// mistreated has bad luck with every nth insert.
type mistreated struct {
	Words
	*harm
	every  int64
	insert unlucky
	nth    atomic.Int64
}

func onInserts(every int64, insert unlucky) beginning {
	return func(_ Config, l *harm) (wrong, error) {
		return wrong{words: func(w Words) Words { return &mistreated{Words: w, harm: l, every: every, insert: insert} }}, nil
	}
}

func (m *mistreated) Insert(ctx context.Context, name string) (Word, error) {
	if m.nth.Add(1)%m.every != 0 {
		return m.Words.Insert(ctx, name)
	}
	return m.insert(ctx, m.Words, name, m.harm)
}

func panicAfter(ctx context.Context, words Words, name string, l *harm) (Word, error) {
	word, err := words.Insert(ctx, name)
	if err != nil {
		return word, err
	}
	l.book(0, 1)
	panic("defect panic-unmeasured: this insert was written")
}

func losesRace(context.Context, Words, string, *harm) (Word, error) {
	return Word{}, fmt.Errorf("insert: %w", mongo.WriteException{WriteErrors: []mongo.WriteError{{
		Code: 11000, Message: "E11000 duplicate key error collection: " + database + "." + collection,
	}}})
}

func forget(ctx context.Context, words Words, name string, l *harm) (Word, error) {
	l.book(1, 0)
	word, err := words.Get(ctx, name)
	if err != nil {
		return Word{Name: name}, nil // as an insert that could not be read back
	}
	return word, nil
}

func countFailures(c Config, l *harm) (wrong, error) {
	failing := onInserts(failEvery, func(context.Context, Words, string, *harm) (Word, error) {
		return Word{}, errors.New("insert: defect failures-counted: this insert was not written")
	})
	w, err := failing(c, l)
	w.meter = func(m statsd.Middleware) meter { return uncritical{m, l, false} }
	return w, err
}

// uncritical counts failures as successes: once they have failed, or before anybody knows.
type uncritical struct {
	statsd.Middleware
	*harm
	before bool
}

func (u uncritical) Increment(name string) gin.HandlerFunc {
	if name != counted {
		return u.Middleware.Increment(name)
	}
	return func(c *gin.Context) {
		if u.before {
			u.Client.Count(name, 1)
			c.Next()
		} else {
			c.Next()
			u.Client.Count(name, 1)
		}
		if c.Writer.Status()/100 != 2 {
			u.book(1, 0)
		}
	}
}

func countFirst(_ Config, l *harm) (wrong, error) {
	return wrong{meter: func(m statsd.Middleware) meter { return uncritical{m, l, true} }}, nil
}

// racer adds to a word in two steps, between which others can do the same.
type racer struct {
	words *mongo.Collection
	nth   atomic.Int64
}

func (r *racer) add(ctx context.Context, name string) error {
	found, err := r.look(ctx, name)
	if err != nil {
		return err
	}
	if !found {
		_, err = r.words.InsertOne(ctx, Word{Name: name, Count: 1})
		return err
	}
	_, err = r.words.UpdateOne(ctx, byName(name), addOne())
	return err
}

// look finds out whether there is a document to add to. Every 20th time it
// does as if somebody had made it just after.
func (r *racer) look(ctx context.Context, name string) (bool, error) {
	if r.nth.Add(1)%raceEvery == 0 {
		return false, nil
	}
	err := r.words.FindOne(ctx, byName(name)).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}
