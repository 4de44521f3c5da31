package poll

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Word is one document of the reference application.
type Word struct {
	Word  string `bson:"name"`
	Count int64  `bson:"count"`
}

// Words reads all documents of test.words, where the reference application
// keeps its counts, sorted by word. It is no poll: it is asked before and after
// a load, and a word may stand twice.
func (m *Mongo) Words(ctx context.Context) ([]Word, error) {
	words := []Word{}
	cursor, err := m.client.Database("test").Collection("words").Find(ctx, bson.D{},
		options.Find().SetSort(bson.D{{Key: "name", Value: 1}}))
	if err == nil {
		err = cursor.All(ctx, &words)
	}
	if err != nil {
		return nil, fmt.Errorf("read the documents of test.words: %w", err)
	}
	return words, nil
}
