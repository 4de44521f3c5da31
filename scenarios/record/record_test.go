package record

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

var (
	testStart = time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	testRun   = Run{ID: "r1", Scenario: "quiet", Seed: 7, Platform: "local", Start: testStart, Interval: time.Second,
		Database: "docstore", Versions: map[string]string{"haproxy": "2.6.12"}}
)

// write makes a small but complete record in a new directory.
func write(t *testing.T) (dir string, want History) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testRun, []byte("scenario: quiet\n"))
	if err != nil {
		t.Fatal(err)
	}
	requests := []Request{
		{Seq: 1, Due: time.Second, Sent: 1001 * time.Millisecond, Done: 1010 * time.Millisecond, Route: "insert", Word: `a "q", b`, Instance: "web-1", Status: 200, Attempts: 1, Outcome: Acked},
		{Seq: 2, Due: 2 * time.Second, Sent: 2 * time.Second, Done: 3 * time.Second, Route: "get", Word: "w", Err: "read: reset\nby peer", Attempts: 2},
	}
	for _, i := range []int{1, 0} { // outcomes become known in another order than that of the schedule
		if err := w.Request(requests[i]); err != nil {
			t.Fatal(err)
		}
	}
	executions := []Execution{
		{At: 2 * time.Second, Seq: 18446744073709, Server: "web-1", Status: 200, Answered: true, Termination: "--"},
		{At: 3 * time.Second, Seq: 0, Status: 503, Retries: 3, Redispatched: true, Termination: "SC"},
		{At: 4 * time.Second, Foreign: true, RequestID: "an, \"id\"\tÿ", Server: "web-1", Status: 200, Answered: true, Termination: "--"},
		{At: 4 * time.Second, Foreign: true, Termination: "CR"},
	}
	for _, i := range []int{1, 0, 2, 3} {
		if err := w.Execution(executions[i]); err != nil {
			t.Fatal(err)
		}
	}
	passages := []Passage{
		{At: 2 * time.Second, Seq: 7, Instance: "web-1", Status: 200, Answered: true, Took: 3 * time.Millisecond, First: 2 * time.Millisecond},
		{At: 3 * time.Second, Foreign: true, RequestID: "an, \"id\"", Instance: "web-1", Status: 502, Took: time.Microsecond},
	}
	for _, i := range []int{1, 0} {
		if err := w.Passage(passages[i]); err != nil {
			t.Fatal(err)
		}
	}
	beacons := []Beacon{
		{Seq: 1, Route: "insert", Latency: 9 * time.Millisecond, Sent: 1011 * time.Millisecond, Done: 1012 * time.Millisecond, Outcome: Acked, Status: 204, Attempts: 1},
		{Seq: 1, Route: "insert", Again: true, Latency: 9 * time.Millisecond, Sent: time.Second, Done: 2 * time.Second, Outcome: Refused, Err: PreflightRefused + ": a, \"b\""},
	}
	for _, b := range beacons {
		if err := w.Beacon(b); err != nil {
			t.Fatal(err)
		}
	}
	arrivals := []Arrival{
		{At: 1012 * time.Millisecond, Seq: 1, Route: "insert", Latency: 9 * time.Millisecond, Form: "json"},
		{At: 2 * time.Second, Foreign: true, PageID: "other-1", Route: "get", Latency: time.Microsecond, Form: "text"},
	}
	for _, i := range []int{1, 0} {
		if err := w.Arrival(arrivals[i]); err != nil {
			t.Fatal(err)
		}
	}
	histogram := &collector.Histogram{Schema: 3, Count: 2, Sum: 3.5, Positive: []collector.Bucket{{Index: 4, Count: 2}}}
	labels := collector.NewLabels("instance", "web-1", "role", "a=b")
	at := func(s int) time.Time { return testStart.Add(time.Duration(s) * time.Second) }
	if err := w.Append(
		collector.Sample{Name: "fullstack_insert_total", Labels: labels, Meta: &collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"}, At: at(1), Value: 0.1, Observed: 3},
		collector.Sample{Name: "fullstack_insert_time", Labels: labels, Meta: &collector.Meta{Type: collector.Summary, Unit: "milliseconds", Origin: "listener"}, At: at(1), Observed: 2, Histogram: histogram},
		collector.Sample{Name: "fullstack_insert_total", Labels: labels, At: at(2), Stale: true},
	); err != nil {
		t.Fatal(err)
	}
	events := []Event{
		{At: time.Second, Kind: Birth, Instance: "web-1", Role: Web, ID: "77"},
		{At: 2 * time.Second, Kind: RunEnd},
	}
	for _, e := range events {
		if err := w.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	events[1].Tally = &Tally{Requests: 2, Executions: 4, Points: 3, Passages: 2, Beacons: 2, Arrivals: 2} // that is the writer's to say
	before, after := Documents{At: 1}, Documents{At: 9, Words: []WordCount{{"a", 3}, {"b", 4}}}
	if err := w.Before(before); err != nil {
		t.Fatal(err)
	}
	if err := w.After(after); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, History{
		Run: testRun, Scenario: []byte("scenario: quiet\n"), Requests: requests, Executions: executions, Passages: passages, Beacons: beacons, Arrivals: arrivals,
		Events: append([]Event{{Kind: RunBegin, Run: &testRun}}, events...),
		Series: []Series{
			{Name: "fullstack_insert_total", Labels: labels, Meta: collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"},
				Points: []Point{{At: time.Second, Value: 0.1, Observed: 3}, {At: 2 * time.Second, Stale: true}}},
			{Name: "fullstack_insert_time", Labels: labels, Meta: collector.Meta{Type: collector.Summary, Unit: "milliseconds", Origin: "listener"},
				Points: []Point{{At: time.Second, Observed: 2, Histogram: histogram}}},
		},
		Before: &before, After: &after,
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir, want := write(t)
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
	if got.After.Sum() != 7 || (*Documents)(nil).Sum() != 0 {
		t.Errorf("sum of the documents is %d, want 7", got.After.Sum())
	}
}

func TestCreateRefusesToOverwrite(t *testing.T) {
	dir, _ := write(t)
	if _, err := Create(dir, testRun, nil); err == nil || !strings.Contains(err.Error(), "earlier run") {
		t.Errorf("second Create in one directory: %v, want a refusal", err)
	}
}

func TestCreateUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(file, "run"), testRun, nil); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("Create below a file: %v, want an error that says what to do", err)
	}
}

