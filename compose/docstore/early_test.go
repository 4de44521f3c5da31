package docstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// rolledBackBy is what a member says that it acknowledged and rolled back.
func (s *replicaSet) rolledBackBy(addr string) int {
	s.t.Helper()
	var status struct {
		Rollback struct{ Acknowledged int }
	}
	if err := s.direct(addr).Database("admin").RunCommand(s.t.Context(), bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		s.t.Fatal(err)
	}
	return status.Rollback.Acknowledged
}

func early1() *options.ClientOptions { return options.Client().SetWriteConcern(writeconcern.W1()) }

// With write concern 1 a primary that is cut off acknowledges until it has noticed. What nobody else heard of is rolled back when it
// is, and the member tells how much that was: exactly what was acknowledged and is not there.
func TestWriteConcern1IsRolledBack(t *testing.T) {
	s := newReplicaSet(t, 3)
	old := s.primary()
	majority := s.client().Database("test").Collection("words")
	if err := increment(t.Context(), majority, "word"); err != nil {
		t.Fatal(err)
	}
	direct := connectTo(t, "mongodb://"+old+"/?directConnection=true", early1(), options.Client().SetRetryWrites(false)).Database("test").Collection("words")
	acked := 0
	s.cut.isolate(old, true)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := increment(ctx, direct, "word")
		cancel()
		if err != nil {
			break
		}
		acked++
	}
	if acked == 0 {
		t.Fatal("the primary that was cut off acknowledged nothing")
	}
	next := s.primary(old)
	s.cut.isolate(old, false)
	if err := increment(t.Context(), majority, "word"); err != nil {
		t.Fatal(err)
	}
	s.wantFollower(old)
	for deadline := time.Now().Add(failover); s.rolledBackBy(old) < acked; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d were acknowledged, and %d said to be rolled back", acked, s.rolledBackBy(old))
		}
	}
	if n := s.rolledBackBy(old); n != acked {
		t.Errorf("%d were acknowledged, and %d said to be rolled back", acked, n)
	}
	if n := countOf(t, majority, "word"); n != 2 {
		t.Errorf("the word counts %d, want 2: the two that a majority had", n)
	}
	if n := s.rolledBackBy(next); n != 0 {
		t.Errorf("the new primary says that it rolled %d back", n)
	}
}

// Where nothing dies, write concern 1 loses nothing, a write is seen by who reads after it, and what it comes to is what
// it would have come to behind those before it.
func TestWriteConcern1(t *testing.T) {
	s := newReplicaSet(t, 3)
	c := s.client(early1()).Database("test").Collection("words")
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		word := fmt.Sprint(i % 5)
		if err := increment(t.Context(), c, word); err != nil {
			t.Fatal(err)
		}
		if n := countOf(t, c, word); n != i/5+1 {
			t.Errorf("%s counts %d after %d", word, n, i/5+1)
		}
	}
	if _, err := c.InsertOne(t.Context(), bson.D{{Key: "name", Value: "new"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.InsertOne(t.Context(), bson.D{{Key: "name", Value: "new"}}); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("a second document of a name: %v", err)
	}
	w := startWriters(t, s.client(early1()))
	w.more(t, 500)
	w.stop()
	w.none(t)
	for i := range w.acked {
		want := w.acked[i].Load()
		if i < 5 {
			want += 10 // from before
		}
		if n := int64(countOf(t, c, fmt.Sprint(i))); n != want {
			t.Errorf("writer %d counts %d, want %d", i, n, want)
		}
	}
	for _, addr := range s.addrs {
		if n := s.rolledBackBy(addr); n != 0 {
			t.Errorf("%s rolled %d back", addr, n)
		}
	}
}

// wantFollower waits until a member follows the primary.
func (s *replicaSet) wantFollower(addr string) {
	s.t.Helper()
	for deadline := time.Now().Add(failover); !s.hello(addr).Secondary; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not follow: %+v", addr, s.hello(addr))
		}
	}
}
