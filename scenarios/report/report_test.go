package report

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
)

func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	h := killed()
	if err := os.WriteFile(filepath.Join(dir, JUnitFile), []byte("of an earlier judgement"), 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := WriteAll(dir, h, judged(h, verdict.Pass))
	if err != nil {
		t.Fatal(err)
	}
	want := Files{filepath.Join(dir, "verdict.json"), filepath.Join(dir, "junit.xml"), filepath.Join(dir, "report.html")}
	if files != want {
		t.Errorf("files %v, want %v", files, want)
	}
	for path, begin := range map[string]string{files.Verdict: "{", files.JUnit: "<?xml", files.HTML: "<!doctype html>"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), begin) {
			t.Errorf("%s begins with %.20q, want %q", path, b, begin)
		}
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, want 0600", path, info.Mode())
		}
	}
	noOther(t, dir, 3)
}

// What cannot be written is named; the rest is written all the same, and what
// stood there before stays whole.
func TestWriteAllWritesWhatItCan(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, VerdictFile), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	v := judged(killed(), verdict.Pass)
	v.Seconds = math.Inf(1)
	files, err := WriteAll(dir, killed(), v)
	if err == nil || !strings.Contains(err.Error(), "verdict.json: cannot write the report: verdict: seconds is +Inf") {
		t.Errorf("error %v does not name verdict.json and why", err)
	}
	if files.Verdict != "" || files.JUnit == "" || files.HTML == "" {
		t.Errorf("files %+v, want all but the verdict", files)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, VerdictFile)); string(b) != "old" {
		t.Errorf("verdict.json holds %q, want the old one", b)
	}
	noOther(t, dir, 3)

	files, err = WriteAll(filepath.Join(dir, "missing"), killed(), judged(killed(), verdict.Pass))
	if files != (Files{}) || err == nil || strings.Count(err.Error(), "cannot write the report") != 3 {
		t.Errorf("into a missing directory: files %v, error %v; want none and three reasons", files, err)
	}
}

// noOther fails if dir holds another number of files: temporary ones, too.
func noOther(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != want {
		t.Errorf("%s holds %v, want %d files", dir, entries, want)
	}
}
