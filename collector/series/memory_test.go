package series

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"throughline/collector"
)

// planned is the effort of an expression that is asked for every second of span.
func planned(t testing.TB, expr string, span time.Duration) effort {
	t.Helper()
	return effortOf(statement(t, expr, span))
}

func statement(t testing.TB, expr string, span time.Duration) *parser.EvalStmt {
	t.Helper()
	parsed, err := newParser().ParseExpr(expr)
	if err != nil {
		t.Fatal(err)
	}
	stmt := &parser.EvalStmt{Start: at(0), End: at(0).Add(span), Interval: time.Second}
	if stmt.Expr, err = promql.PreprocessExpr(parsed, stmt.Start, stmt.End, stmt.Interval); err != nil {
		t.Fatal(err)
	}
	return stmt
}

// crowded has so many series of the name x, with a label of some bytes. What is asked of
// it comes to a limit of memory, which a busy machine may need minutes for: no limit of
// time may come first.
func crowded(t testing.TB, series, bytes int) *Store {
	t.Helper()
	s := openWith(t, t.TempDir(), Options{Scratch: true, Timeout: time.Hour})
	text := strings.Repeat("y", bytes)
	var all []collector.Sample
	for i := range series {
		all = append(all, float("x", 600, float64(i), "n", fmt.Sprint(i), "text", text))
	}
	mustAppend(t, s, all...)
	return s
}

// unhurried marks a test that -short leaves out.
func unhurried(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED by -short: it fills a query's memory to its limit, which takes the race detector a minute")
	}
}

const heldError = "a query may hold 10000000 samples, 256 MiB of series and an answer of 64 MiB"

