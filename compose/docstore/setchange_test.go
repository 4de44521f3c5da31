package docstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// writers increment a word each until they are stopped, and know what became of that.
type writers struct {
	wg               sync.WaitGroup
	cancel           context.CancelFunc
	attempted, acked [8]atomic.Int64
	failed           atomic.Int64
	last             atomic.Pointer[error]
}

// patience is for how long a writer waits for a primary.
const patience = 30 * time.Second

func startWriters(t testing.TB, client *mongo.Client) *writers {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{cancel: cancel}
	c := client.Database("test").Collection("words")
	for i := range w.acked {
		w.wg.Go(func() {
			for ctx.Err() == nil {
				// One that is under way when the writers are stopped is waited for.
				within, done := context.WithTimeout(context.Background(), patience)
				w.attempted[i].Add(1)
				if err := increment(within, c, fmt.Sprint(i)); err != nil {
					w.failed.Add(1)
					w.last.Store(&err)
				} else {
					w.acked[i].Add(1)
				}
				done()
			}
		})
	}
	t.Cleanup(w.stop)
	return w
}

func (w *writers) stop() {
	w.cancel()
	w.wg.Wait()
}

func (w *writers) sum() (n int64) {
	for i := range w.acked {
		n += w.acked[i].Load()
	}
	return n
}

// more waits until so many more writes are acknowledged.
func (w *writers) more(t testing.TB, n int64) {
	t.Helper()
	begin := w.sum()
	for deadline := time.Now().Add(patience); w.sum() < begin+n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d writes were acknowledged in %v, want %d more", w.sum()-begin, patience, n)
		}
	}
}

// verify compares what is there with what was acknowledged.
func (w *writers) verify(t testing.TB, c *mongo.Collection) {
	t.Helper()
	for i := range w.acked {
		n, acked, attempted := int64(countOf(t, c, fmt.Sprint(i))), w.acked[i].Load(), w.attempted[i].Load()
		if n < acked || n > attempted {
			t.Errorf("writer %d counts %d, want %d to %d", i, n, acked, attempted)
		}
	}
}

// none fails where a writer saw an error: a driver that may retry sees none of a failover.
func (w *writers) none(t testing.TB) {
	t.Helper()
	if n := w.failed.Load(); n > 0 {
		t.Errorf("%d writes failed, the last with: %v", n, *w.last.Load())
	}
}

// A primary that steps down loses nothing, and nobody sees an error.
func TestStepDown(t *testing.T) {
	s := newReplicaSet(t, 3)
	w := startWriters(t, s.client())
	w.more(t, 200)
	old := s.primary()
	if answer := talkTo(t, old).ask(bson.D{{Key: "replSetStepDown", Value: 60}}); lookup(answer, "ok").AsFloat64() != 1 {
		t.Fatalf("step down: %s", showDocument(answer))
	}
	if now := s.primary(old); now == old {
		t.Errorf("the primary is still %s", now)
	}
	w.more(t, 200)
	w.stop()
	w.none(t)
	w.verify(t, s.client().Database("test").Collection("words"))
}

// A primary that is cut off from the others acknowledges nothing more; they elect another one, and it follows
// that one when it is back.
func TestPartition(t *testing.T) {
	s := newReplicaSet(t, 3)
	w := startWriters(t, s.client())
	w.more(t, 100)
	old := s.primary()
	s.cut.isolate(old, true)
	alone, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := increment(alone, s.direct(old).Database("test").Collection("words"), "alone")
	if err == nil {
		t.Errorf("one that is cut off acknowledged a write")
	}
	now := s.primary(old)
	w.more(t, 200)
	s.cut.isolate(old, false)
	for deadline := time.Now().Add(failover); !s.hello(old).Secondary || s.hello(old).Primary == ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not follow: %+v, the primary was %s", old, s.hello(old), now)
		}
	}
	w.more(t, 100)
	w.stop()
	w.none(t)
	c := s.client().Database("test").Collection("words")
	w.verify(t, c)
	if n := countOf(t, c, "alone"); n > 1 {
		t.Errorf("what was written to the one cut off is there %d times", n)
	}
}

// A member that is stopped and comes back has what was written meanwhile, and so has a new
// one in the place of another, which has most of it from a snapshot.
func TestMembersComeAndGo(t *testing.T) {
	s := newReplicaSetWith(t, 3, 100)
	c := s.client().Database("test").Collection("words")
	write := func(n int) {
		t.Helper()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range n / 10 {
					if err := increment(t.Context(), c, "moon"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	}
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	write(150)
	other := s.secondary()
	dir := s.dirs[other]
	s.stop(other)
	write(350)
	s.launch(other, dir)
	s.wantEverywhere("moon", 500, other)

	gone := s.secondary()
	s.stop(gone)
	write(100)
	next := s.launch("127.0.0.1:0", t.TempDir())
	var members []string
	for _, addr := range append(s.addrs, next) {
		if addr != gone {
			members = append(members, addr)
		}
	}
	if answer := talkTo(t, s.primary()).ask(bson.D{{Key: "replSetReconfig", Value: configOf(members...)}}); lookup(answer, "ok").AsFloat64() != 1 {
		t.Fatalf("reconfigure: %s", showDocument(answer))
	}
	s.addrs = members
	s.wantEverywhere("moon", 600, next)
	// It counts: with one of the others gone, there is still a primary.
	s.stop(s.primary())
	write(50)
	s.wantEverywhere("moon", 650, next)
	if n := s.hello(s.primary()).Hosts; len(n) != 3 {
		t.Errorf("the set has %v", n)
	}
}

// wantEverywhere waits until the members count so many of a word.
func (s *replicaSet) wantEverywhere(word string, want int, members ...string) {
	s.t.Helper()
	for _, addr := range members {
		c := s.direct(addr).Database("test").Collection("words")
		got, last := 0, error(nil)
		for deadline := time.Now().Add(failover); ; time.Sleep(20 * time.Millisecond) {
			var d struct{ Count int }
			if last = c.FindOne(s.t.Context(), bson.D{{Key: "name", Value: word}}).Decode(&d); last == nil || errors.Is(last, mongo.ErrNoDocuments) {
				if got = d.Count; got == want {
					break
				}
			}
			if time.Now().After(deadline) {
				s.t.Fatalf("%s counts %d of %s, want %d (%v)", addr, got, word, want, last)
			}
		}
	}
}
