package series

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/collector"
)

func TestMetadataSurvives(t *testing.T) {
	meta := collector.Meta{Type: collector.Counter, Sent: "größe\"\n", Unit: "seconds", Origin: "listener"}
	dir := earlier(t, func(s *Store) { mustAppend(t, s, withMeta(float("hits_total", 400, 1), meta)) })
	s := openWith(t, dir, Options{LeaveOpen: true})
	want := `{"status":"success","data":{"hits_total":[{"type":"counter","unit":"seconds","help":"StatsD größe\"\n; instance by listener"}]}}`
	if got := get(t, s, "/api/v1/metadata").body; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := get(t, s, "/metrics").body; !strings.Contains(got, "# TYPE hits_total counter\n") {
		t.Error(got)
	}
	// The same again is not another meaning.
	mustAppend(t, s, withMeta(float("hits_total", 500, 1), meta))
	if got := get(t, s, "/api/v1/metadata").body; got != want {
		t.Error(got)
	}
}

// TestMetadataIsWrittenNowAndThen, for a process that is killed.
func TestMetadataIsWrittenNowAndThen(t *testing.T) {
	dir, now := t.TempDir(), 600.
	s := openWith(t, dir, Options{Now: func() time.Time { return at(now) }})
	for _, step := range []struct {
		name string
		now  float64
		has  string
	}{{"a", 600, "a"}, {"b", 605, "a"}, {"b", 610, "ab"}, {"c", 611, "ab"}, {"d", 590, "abcd"}} { // a clock set back, too
		now = step.now
		mustAppend(t, s, withMeta(float(step.name, step.now, 1), collector.Meta{Type: collector.Gauge}))
		text, err := os.ReadFile(filepath.Join(dir, "metadata.json"))
		if err != nil {
			t.Fatal(err)
		}
		var all []meaning
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		has := ""
		for _, x := range all {
			has += x.Name
		}
		if has != step.has {
			t.Errorf("at %v the file has %s, want %s", now, has, step.has)
		}
	}
}

// TestMetadataThatCannotBeKept costs no sample, and is told.
func TestMetadataThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "metadata.json")
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "read what metrics mean") {
		t.Errorf("the log says %q", log.String())
	}
	log.Reset()
	mustAppend(t, s, withMeta(float("x", 1, 1), collector.Meta{Type: collector.Gauge}))
	if !strings.Contains(log.String(), "keep what metrics mean") {
		t.Errorf("the log says %q", log.String())
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Close: %v, want an error that names the file", err)
	}
}

func TestBrokenMetadataIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "metadata.json"), []byte(`[{"name":`), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := openWith(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "metadata.json") {
		t.Errorf("the log says %q", log.String())
	}
	mustAppend(t, s, withMeta(float("x", 1, 1), collector.Meta{Type: collector.Gauge}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, dir, Options{})
	if got := get(t, s, "/api/v1/metadata").body; !strings.Contains(got, `"x":[{"type":"gauge"`) {
		t.Error(got)
	}
}

// TestMeaningsAreBounded has one name with 10,000 meanings, and too many names.
func TestMeaningsAreBounded(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 10_000 {
		mustAppend(t, s, withMeta(float("a_b", float64(i)/100, 1), collector.Meta{Type: collector.Gauge, Sent: fmt.Sprint("a.b", i)}))
	}
	if n := len(s.meanings.get("a_b")); n != mostMeanings {
		t.Errorf("%d meanings are kept, want %d", n, mostMeanings)
	}
	if got := get(t, s, "/api/v1/metadata").body; !strings.Contains(got, `"warnings":["more than 16 meanings of one name, among them a_b: the rest is left out"]`) {
		t.Error(got)
	}
	for i := range mostNames + 10 {
		s.meanings.add(fmt.Sprint("n", i), collector.Meta{Type: collector.Gauge})
	}
	if n := len(s.meanings.names()); n != mostNames {
		t.Errorf("%d names are kept, want %d", n, mostNames)
	}
	if got := s.meanings.leftOut(); !strings.Contains(got, "more than 100000 names") {
		t.Error(got)
	}
}
