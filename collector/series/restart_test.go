package series

import (
	"bytes"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// earlier makes a store, lets fill put something into it, and closes it.
func earlier(t testing.TB, fill func(*Store)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openWith(t, dir, Options{})
	fill(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func buckets(count float64) *collector.Histogram {
	return &collector.Histogram{Schema: 3, Count: count, Sum: 2 * count, ZeroThreshold: 1e-9, ZeroCount: 1,
		Positive: []collector.Bucket{{Index: -4, Count: count - 2}, {Index: 7, Count: 1}}}
}

func TestOutageIsMarked(t *testing.T) {
	dir := earlier(t, func(s *Store) {
		mustAppend(t, s, float("x", 100, 1), float("ended", 100, 1), float("silent", 100, 1), float("seldom", 390, 1))
		mustAppend(t, s, end("ended", 300), float("x", 400, 2), distribution("d", 400, buckets(5)))
	})
	s := openWith(t, dir, Options{Now: func() time.Time { return at(450) }, Lookback: 4 * time.Minute})
	wantOutage(t, s, 400, 450)
	for when, want := range map[float64]float64{400: 2, 400.001: math.NaN(), 450: math.NaN()} {
		wantNumber(t, s, "x", when, want)
	}
	wantNumber(t, s, "histogram_count(d)", 400, 5)
	wantNumber(t, s, "histogram_count(d)", 400.001, math.NaN())
	wantNumber(t, s, "seldom", 390, 1)
	wantNumber(t, s, "seldom", 391, math.NaN())
	wantNumber(t, s, "ended", 299, 1)
	wantNumber(t, s, "silent", 339, 1) // it was over before the outage
	wantNumber(t, s, "count_over_time(x[10m])", 450, 2)

	// They begin again.
	mustAppend(t, s, float("x", 451, 7), distribution("d", 451, buckets(6)))
	wantNumber(t, s, "x", 451, 7)
	wantNumber(t, s, "histogram_count(d)", 451, 6)
	wantNumber(t, s, "increase(x[10m])*0+1", 451, 1)
}

func wantOutage(t *testing.T, s *Store, from, to float64) {
	t.Helper()
	if f, u, ok := s.Outage(); !ok || !f.Equal(at(from)) || !u.Equal(at(to)) {
		t.Errorf("the outage is %v to %v (%v), want %v to %v", f, u, ok, at(from), at(to))
	}
}

func TestOutageLeftOpen(t *testing.T) {
	dir := earlier(t, func(s *Store) { mustAppend(t, s, float("x", 400, 2)) })
	s := openWith(t, dir, Options{LeaveOpen: true})
	wantNumber(t, s, "x", 600, 2)
	wantOutage(t, s, 400, 600)
}

// TestOutageOfSeveralProcesses has one between that appended nothing.
func TestOutageOfSeveralProcesses(t *testing.T) {
	dir := earlier(t, func(s *Store) { mustAppend(t, s, float("x", 400, 2)) })
	for _, now := range []float64{450, 500} {
		s := openWith(t, dir, Options{Now: func() time.Time { return at(now) }})
		wantOutage(t, s, 400, now)
		wantPoints(t, s, "x", "400=2")
		if last, ok := s.Last("x", nil); !ok || last.Value != 2 || !last.At.Equal(at(400)) {
			t.Errorf("the last of x is %v, %v", last, ok)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoOutage(t *testing.T) {
	for name, c := range map[string]struct {
		fill func(*Store)
		opts Options
	}{
		"empty":            {func(*Store) {}, Options{}},
		"scratch":          {func(s *Store) { mustAppend(t, s, float("x", 400, 1)) }, Options{Scratch: true}},
		"a clock set back": {func(s *Store) { mustAppend(t, s, float("x", 700, 1)) }, Options{}},
	} {
		s := openWith(t, earlier(t, c.fill), c.opts)
		if from, to, ok := s.Outage(); ok {
			t.Errorf("%s: an outage from %v to %v", name, from, to)
		}
		mustAppend(t, s, float("x", 701, 1))
	}
}

// TestOutageBesideTimesAhead has one series whose clock is ahead: neither does
// it hide the outage, nor that the others had not ended.
func TestOutageBesideTimesAhead(t *testing.T) {
	dir := earlier(t, func(s *Store) { mustAppend(t, s, float("ahead", 800, 1), float("x", 400, 2)) })
	s := openWith(t, dir, Options{})
	wantOutage(t, s, 400, 600)
	wantNumber(t, s, "x", 401, math.NaN())
	wantNumber(t, s, "ahead", 801, math.NaN())
}

func TestLast(t *testing.T) {
	web1 := collector.NewLabels("instance", "web-1", "zone", "süd")
	fill := func(s *Store) {
		for i := range 500 { // some chunks
			mustAppend(t, s, collector.Sample{Name: "hits_total", Labels: web1, At: at(float64(i)), Value: float64(i)},
				distribution("delay", float64(i), buckets(float64(i+3)), "instance", "web-1"))
		}
		mustAppend(t, s, float("hits_total", 500, 7, "instance", "web-1"), float("late", 490, 2), float("mixed", 498, 1),
			float("ended", 499, 5), float("nan", 500, math.NaN()))
		mustAppend(t, s, float("late", 480, 1), end("ended", 500), distribution("mixed", 499, buckets(4)))
	}
	for _, opts := range []Options{{}, {LeaveOpen: true}} {
		s := openWith(t, earlier(t, fill), opts)
		for _, want := range []collector.Sample{
			{Name: "hits_total", Labels: web1, At: at(499), Value: 499},
			float("hits_total", 500, 7, "instance", "web-1"),
			distribution("delay", 499, buckets(502), "instance", "web-1"),
			float("late", 490, 2), float("ended", 499, 5), distribution("mixed", 499, buckets(4)),
		} {
			want.Observed = 0
			wantLast(t, s, want)
			// What this process appends is not from before.
			now := want
			now.At, now.Value = at(550), 99
			mustAppend(t, s, now)
			wantLast(t, s, want)
		}
		if got, ok := s.Last("nan", nil); !ok || !math.IsNaN(got.Value) {
			t.Errorf("the last of nan is %v, %v", got, ok)
		}
		mustAppend(t, s, float("new", 550, 1))
		for _, never := range []collector.Sample{float("hits_total", 0, 0), float("hits_total", 0, 0, "instance", "web-2"), float("new", 0, 0),
			float("", 0, 0), float("x", 0, 0, "__name__", "y"), float("delay", 0, 0, "instance", "web-1", "zone", "süd")} {
			if got, ok := s.Last(never.Name, never.Labels); ok {
				t.Errorf("%s%v never was; its last is %v", never.Name, never.Labels, got)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got, ok := s.Last("late", nil); ok {
			t.Errorf("the last of a closed store: %v", got)
		}
	}
}

func wantLast(t *testing.T, s *Store, want collector.Sample) {
	t.Helper()
	got, ok := s.Last(want.Name, want.Labels)
	if !ok {
		t.Errorf("%s is not found", seriesText(&want))
		return
	}
	got.At = got.At.UTC()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the last of %s (-want +got):\n%s", seriesText(&want), diff)
	}
}

// TestLastOfWhatWasCompacted: of a long run some is in blocks already.
func TestLastOfWhatWasCompacted(t *testing.T) {
	const hours = 9
	dir := earlier(t, func(s *Store) {
		mustAppend(t, s, float("forgotten", 0, 1))
		for i := 0; i <= hours*3600; i += 60 {
			mustAppend(t, s, float("x_total", float64(i), float64(i)))
		}
		for deadline := time.Now().Add(20 * time.Second); len(s.db.Blocks()) < 3; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d blocks were written in 20 s, want 3", len(s.db.Blocks()))
			}
		}
	})
	s := openWith(t, dir, Options{Now: func() time.Time { return at(hours*3600 + 100) }})
	wantOutage(t, s, hours*3600, hours*3600+100)
	wantLast(t, s, collector.Sample{Name: "x_total", At: at(hours * 3600), Value: hours * 3600})
	if got, ok := s.Last("forgotten", nil); ok {
		t.Errorf("%v was %d hours ago", got, hours)
	}
}

// TestOutageAfterBlocksAlone is of a store whose log was taken away.
func TestOutageAfterBlocksAlone(t *testing.T) {
	dir := earlier(t, func(s *Store) {
		for i := 0; i <= 4*3600; i += 60 {
			mustAppend(t, s, float("x_total", float64(i), float64(i)))
		}
		for deadline := time.Now().Add(20 * time.Second); len(s.db.Blocks()) < 1; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no block was written in 20 s")
			}
		}
	})
	for _, name := range []string{"wal", "wbl", "chunks_head"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := openWith(t, dir, Options{Now: func() time.Time { return at(5 * 3600) }})
	from, _, ok := s.Outage()
	if !ok || from.Before(at(0)) || from.After(at(4*3600)) {
		t.Errorf("an outage from %v, %v", from, ok)
	}
	if _, ok := s.Last("x_total", nil); ok {
		t.Error("a last sample out of a block")
	}
}

// TestRepairIsTold: the end of a log that was torn is lost, and that must show.
func TestRepairIsTold(t *testing.T) {
	dir := earlier(t, func(s *Store) {
		for i := range 100 {
			mustAppend(t, s, float("x", float64(i), 1))
		}
	})
	segment := filepath.Join(dir, "wal", "00000000")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	middle := len(bytes.TrimRight(text, "\x00")) / 2 // the rest of the page is empty
	for i := range text[middle : middle+20] {
		text[middle+i] ^= 0xff
	}
	if err := os.WriteFile(segment, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := openWith(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "attempting repair") {
		t.Errorf("the log says %q", log.String())
	}
	if strings.Contains(log.String(), "level=INFO") {
		t.Errorf("the log is told of progress: %s", log.String())
	}
	mustAppend(t, s, float("x", 200, 1))
	if got := number(t, s, "count_over_time(x[10m])", 300); got < 40 || got > 60 {
		t.Errorf("%v samples are left, want about half of a hundred", got)
	}
}