// TestLabelsThatGrow: functions on labels double them, and again.
func TestLabelsThatGrow(t *testing.T) {
	s := crowded(t, 2, 1000)
	bomb := "x"
	for range 8 {
		bomb = fmt.Sprintf(`label_replace(%s, "text", "%s", "text", "(.*)")`, bomb, strings.Repeat("$1", 100))
	}
	joined := "x"
	for range 8 {
		joined = fmt.Sprintf(`label_join(%s, "text", "-"%s)`, joined, strings.Repeat(`, "text"`, 100))
	}
	separated := `label_join(x, "text", "` + strings.Repeat("-", 30_000) + `"` + strings.Repeat(`,"n"`, 8000) + ")"
	for _, expr := range []string{bomb, joined, separated} {
		got := post(t, s, "/api/v1/query?query="+url.QueryEscape(expr))
		if got.status != 422 || !strings.Contains(got.body, `"errorType":"execution"`) || !strings.Contains(got.body, heldError) {
			t.Errorf("%.60s…: %d %.300s", expr, got.status, got.body)
		}
	}
	once := `count(label_replace(x, "text", "$1$1", "text", "(.*)"))`
	if got := get(t, s, "/api/v1/query?query="+url.QueryEscape(once)); got.status != 200 || !strings.Contains(got.body, `"2"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestSeriesAreCounted: the engine keeps the series of every selector of a
// query, with samples or without, and room for every step of each.
func TestSeriesAreCounted(t *testing.T) {
	unhurried(t)
	s := crowded(t, 5000, 10)
	often := strings.Repeat("count(x) or ", 200) + "count(x)"
	for _, target := range []string{
		"query?query=" + url.QueryEscape(often),
		"query_range?start=1582970000&end=1582981000&step=1&query=" + url.QueryEscape("x + 0"),
		"query_range?start=1582977000&end=1582978200&step=1&query=" + url.QueryEscape(`count_values("v", x)`),
	} {
		if got := post(t, s, "/api/v1/"+target); got.status != 422 || !strings.Contains(got.body, heldError) {
			t.Errorf("%.80s…: %d %.300s", target, got.status, got.body)
		}
	}
	for target, want := range map[string]string{
		"query?query=" + url.QueryEscape("count(x)"):                                                        `"5000"`,
		"query?query=" + url.QueryEscape(`count(count_values("v", x))`):                                     `"5000"`,
		"query?query=" + url.QueryEscape("count(x) + count(x) + count(x) + count(x) + count(x) + count(x)"): `"30000"`,
	} {
		if got := get(t, s, "/api/v1/"+target); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %.300s", target, got.status, got.body)
		}
	}
}

// TestHeavyTurn: what needs more than the light allowance has its answer all the
// same, one after the other, while light requests are answered.
func TestHeavyTurn(t *testing.T) {
	s := crowded(t, 90, 100_000) // 9 MB, more than a light answer may have
	s.turns.heavy <- struct{}{}  // somebody has it
	if got := get(t, s, "/api/v1/query?query=x+%2B+0&time=1&timeout=1s"); got.status != 200 {
		t.Errorf("an empty answer is light: %d %s", got.status, got.body)
	}
	for _, target := range []string{"/api/v1/query?query=sort(x)", "/api/v1/series?match[]=x", "/metrics", "/federate?match[]=x"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		got := do(t, s, httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil))
		cancel()
		if got.status != 499 || !strings.Contains(got.body, "query was canceled in query queue") {
			t.Errorf("%s does not wait for the heavy turn: %d %.200s", target, got.status, got.body)
		}
	}
	if len(s.turns.light) != 0 {
		t.Error("who waits for the heavy turn keeps a light one")
	}
	<-s.turns.heavy
	for _, target := range []string{"/api/v1/query?query=sort(x)", "/api/v1/series?match[]=x", "/metrics", "/federate?match[]=x"} {
		got := get(t, s, target)
		if n := strings.Count(got.body, strings.Repeat("y", 100_000)); got.status != 200 || n != 90 {
			t.Errorf("%s: %d, %d series, want 90", target, got.status, n)
		}
	}
}

// TestManySamples: samples that a query holds.
func TestManySamples(t *testing.T) {
	unhurried(t)
	s := crowded(t, 1500, 10)
	got := get(t, s, "/api/v1/query_range?start=1582978200&end=1582978400&step=0.02&query=x")
	if got.status != 422 || !strings.Contains(got.body, heldError) {
		t.Errorf("%d %.300s", got.status, got.body)
	}
	// A judge may hold more, and not anything.
	if _, err := s.QueryRange(context.Background(), "sum(x)", at(600), at(800), 20*time.Millisecond); err != nil {
		t.Error(err)
	}
	const want = "a query may hold 50000000 samples, 1024 MiB of series"
	if _, err := s.QueryRange(context.Background(), "sum(x)", at(600), at(900), 5*time.Millisecond); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}

// TestLongAnswer has few samples that take many bytes to write.
func TestLongAnswer(t *testing.T) {
	s := crowded(t, 800, 100_000)
	got := get(t, s, "/api/v1/query?query=x")
	if got.status != 422 || !strings.Contains(got.body, "the answer is too long") || !strings.Contains(got.body, heldError) {
		t.Errorf("%d %.300s", got.status, got.body)
	}
}

// TestUnreadAnswers: the room for answers that wait for their readers is given
// back, and where there is none left, only short ones are sent.
func TestUnreadAnswers(t *testing.T) {
	s := crowded(t, 1000, 100)
	if !s.turns.unread.TryAcquire(maxUnread) {
		t.Fatal("there is less room than is said")
	}
	for _, target := range []string{"/api/v1/query?query=x", "/metrics"} {
		if got := get(t, s, target); got.status != 503 || !strings.Contains(got.body, "the answers that wait for their readers have no room") {
			t.Errorf("%s: %d %.200s", target, got.status, got.body)
		}
	}
	if got := get(t, s, "/api/v1/query?query=count(x)"); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	s.turns.unread.Release(maxUnread)
	for range 3 {
		if got := get(t, s, "/api/v1/query?query=x"); got.status != 200 {
			t.Errorf("%d %.200s", got.status, got.body)
		}
	}
	if !s.turns.unread.TryAcquire(maxUnread) {
		t.Error("an answer that was sent keeps its room")
	}
	s.turns.unread.Release(maxUnread)
}

// TestAllTogether has many clients ask for much at once, and looks at the heap
// meanwhile. What they have their answers from, and what is refused, is what one
// client has and is refused.
func TestAllTogether(t *testing.T) {
	unhurried(t)
	s := crowded(t, 2500, 10)
	span := fmt.Sprintf("start=%d&end=%d&step=1&query=", at(599).Unix(), at(1598).Unix())
	asks := map[string]int{"x": 200, "x + 0": 200, `count_values("v", x)`: 422, "-x": 200}
	before := objects()
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 2 {
		for expr, want := range asks {
			clients.Go(func() {
				w := httptest.NewRecorder()
				w.Body = nil // the client reads it as it comes
				s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/query_range?"+span+url.QueryEscape(expr), nil))
				if w.Code != want {
					t.Errorf("%s: status %d, want %d", expr, w.Code, want)
				}
			})
		}
	}
	go func() { clients.Wait(); close(done) }()
	var most uint64
	for {
		select {
		case <-done:
			t.Logf("%d MiB at most", most>>20)
			if most > 350<<20 {
				t.Errorf("8 questions take %d MiB, want at most 350", most>>20)
			}
			return
		case <-time.After(time.Millisecond):
			if now := objects(); now > before {
				most = max(most, now-before)
			}
		}
	}
}

// objects is how many bytes the objects on the heap have, dead ones included.
func objects() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestAdvice(t *testing.T) {
	if err := errors.New("other"); heavy.advised(err) != err || heavy.advised(nil) != nil {
		t.Error("advice where none is asked for")
	}
}
