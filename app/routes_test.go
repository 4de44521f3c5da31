package app

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"throughline/app/statsd"

	"github.com/google/go-cmp/cmp"
)

// served answers one request of a fresh app over words.
func served(t *testing.T, words Words, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	socket := listenUDP(t)
	client, err := statsd.Dial(statsd.Options{Addr: socket.addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	counter := &wordCounter{words: words, log: log.New(io.Discard, "", 0)}
	response := httptest.NewRecorder()
	counter.routes(statsd.Middleware{Client: client}).ServeHTTP(response, request)
	return response
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		method, path string
		status       int
		body         string
	}{
		{"POST", "/insert/new", 200, `{"name":"new","count":1}`},
		{"GET", "/insert/old", 200, `{"name":"old","count":8}`},
		{"POST", "/insert/a%2Fb", 200, `{"name":"a/b","count":1}`},
		{"POST", "/insert/c++", 200, `{"name":"c++","count":1}`},
		{"POST", "/insert/gr%C3%BC%C3%9Fe", 200, `{"name":"grüße","count":1}`},
		{"POST", "/insert/" + strings.Repeat("x", maxName+1), 400, `{"error":"word: 257 bytes, at most 256 are allowed"}`},
		{"POST", "/insert/%FF", 400, `{"error":"word: not UTF-8"}`},
		{"POST", "/insert/", 404, `{"error":"no such page"}`},
		{"PUT", "/insert/new", 405, `{"error":"method not allowed"}`},
		{"GET", "/get", 200, `[{"name":"<b>","count":3},{"name":"old","count":7}]`},
		{"GET", "/get/old", 200, `{"name":"old","count":7}`},
		{"GET", "/get/none", 404, `{"error":"no such word"}`},
		{"GET", "/get/%FF", 400, `{"error":"word: not UTF-8"}`},
		{"GET", "/healthz", 200, `{"status":"ok"}`},
		{"GET", "/", 404, `{"error":"no such page"}`},
	}
	for _, test := range tests {
		t.Run(test.method+test.path, func(t *testing.T) {
			words := newMemory()
			words.counts["old"], words.counts["<b>"] = 7, 3
			got := served(t, words, httptest.NewRequest(test.method, test.path, nil))
			// encoding/json escapes < and >; undone here to keep the table readable.
			body := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got.Body.String())
			if got.Code != test.status || body != test.body {
				t.Errorf("got %d %s, want %d %s", got.Code, body, test.status, test.body)
			}
		})
	}
}

func TestToplist(t *testing.T) {
	words := newMemory()
	for i, name := range strings.Fields("a b c d e f g h i j k <script>") {
		words.counts[name] = int64(i + 1)
	}
	got := served(t, words, httptest.NewRequest("GET", "/toplist", nil))
	if got.Code != 200 || got.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("got %d, %s", got.Code, got.Header().Get("Content-Type"))
	}
	var items []string
	for line := range strings.Lines(got.Body.String()) {
		if strings.HasPrefix(line, "<li>") {
			items = append(items, strings.TrimSpace(line))
		}
	}
	want := []string{"<li>&lt;script&gt;: 12</li>", "<li>k: 11</li>", "<li>j: 10</li>", "<li>i: 9</li>", "<li>h: 8</li>",
		"<li>g: 7</li>", "<li>f: 6</li>", "<li>e: 5</li>", "<li>d: 4</li>", "<li>c: 3</li>"}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestListIsCapped(t *testing.T) {
	words := newMemory()
	for i := range listLimit + 50 {
		words.counts[strings.Repeat("x", i+1)] = 1
	}
	got := served(t, words, httptest.NewRequest("GET", "/get", nil))
	if n := strings.Count(got.Body.String(), `"count":1`); got.Code != 200 || n != listLimit {
		t.Errorf("got %d with %d words, want %d", got.Code, n, listLimit)
	}
}

func TestDatabaseErrorsAreAnswered(t *testing.T) {
	for _, path := range []string{"/insert/x", "/get", "/get/x", "/toplist"} {
		words := newMemory()
		words.err = errors.New("connection reset")
		got := served(t, words, httptest.NewRequest("GET", path, nil))
		if got.Code != 500 || got.Body.String() != `{"error":"database: connection reset"}` {
			t.Errorf("%s: got %d %s", path, got.Code, got.Body)
		}
	}
}

func TestPanicsAreAnswered(t *testing.T) {
	words := newMemory()
	words.enter = func(context.Context) { panic("on purpose") }
	got := served(t, words, httptest.NewRequest("POST", "/insert/x", nil))
	if got.Code != 500 || got.Body.String() != `{"error":"internal error"}` {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
}

func TestUserWhoHangsUpDoesNotStopTheInsert(t *testing.T) {
	words := newMemory()
	ctx, hangUp := context.WithCancel(t.Context())
	var bounded bool
	words.enter = func(ctx context.Context) {
		hangUp()
		_, bounded = ctx.Deadline()
	}
	got := served(t, words, httptest.NewRequest("POST", "/insert/x", nil).WithContext(ctx))
	if got.Code != 200 || words.sum() != 1 {
		t.Errorf("got %d, %d words in the database", got.Code, words.sum())
	}
	if !bounded {
		t.Error("the insert had no deadline")
	}
}
