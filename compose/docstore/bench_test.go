package docstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// BenchmarkDurableUpsert measures what the web app does: $inc upserts by a
// unique index, from 64 writers over TCP, each acknowledged after a sync.
func BenchmarkDurableUpsert(b *testing.B) {
	upserts(b, connect(b, serve(b, b.TempDir())))
}

// BenchmarkReplicatedUpsert measures the same with three members on one disk, each in a
// process of its own, and acknowledged when two have it.
func BenchmarkReplicatedUpsert(b *testing.B) {
	upserts(b, startProcesses(b).client(options.Client().SetMaxPoolSize(200)))
}

// BenchmarkEarlyUpsert measures the latter with write concern 1: acknowledged when the primary has it. Each write is tried first
// behind those that wait, one after the other.
func BenchmarkEarlyUpsert(b *testing.B) {
	upserts(b, startProcesses(b).client(options.Client().SetMaxPoolSize(200), early1()))
}

func upserts(b *testing.B, client *mongo.Client) {
	const writers, vocabulary = 64, 5000
	c := client.Database("test").Collection("words")
	index := mongo.IndexModel{Keys: bson.D{{Key: "name", Value: 1}}, Options: options.Index().SetUnique(true)}
	if _, err := c.Indexes().CreateOne(context.Background(), index); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				_, err := c.UpdateOne(context.Background(),
					bson.D{{Key: "name", Value: fmt.Sprintf("word-%d", i*7919%vocabulary)}},
					bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: int64(1)}}}},
					options.UpdateOne().SetUpsert(true))
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	total := int64(0)
	cursor, err := c.Aggregate(context.Background(), bson.A{bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: nil}, {Key: "n", Value: bson.D{{Key: "$sum", Value: "$count"}}}}}}})
	if err != nil {
		b.Fatal(err)
	}
	var sums []struct{ N int64 }
	if err := cursor.All(context.Background(), &sums); err != nil {
		b.Fatal(err)
	}
	for _, s := range sums {
		total += s.N
	}
	if total != int64(b.N) {
		b.Errorf("the sum of count is %d after %d acknowledged increments", total, b.N)
	}
}
