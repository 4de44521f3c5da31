package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/app/statsd"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

func TestRetryDuplicate(t *testing.T) {
	duplicate := mongo.WriteException{WriteErrors: []mongo.WriteError{{Code: 11000, Message: "E11000 duplicate key"}}}
	other := errors.New("connection reset")
	tests := []struct {
		name     string
		errs     []error
		want     error
		attempts int
	}{
		{"won", []error{nil}, nil, 1},
		{"lost once", []error{duplicate, nil}, nil, 2},
		{"other error", []error{other, nil}, other, 1},
		{"other error after a lost race", []error{duplicate, other, nil}, other, 2},
		{"never", []error{duplicate, duplicate, duplicate, duplicate, duplicate, duplicate}, duplicate, insertAttempts},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			attempts := 0
			err := retryDuplicate(func() error { attempts++; return test.errs[attempts-1] })
			if fmt.Sprint(err) != fmt.Sprint(test.want) || attempts != test.attempts {
				t.Errorf("got %v after %d attempts, want %v after %d", err, attempts, test.want, test.attempts)
			}
		})
	}
}

func TestQueryTimerTimesUsersQueriesOnly(t *testing.T) {
	s := &timings{}
	for _, name := range []string{"ping", "createIndexes", "update", "find", "getMore", "endSessions", "serverStatus"} {
		queryTimer(s).Succeeded(t.Context(), &event.CommandSucceededEvent{
			CommandFinishedEvent: event.CommandFinishedEvent{CommandName: name, Duration: 3 * time.Millisecond},
		})
	}
	want := []string{"fullstack.db.time 3ms", "fullstack.db.time 3ms", "fullstack.db.time 3ms"}
	if diff := cmp.Diff(want, s.all); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// timings remembers times.
type timings struct {
	sent
	all []string
}

func (s *timings) Timing(name string, d time.Duration) {
	s.all = append(s.all, fmt.Sprint(name, " ", d))
}

func TestRefusedForGood(t *testing.T) {
	for code, want := range map[int32]bool{13: true, 18: true, 59: true, 85: true, 86: true, 91: false, 189: false, 10107: false} {
		if got := refusedForGood(mongo.CommandError{Code: code}); got != want {
			t.Errorf("code %d: got %v", code, got)
		}
	}
}

// realURI is the database to test against, whose collection test.words is
// emptied: the MongoDB that THROUGHLINE_TEST_MONGODB_URI names, or a new
// embedded one.
func realURI(t *testing.T) string {
	t.Helper()
	uri := os.Getenv("THROUGHLINE_TEST_MONGODB_URI")
	if uri == "" {
		return startDocstore(t)
	}
	m := connect(t, uri)
	if _, err := m.words.DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	return uri
}

// startDocstore starts the embedded database as a process of its own, as the
// app meets it in a stack.
func startDocstore(t *testing.T) string {
	t.Helper()
	const binary = "../bin/throughline"
	if _, err := os.Stat(binary); err != nil {
		const why = "SKIPPED, NOTHING PROVED: no database: make build, or set THROUGHLINE_TEST_MONGODB_URI to a MongoDB whose collection test.words may be emptied"
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	uri := nobody(t)
	store := exec.Command(binary, "docstore", "--listen", strings.TrimPrefix(uri, "mongodb://"), "--data", t.TempDir())
	if err := store.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after those of its users
		_ = store.Process.Kill()
		_ = store.Wait() // killed
	})
	return uri
}

// quiet is an app of which only the database is used.
func quiet(client statsd.Client) parts {
	return parts{client: client, log: log.New(io.Discard, "", 0)}
}

