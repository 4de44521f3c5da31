package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

var noon = time.Date(2013, 11, 14, 12, 0, 0, 0, time.UTC)

func newJournal(t *testing.T, dir string, limit int64) *journal {
	t.Helper()
	j, err := openJournal(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// told is the i-th event, told i seconds after noon.
func told(i int) collector.Event {
	return collector.Event{Kind: collector.Told, At: noon.Add(time.Duration(i) * time.Second), Title: fmt.Sprint("deploy ", i), Labels: collector.NewLabels("instance", "web-1")}
}

func note(t *testing.T, j *journal, events ...collector.Event) {
	t.Helper()
	if err := j.Note(events...); err != nil {
		t.Fatal(err)
	}
}

func titles(events []collector.Event) (out []string) {
	for _, e := range events {
		out = append(out, e.Title)
	}
	return out
}

func TestJournalSelects(t *testing.T) {
	j := newJournal(t, t.TempDir(), journalBytes)
	check := told(2)
	check.Kind, check.Title, check.Alert = collector.ServiceCheck, "db", "critical"
	note(t, j, told(1), check, told(3))
	note(t, j, told(4))
	all := noon.Add(time.Hour)
	for name, tt := range map[string]struct {
		from, to time.Time
		kind     collector.Kind
		limit    int
		want     []string
	}{
		"all":                {noon, all, "", 10, []string{"deploy 1", "db", "deploy 3", "deploy 4"}},
		"the newest":         {noon, all, "", 2, []string{"deploy 3", "deploy 4"}},
		"of a kind":          {noon, all, collector.ServiceCheck, 10, []string{"db"}},
		"of a time, ends in": {noon.Add(2 * time.Second), noon.Add(3 * time.Second), "", 10, []string{"db", "deploy 3"}},
		"none":               {all, all, "", 10, nil},
	} {
		if diff := cmp.Diff(tt.want, titles(j.between(tt.from, tt.to, tt.kind, tt.limit))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestJournalSurvives: what was noted is there after a restart, also when the
// last line was cut short by a kill.
func TestJournalSurvives(t *testing.T) {
	dir := t.TempDir()
	first := newJournal(t, dir, journalBytes)
	note(t, first, told(1), told(2))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Note(told(3)); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed journal took an event: %v", err)
	}
	path := filepath.Join(dir, journalFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-10], 0o644); err != nil {
		t.Fatal(err)
	}
	second := newJournal(t, dir, journalBytes)
	note(t, second, told(4))
	third := newJournal(t, dir, journalBytes)
	got := third.between(noon, noon.Add(time.Hour), "", 10)
	if diff := cmp.Diff([]collector.Event{told(1), told(4)}, got); diff != "" {
		t.Errorf("after a kill and two restarts (-want +got):\n%s", diff)
	}
}

// TestJournalIsBounded: neither the file nor the memory grows for ever.
func TestJournalIsBounded(t *testing.T) {
	dir := t.TempDir()
	const limit = 10_000
	j := newJournal(t, dir, limit)
	const last = 5000
	for i := range last + 1 {
		note(t, j, told(i))
	}
	for _, name := range []string{journalFile, journalFile + ".1"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == 0 || info.Size() > limit {
			t.Errorf("%s has %d bytes, want at most %d", name, info.Size(), limit)
		}
	}
	got := j.between(noon, noon.Add(24*time.Hour), "", last)
	if len(got) != recentEvents || got[len(got)-1].Title != fmt.Sprint("deploy ", last) {
		t.Errorf("%d events at hand, the last is %q", len(got), got[len(got)-1].Title)
	}
	if len(j.recent) > 2*recentEvents {
		t.Errorf("%d events in memory", len(j.recent))
	}
}

func TestJournalWithoutADirectory(t *testing.T) {
	if _, err := openJournal(filepath.Join(t.TempDir(), "none"), journalBytes); err == nil || !strings.HasPrefix(err.Error(), "open the journal of events: ") {
		t.Errorf("got %v", err)
	}
}
