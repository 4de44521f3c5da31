package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/live"
)

// broken is a way that breaks: each answer's body after so many bytes, until none are left.
type broken struct {
	after  []int
	mangle bool // turns a byte, in place of breaking off
	mu     sync.Mutex
}

func (b *broken) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || len(b.after) == 0 {
		return answer, err
	}
	n := b.after[0]
	b.after = b.after[1:]
	if n == 0 {
		answer.Body.Close()
		return nil, errors.New("connection refused")
	}
	answer.Body = &short{answer.Body, n, b.mangle}
	return answer, nil
}

// short is a body that ends too early, or has a wrong byte in it.
type short struct {
	io.ReadCloser
	left   int
	mangle bool
}

func (s *short) Read(p []byte) (int, error) {
	if s.mangle {
		n, err := s.ReadCloser.Read(p)
		if s.left > 0 && n >= s.left {
			p[s.left-1] ^= 1
		}
		s.left -= n
		return n, err
	}
	if s.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.ReadCloser.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

// toServer sends every request to a server, whatever it is called.
type toServer struct {
	at  string
	way http.RoundTripper
}

func (t toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = t.at
	return t.way.RoundTrip(r)
}

// both is a server and a client of it, which keeps what it tells.
type both struct {
	*Server
	Client
	said []string
}

func start(t *testing.T, dir string, stop func(), way http.RoundTripper) *both {
	t.Helper()
	b := &both{Server: NewServer(dir, stop)}
	served := httptest.NewServer(b.Server)
	t.Cleanup(func() { served.CloseClientConnections(); served.Close() })
	b.Client = Client{Way: toServer{strings.TrimPrefix(served.URL, "http://"), way}, Rest: time.Millisecond, StopLimit: 5 * time.Second,
		Gone: func(context.Context) error { return nil }, Tell: func(err error) { b.said = append(b.said, err.Error()) }}
	return b
}

func publish(s *Server, n int) {
	stream := new(live.Stream)
	kept := s.Watch(stream)
	for i := range n {
		stream.Publish(live.Event{Kind: live.Note, Text: fmt.Sprint(i)})
	}
	stream.End()
	kept()
}

// What a run shows arrives once and in order, wherever the way breaks.
func TestFollow(t *testing.T) {
	for _, after := range [][]int{nil, {0, 0, 1}, {40, 41, 42, 200, 1}, {500}} {
		b := start(t, t.TempDir(), func() {}, &broken{after: after})
		publish(b.Server, 100)
		b.Server.Tell(errors.New("the stack did not go down"))
		b.End(2)
		var got, want []string
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
		}
		end, told, err := b.Follow(t.Context(), func(e live.Event) { got = append(got, e.Text) })
		if err != nil || end.Status != 2 || len(told) != 1 || told[0].Error() != "the stack did not go down" {
			t.Errorf("%v: %+v, %v, %v", after, end, told, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v: %s", after, d)
		}
		if len(after) > 0 && len(b.said) == 0 {
			t.Errorf("%v: nobody was told that the way broke", after)
		}
	}
}

// A run that shows nothing for long is not taken for gone, and one that was told to stop is followed to its end.
func TestStop(t *testing.T) {
	var b *both
	b = start(t, t.TempDir(), func() { go b.End(2) }, &broken{after: []int{0}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	end, _, err := b.Follow(ctx, func(live.Event) {})
	if err != nil || end.Status != 2 {
		t.Errorf("%+v, %v", end, err)
	}
	deaf := start(t, t.TempDir(), func() {}, http.DefaultTransport)
	deaf.StopLimit = 50 * time.Millisecond
	if _, _, err := deaf.Follow(ctx, func(live.Event) {}); err == nil || !strings.Contains(err.Error(), "told to stop and has not within 50ms") {
		t.Errorf("%v", err)
	}
}

// A server that is gone for good is not waited for.
func TestGone(t *testing.T) {
	b := start(t, t.TempDir(), func() {}, &broken{after: []int{0, 0, 0}})
	b.Gone = func(context.Context) error { return errors.New("its pod was deleted") }
	if _, _, err := b.Follow(t.Context(), func(live.Event) {}); err == nil || err.Error() != "its pod was deleted" {
		t.Errorf("%v", err)
	}
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func record(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"journal.jsonl": strings.Repeat("x\n", 200_000), "logs/web-1.log": "hello\n", "empty": "", "exits/web-1.json": "{}"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// All files arrive as they are, wherever the copy breaks, and a byte that is turned on the way is noticed.
func TestFetch(t *testing.T) {
	from := record(t)
	for _, way := range []*broken{{}, {after: []int{0, 1, 600, 100_000, 401_000}}, {after: []int{600}, mangle: true}, {after: []int{1500}, mangle: true}} {
		breaks, to := len(way.after), t.TempDir()
		b := start(t, from, func() {}, way)
		if err := b.Fetch(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tree(t, from), tree(t, to)); d != "" {
			t.Error(d)
		}
		if breaks > 0 && len(b.said) == 0 {
			t.Error("nobody was told that a copy broke")
		}
	}
}

// What is there is not written over.
func TestFetchIntoARecord(t *testing.T) {
	b, to := start(t, record(t), func() {}, http.DefaultTransport), t.TempDir()
	if err := os.WriteFile(filepath.Join(to, "journal.jsonl"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Fetch(t.Context(), to); err == nil || !strings.Contains(err.Error(), "is there already, and is not written over") {
		t.Errorf("%v", err)
	}
	if got := tree(t, to)["journal.jsonl"]; got != "mine" {
		t.Errorf("it was written over: %q", got)
	}
}

// Whoever waits is not missed while it asks, and is once it does not.
func TestQuiet(t *testing.T) {
	b := start(t, t.TempDir(), func() {}, http.DefaultTransport)
	since := time.Now()
	if got := b.Quiet(since, since.Add(time.Minute)); got != time.Minute {
		t.Errorf("nobody has asked, and it is quiet for %v", got)
	}
	asking, cancel := context.WithCancel(t.Context())
	shown, done := make(chan struct{}), make(chan struct{})
	publish(b.Server, 1)
	go func() {
		defer close(done)
		next := 0
		_ = b.Client.progress(asking, &next, func(line) { close(shown) })
	}()
	<-shown
	if got := b.Quiet(since, time.Now().Add(time.Hour)); got != 0 {
		t.Errorf("somebody asks, and it is quiet for %v", got)
	}
	cancel()
	<-done
	for deadline := time.Now().Add(10 * time.Second); b.Quiet(since, time.Now().Add(time.Hour)) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nobody asks any more, and it is not quiet")
		}
		time.Sleep(time.Millisecond)
	}
	if err := b.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-b.Taken()
	if err := b.Done(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
}