// A runner that was killed leaves half a last line; all before it counts, and
// the record says that it is not whole.
func TestReadDamaged(t *testing.T) {
	for _, name := range []string{JournalFile, UsersFile, ExecutionsFile, PassagesFile, BeaconsFile, ArrivalsFile, SeriesFile, PointsFile, AfterFile} {
		t.Run(name, func(t *testing.T) {
			dir, _ := write(t)
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b[:len(b)-9], 0o644); err != nil {
				t.Fatal(err)
			}
			h, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(h.Damage) == 0 || !strings.HasPrefix(h.Damage[0], name) {
				t.Errorf("damage %q, want an entry about %s", h.Damage, name)
			}
		})
	}
}

// A load balancer that said nothing left a file with a header, not none.
func TestReadWithoutExecutions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testRun, nil)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil || got.Executions == nil || len(got.Executions)+len(got.Damage) > 0 {
		t.Errorf("of none: %v, %v, %v; want an empty list", got.Executions, got.Damage, err)
	}
	if err := os.Remove(filepath.Join(dir, ExecutionsFile)); err != nil {
		t.Fatal(err)
	}
	got, err = Read(dir)
	if diff := cmp.Diff([]string{"executions.csv: it is missing, and the run wrote it"}, got.Damage); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestReached(t *testing.T) {
	for _, c := range []struct {
		x    Execution
		want bool
	}{
		{Execution{Server: "web-1", Status: 200, Answered: true, Termination: "--"}, true},
		{Execution{Server: "web-1", Status: 200, Answered: true, Termination: "CD"}, true},
		{Execution{Server: "web-1", Status: 502, Termination: "SH"}, true},
		{Execution{Server: "web-1", Termination: "CH"}, true},
		{Execution{Server: "web-1", Status: 503, Termination: "SC"}, false},
		{Execution{Server: "web-1", Status: 503, Termination: "sQ"}, false},
		{Execution{Status: 503, Termination: "SC"}, false},
		{Execution{Status: 400, Termination: "CR"}, false},
	} {
		if got := c.x.Reached(); got != c.want {
			t.Errorf("%+v: %v", c.x, got)
		}
	}
}

