package record

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var reseal = flag.Bool("reseal", false, "seal the saved records anew, as their files are")

// Saved records are judged as those of yesterday's runs are: by their seal.
// Who changes one on purpose seals it again with -reseal.
func TestSavedRecordsAreSealed(t *testing.T) {
	dirs, err := filepath.Glob("../testdata/records/*")
	if err != nil || len(dirs) < 5 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		if filepath.Base(dir) == "cut-short" {
			continue // its runner was killed before it could
		}
		if *reseal {
			unseal(t, dir)
			if err := sealAgain(dir); err != nil {
				t.Fatal(err)
			}
		}
		h, err := Read(dir)
		if err != nil || len(h.Damage) > 0 {
			t.Errorf("%s: %v, damage %q", dir, err, h.Damage)
		}
	}
}

// sealAgain ends the journal of the record in dir with a seal over its files as
// they are. A run's Writer does it by itself; this is for records that are made or
// mended by hand.
func sealAgain(dir string) error {
	path := filepath.Join(dir, JournalFile)
	journal, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("seal %s: %w", dir, err)
	}
	if n := len(journal); n == 0 || journal[n-1] != '\n' {
		return fmt.Errorf("seal %s: its %s does not end with a line", dir, JournalFile)
	}
	s := seal{Kind: sealed, SHA256: map[string]string{}}
	for _, name := range parts {
		sum, err := sumOf(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("seal %s: %w", dir, err)
		}
		s.SHA256[name] = sum
	}
	h := newSum()
	h.Write(journal)
	s.SHA256[JournalFile] = hexDigits(h)
	line, err := s.line()
	if err == nil {
		err = os.WriteFile(path, append(journal, line...), 0o600) // the mode of a file that is there stays
	}
	if err != nil {
		return fmt.Errorf("seal %s: %w", dir, err)
	}
	return nil
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := newSum()
	_, err = io.Copy(h, f)
	return hexDigits(h), err
}

// unseal takes the seal from a record, if it has one.
func unseal(t *testing.T, dir string) {
	t.Helper()
	edit(t, filepath.Join(dir, JournalFile), func(b []byte) []byte {
		if at := bytes.LastIndex(b, append([]byte("\n"), sealPrefix...)); at >= 0 {
			return b[:at+1]
		}
		return b
	})
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The seal that a Writer leaves, sum by sum as it writes, is that of the files.
func TestSealIsTheWriters(t *testing.T) {
	dir, want := write(t)
	path := filepath.Join(dir, JournalFile)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unseal(t, dir)
	h, err := Read(dir)
	if err != nil || len(h.Damage) != 1 || !strings.HasPrefix(h.Damage[0], "journal.jsonl: it has no seal: it was recorded by a version that did not seal its records") {
		t.Errorf("without a seal: %v, damage %q", err, h.Damage)
	}
	if err := sealAgain(dir); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if diff := cmp.Diff(string(before), string(after)); err != nil || diff != "" {
		t.Errorf("%v (-written +sealed):\n%s", err, diff)
	}
	got, err := Read(dir)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-written +read):\n%s", err, diff)
	}
}

