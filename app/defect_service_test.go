package app

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// What the service gets wrong is exactly what Service says, and the counter is
// explained to the last insert.
func TestServiceDefects(t *testing.T) {
	const inserts = 120
	tests := []struct {
		name           string
		failed         int
		stored         int64
		dropped, extra int64
	}{
		{"panic-unmeasured", 3, 120, 3, 0},
		{"failures-counted", 3, 117, 0, 4}, // and the bad word
		{"counted-first", 0, 120, 0, 1},    // the bad word
		{"duplicate-key-500", 3, 117, 0, 0},
		{"forgotten-writes", 0, 118, 0, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			socket, words := listenUDP(t), newMemory()
			r := start(t, Config{StatsD: socket.addr(), Defect: test.name}, words)
			statuses := map[int]int{}
			for range inserts {
				statuses[r.request(t, "POST", "/insert/word")]++
			}
			want := map[int]int{200: inserts - test.failed}
			if test.failed > 0 {
				want[500] = test.failed
			}
			if diff := cmp.Diff(want, statuses); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			if got := r.request(t, "POST", "/insert/%FF"); got != 400 {
				t.Errorf("bad word: got %d", got)
			}
			if got := r.request(t, "GET", "/get/none"); got != 404 {
				t.Errorf("no word: got %d", got)
			}
			r.stop()
			if err := r.wait(t); err != nil {
				t.Fatal(err)
			}
			socket.settle(t)
			if words.sum() != test.stored {
				t.Errorf("%d in the database, want %d", words.sum(), test.stored)
			}
			counts := map[string]int64{counted: test.stored - test.dropped + test.extra}
			if diff := cmp.Diff(counts, socket.counts); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
			if got, want := socket.timers[timed], inserts-test.failed; got != want {
				t.Errorf("%d times, want %d", got, want)
			}
			if got := socket.gauges[inFlight]; got != 0 {
				t.Errorf("%v in flight", got)
			}
			if dropped, extra := r.log.defectLine(t, test.name); dropped != test.dropped || extra != test.extra {
				t.Errorf("logged dropped=%d extra=%d, want %d and %d", dropped, extra, test.dropped, test.extra)
			}
		})
	}
}

// An insert that fails by itself is not the defect's.
func TestServiceDefectsPassOnFailures(t *testing.T) {
	broken := errors.New("connection reset")
	w, words := started(t, "panic-unmeasured"), newMemory()
	words.err = broken
	for range panicEvery {
		if _, err := w.words(words).Insert(t.Context(), "word"); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := panicAfter(t.Context(), words, "word", w.harm); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	checkBooked(t, w.harm, 0, 0)
	if got, err := forget(t.Context(), words, "word", w.harm); err != nil || got != (Word{Name: "word"}) {
		t.Errorf("a forgotten insert: %v, %v", got, err)
	}
}

// Against a real database: every 20th insert makes a second document for its
// word, the sum stays right, and so does the counter.
func TestRacingUpserts(t *testing.T) {
	uri, socket := realURI(t), listenUDP(t)
	c := Config{StatsD: socket.addr(), MongoURI: uri, Log: io.Discard, Defect: "racing-upserts", StartTimeout: patience}
	p, err := newParts(c)
	if err != nil {
		t.Fatal(err)
	}
	m, err := connectMongo(t.Context(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	p.words = m
	for range 65 {
		if _, err := m.Insert(t.Context(), "word"); err != nil {
			t.Fatal(err)
		}
	}
	cursor, err := m.words.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var documents []Word
	if err := cursor.All(t.Context(), &documents); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, d := range documents {
		sum += d.Count
	}
	if len(documents) != 1+65/raceEvery || sum != 65 {
		t.Errorf("%v: %d documents with a sum of %d, want 4 and 65", documents, len(documents), sum)
	}
	// A right app refuses such a database at its start.
	if _, err := connectMongo(t.Context(), Config{MongoURI: uri, StartTimeout: patience}, quiet(&sent{})); err == nil {
		t.Error("a right app accepted two documents of one word")
	}
	if err := errors.Join(p.client.Close(), m.Close(context.Background())); err != nil {
		t.Error(err)
	}
	checkBooked(t, p.wrong.harm, 0, 0)
}