func TestReadNoRecord(t *testing.T) {
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no record of a run") {
		t.Errorf("empty directory: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, JournalFile), []byte(`{"at":1,"kind":"birth"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "run-begin") {
		t.Errorf("journal without a beginning: %v", err)
	}
}

// TestDamageIsTold: what is in place of a table is told in a line, however
// long it is.
func TestDamageIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testRun, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, PointsFile), bytes.Repeat([]byte("x"), 5000), 0o644); err != nil {
		t.Fatal(err)
	}
	h, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`points.csv: it is not as the run wrote it (its SHA-256 is not that of the seal): line 1: columns "` + strings.Repeat("x", 100) + `", want "series,at_us,value,observed,stale,histogram"`}
	if diff := cmp.Diff(want, h.Damage); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAppendAfterFailureKeepsTheError(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "run"), testRun, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.journal.f.Close()
	if err := w.Event(Event{Kind: RunEnd}); err == nil {
		t.Error("writing to a closed file succeeded")
	}
	if err := w.Request(Request{}); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Errorf("a later write: %v, want the first error", err)
	}
}

func TestAnswered(t *testing.T) {
	for r, want := range map[Request]string{
		{Outcome: Unknown, Status: 404}: "4xx", {Outcome: Unknown, Status: 500}: "5xx", {Outcome: Unknown, Status: 302}: "3xx",
		{Outcome: Unknown}: "", {Outcome: Unknown, Status: 200}: "", {Outcome: Unknown, Status: 999}: "",
		{Outcome: Acked, Status: 200}: "", {Outcome: Refused, Status: 503}: "",
	} {
		if got := r.Answered(); got != want {
			t.Errorf("%v with status %d: %q, want %q", r.Outcome, r.Status, got, want)
		}
	}
}

func TestHide(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testRun, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Hide("***", "hunter22", "hunter22-and-more", "4", "")
	w.Event(Event{At: 4, Kind: Trouble, About: "load", Error: `exited with status 4: "TOKEN=hunter22-and-more, OLD=hunter22"`})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Read(dir)
	if want := `exited with status 4: "TOKEN=***, OLD=***"`; err != nil || h.Events[1].Error != want {
		t.Errorf("%v: %s, want %s", err, h.Events[1].Error, want)
	}
}

func TestLifetimes(t *testing.T) {
	s := time.Second
	h := History{Events: []Event{
		{At: 1 * s, Kind: Birth, Instance: "web-1", Role: Web},
		{At: 1 * s, Kind: Birth, Instance: "web-2", Role: Web},
		{At: 2 * s, Kind: Serving, Instance: "web-1"},
		{At: 5 * s, Kind: Signalled, Instance: "web-1", Signal: "SIGKILL"},
		{At: 6 * s, Kind: Death, Instance: "web-1", Signal: "SIGKILL", Code: -1, Expected: true},
		{At: 7 * s, Kind: Death, Instance: "web-2", Code: 2},
	}}
	got := h.Lifetimes()
	want := []Lifetime{
		{Instance: "web-1", Role: Web, Birth: s, Ready: Never, Serving: 2 * s, Draining: Never, Signalled: 5 * s, Signal: "SIGKILL", Death: 6 * s, Code: -1, Expected: true},
		{Instance: "web-2", Role: Web, Birth: s, Ready: Never, Serving: Never, Draining: Never, Signalled: Never, Death: 7 * s, Code: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if !got[0].Killed() || !got[1].Killed() {
		t.Error("an instance that got SIGKILL, or crashed, had no chance to flush")
	}
	if !got[0].Alive(5*s) || got[0].Alive(6*s) || got[0].Alive(0) {
		t.Error("web-1 lived from 1 s to 6 s")
	}
}

func BenchmarkRead(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "run")
	w, err := Create(dir, testRun, nil)
	if err != nil {
		b.Fatal(err)
	}
	const million = 1_000_000
	for i := range million {
		at := time.Duration(i) * time.Millisecond
		w.Request(Request{Seq: uint64(i), Due: at, Sent: at, Done: at + time.Millisecond, Route: "insert", Word: "word", Instance: "web-1", Status: 200, Attempts: 1, Outcome: Acked})
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if h, err := Read(dir); err != nil || len(h.Requests) != million {
			b.Fatal(err, len(h.Requests))
		}
	}
}