// Whoever changes one thing is told in which file, whatever it is.
func TestAlteredFilesAreNamed(t *testing.T) {
	add := func(text string) func([]byte) []byte { return func(b []byte) []byte { return append(b, text...) } }
	swap := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(from)) {
				panic(fmt.Sprintf("%s is not in %s", from, b))
			}
			return bytes.Replace(b, []byte(from), []byte(to), 1)
		}
	}
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte
		want       string
	}{
		{"a comment in the scenario", ScenarioFile, add("# all is well\n"), "it is not as the run wrote it"},
		{"a blank line in a table", UsersFile, add("\n"), "it is not as the run wrote it"},
		{"a column", ExecutionsFile, swap("termination", "termination,why"), `line 1: columns "at_us,seq,request_id,server,status,answered,retries,redispatched,termination,why"`},
		{"a key of an event", JournalFile, swap(`"kind":"birth"`, `"kind":"birth","by":"me"`), `line 2: json: unknown field "by"`},
		{"bytes behind an event", JournalFile, swap(`"id":"77"}`, `"id":"77"} {}`), "line 2: there is more behind its end"},
		{"a key of a series", SeriesFile, swap(`"labels"`, `"color":1,"labels"`), `unknown field "color"`},
		{"a key of a histogram", PointsFile, swap(`""sum""`, `""summe""`), `unknown field "summe"`},
		{"a key of the documents", AfterFile, swap(`"words"`, `"wards"`), `unknown field "wards"`},
		{"bytes behind the documents", BeforeFile, add("{}"), "there is more behind its end"},
		{"a flag that is none", PointsFile, swap(",0,0,1,", ",0,0,2,"), `"2" is neither 1 nor empty`},
		{"a line behind the seal", JournalFile, add("{}\n"), "line 5: it stands behind the seal"},
		{"a key of the seal", JournalFile, swap(`{"kind":"seal"`, `{"kind":"seal","by":"me"`), `line 4: the seal: json: unknown field "by"`},
		{"a digit of the seal", JournalFile, swap(`journal.jsonl":"`, `journal.jsonl":"0`), "line 4: the seal is not as the run wrote it"},
		{"a blank in the seal", JournalFile, swap(`{"kind":"seal",`, `{"kind":"seal", `), "line 4: the seal is not as the run wrote it"},
		{"a file of the seal", JournalFile, swap(`"series.jsonl":`, `"serials.jsonl":`), `line 4: the seal: "serials.jsonl" is no file of a record`},
		{"no kind", JournalFile, swap(`"kind":"birth",`, ``), "line 2: it is no event"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _ := write(t)
			edit(t, filepath.Join(dir, c.file), c.change)
			h, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range h.Damage {
				if strings.HasPrefix(d, c.file+": ") && strings.Contains(d, c.want) {
					return
				}
			}
			t.Errorf("damage %q, want %s: …%s…", h.Damage, c.file, c.want)
		})
	}
}

// A file that the run did not write is as wrong as one that is gone.
func TestFilesThatTheSealDoesNotKnow(t *testing.T) {
	dir, _ := write(t)
	after := filepath.Join(dir, AfterFile)
	text, err := os.ReadFile(after)
	if err == nil {
		err = os.Remove(after)
	}
	if err != nil {
		t.Fatal(err)
	}
	unseal(t, dir)
	if err := sealAgain(dir); err != nil {
		t.Fatal(err)
	}
	if h, err := Read(dir); err != nil || len(h.Damage) > 0 || h.After != nil {
		t.Errorf("a run that ended before: %v, damage %q", err, h.Damage)
	}
	if err := os.WriteFile(after, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Read(dir)
	if diff := cmp.Diff([]string{"documents-after.json: the run did not write it: the seal does not know it"}, h.Damage); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// What could not be written whole is not sealed.
func TestAFailedRecordIsNotSealed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testRun, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.users.f.Close()
	w.Request(Request{})
	if err := w.Close(); err == nil {
		t.Error("a table that could not be written is no error")
	}
	b, err := os.ReadFile(filepath.Join(dir, JournalFile))
	if err != nil || bytes.Contains(b, sealPrefix) {
		t.Errorf("%v: the journal is sealed:\n%s", err, b)
	}
}

// A record is its owner's alone; a directory that was there keeps its mode.
func TestModes(t *testing.T) {
	dir, _ := write(t)
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if got := mode(dir); got != 0o700 {
		t.Errorf("the directory has mode %v", got)
	}
	for _, name := range append(parts, JournalFile) {
		if got := mode(filepath.Join(dir, name)); got != 0o600 {
			t.Errorf("%s has mode %v", name, got)
		}
	}
	theirs := t.TempDir()
	if err := os.Chmod(theirs, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := Create(theirs, testRun, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := mode(theirs); got != 0o755 {
		t.Errorf("a directory that was there has mode %v now", got)
	}
}