func connect(t *testing.T, uri string) *mongoWords {
	t.Helper()
	m, err := connectMongo(t.Context(), Config{MongoURI: uri, StartTimeout: patience, Instance: "web-1"}, quiet(&sent{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil { // t.Context is done by now
			t.Error(err)
		}
	})
	return m
}

func TestMongoWords(t *testing.T) {
	m, ctx := connect(t, realURI(t)), t.Context()
	if words, err := m.List(ctx, 10); err != nil || words == nil || len(words) != 0 {
		t.Errorf("empty: got %v, %v", words, err)
	}
	if _, err := m.Get(ctx, "none"); !errors.Is(err, ErrNoWord) {
		t.Errorf("got %v, want %v", err, ErrNoWord)
	}
	for i, name := range []string{"grüße", "a/b", "$inc", "a/b", "a/b", "$inc"} {
		if got, err := m.Insert(ctx, name); err != nil || got.Name != name || got.Count < 1 {
			t.Errorf("insert %d: got %v, %v", i, got, err)
		}
	}
	if got, err := m.Get(ctx, "a/b"); err != nil || got != (Word{"a/b", 3}) {
		t.Errorf("got %v, %v", got, err)
	}
	list, err := m.List(ctx, 2)
	if diff := cmp.Diff([]Word{{"$inc", 2}, {"a/b", 3}}, list); err != nil || diff != "" {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	top, err := m.Top(ctx, 2)
	if diff := cmp.Diff([]Word{{"a/b", 3}, {"$inc", 2}}, top); err != nil || diff != "" {
		t.Errorf("top: %v (-want +got):\n%s", err, diff)
	}
}

// Many instances start at once and race for the same new words: one document
// per word, and no insert lost or doubled.
func TestMongoRacingInstances(t *testing.T) {
	const instances, words, rounds = 6, 20, 3
	uri := realURI(t)
	all := make([]*mongoWords, instances)
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			m, err := connectMongo(t.Context(), Config{MongoURI: uri, StartTimeout: patience}, quiet(&sent{}))
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = m
			for n := range words * rounds {
				if _, err := m.Insert(t.Context(), fmt.Sprint("word-", n%words)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, m := range all {
		if m != nil {
			defer m.Close(t.Context())
		}
	}
	list, err := connect(t, uri).List(t.Context(), 1000)
	if err != nil || len(list) != words {
		t.Fatalf("%d documents for %d words, %v", len(list), words, err)
	}
	for _, w := range list {
		if w.Count != instances*rounds {
			t.Errorf("%s: %d, want %d", w.Name, w.Count, instances*rounds)
		}
	}
}

// An insert that was acknowledged but could not be read back is still done.
func TestMongoInsertWithoutReadingBack(t *testing.T) {
	uri := realURI(t)
	m := connect(t, uri)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cut, err := connectMongo(t.Context(), Config{MongoURI: uri, StartTimeout: patience}, quiet(&cutAfterFirst{cancel: cancel}))
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close(t.Context())
	if got, err := cut.Insert(ctx, "word"); err != nil || got != (Word{Name: "word"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := m.Get(t.Context(), "word"); err != nil || got.Count != 1 {
		t.Errorf("in the database: %v, %v", got, err)
	}
}

// cutAfterFirst cancels when the first query has succeeded.
type cutAfterFirst struct {
	sent
	cancel context.CancelFunc
}

func (c *cutAfterFirst) Timing(string, time.Duration) { c.cancel() }

func TestRunAgainstMongo(t *testing.T) {
	uri, socket := realURI(t), listenUDP(t)
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	r := &running{client: &http.Client{Timeout: patience}}
	c := Config{StatsD: socket.addr(), MongoURI: uri, Log: io.Discard, Ready: func(addr string) { ready <- addr }}
	go func() { ended <- Run(ctx, c) }()
	select {
	case addr := <-ready:
		r.url = "http://" + addr
	case err := <-ended:
		t.Fatal(err)
	}
	r.inserts(t, 100)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if got := socket.counts[counted]; got != 100 {
		t.Errorf("counted %d, want 100", got)
	}
	if got := socket.timers["fullstack.db.time"]; got < 200 { // an update and a find for each
		t.Errorf("%d queries were timed, want at least 200", got)
	}
	if got, err := connect(t, uri).Get(t.Context(), "word"); err != nil || got.Count != 100 {
		t.Errorf("in the database: %v, %v", got, err)
	}
}
