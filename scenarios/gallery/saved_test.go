package gallery

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
)

// Saved records are real runs, each with the verdict that was given on it. What is
// saved of the gallery is in testdata/gallery: NAME.tar.zst, a record, and
// NAME.verdict.json; scores.txt tells how well each was judged. The few in testdata/records are not packed, for tests that
// alter them. docs/ARCHITECTURE.md tells how both are made anew.
const (
	savedGallery = "../testdata/gallery"
	savedPlain   = "../testdata/records"
	savedScores  = savedGallery + "/scores.txt"
	// savedBytes is the most that the saved gallery may take of a checkout.
	savedBytes = 20 << 20
)

var (
	update = flag.Bool("update", false, "write the verdicts on the saved records, and their scores, as the judge gives them now")
	repack = flag.String("pack", "", "take the records of the gallery from these `directories` (A:B), each the --out of a selftest with --keep; what they lack stays as it is")
)

// savedRun is a saved record and what is known of it.
type savedRun struct {
	name    string // of its files: that of the entry, "healthy-" and that of the control
	of      string // whose record it is: its own, or that of a control with the same stage
	entry   *Entry
	control *Control // with no entry either: it is judged, and not scored
}

// savedRuns are all that must be there. What is spoiled afterwards needs no run of
// its own where a control has the same stage.
func savedRuns() []savedRun {
	var out []savedRun
	same := map[string]string{}
	for _, c := range Controls() {
		name := "healthy-" + c.Name
		same[c.Stage.Scenario("")] = name
		out = append(out, savedRun{name: name, of: name, control: &c})
	}
	for _, e := range Entries() {
		s := savedRun{name: e.Name, of: e.Name, entry: &e}
		if name, ok := same[e.Stage.Scenario("")]; ok && e.Spoil != nil {
			s.of = name
		}
		out = append(out, s)
	}
	return out
}

func (s savedRun) archive() string { return filepath.Join(savedGallery, s.of+".tar.zst") }
func (s savedRun) verdict() string { return filepath.Join(savedGallery, s.name+".verdict.json") }

// score compares the verdict on the record in dir with what it must say.
func (s savedRun) score(dir string, h record.History, v verdict.Verdict) (Result, error) {
	if s.control != nil {
		return ScoreControl(s.control.Name, v), nil
	}
	logged, err := LoggedAmounts(dir)
	return Score(*s.entry, Run{History: h, Verdict: v, Logged: logged}), err
}

// TestSavedGalleryIsJudgedAsEver judges a real run of each entry and each control (of some
// with the race detector, see oneOf):
// the verdict must be the saved one to the byte, and the score too. A change of the
// judge that changes one has to be meant, and -update writes it. A false alarm and a
// defect that is missed are errors even so.
func TestSavedGalleryIsJudgedAsEver(t *testing.T) {
	if *repack != "" {
		packAll(t, filepath.SplitList(*repack))
	}
	saved, err := readScores()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	if *update || *repack != "" {
		t.Cleanup(func() { // after all that run beside each other
			if err := writeScores(saved); err != nil {
				t.Error(err)
			}
		})
	}
	for i, s := range savedRuns() {
		if i%oneOf != 0 {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := unpack(s.archive(), dir); err != nil {
				t.Fatal(err)
			}
			h := readWhole(t, dir)
			tellsNothingOfItsMachine(t, dir, h)
			if s.entry != nil && s.entry.Spoil != nil {
				s.entry.Spoil(&h)
			}
			v := verdictOf(t, h)
			sameVerdict(t, s.verdict(), v)
			isToldRightly(t, s, h, v)
			r, err := s.score(dir, h, v)
			if err != nil {
				t.Fatal(err)
			}
			if r.Proved && r.Caught == Wrong {
				t.Errorf("a defect is missed, or a healthy run accused: %s", r.Said)
			}
			mu.Lock()
			defer mu.Unlock()
			if *update || *repack != "" {
				saved[s.name] = scoreLine(r)
			}
			if got := scoreLine(r); got != saved[s.name] {
				t.Errorf("scored %q, saved is %q", got, saved[s.name])
			}
		})
	}
}

// scoreLine tells in a line how well a run was judged.
func scoreLine(r Result) string {
	switch {
	case !r.Proved:
		return "proves nothing: " + r.Said
	case r.Good():
		return "right"
	case r.Caught == Wrong:
		return "wrong: " + r.Said
	}
	return fmt.Sprintf("caught; instance %v, amount %v, cause %v (%s)", r.Instance, r.Amount, r.Cause, r.Named)
}

// readScores gives the saved score of each saved run by its name.
func readScores() (map[string]string, error) {
	scores := map[string]string{}
	text, err := os.ReadFile(savedScores)
	if errors.Is(err, fs.ErrNotExist) && *repack != "" {
		return scores, nil
	}
	for line := range strings.Lines(string(text)) {
		name, score, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		scores[name] = score
	}
	return scores, err
}

func writeScores(scores map[string]string) error {
	var b strings.Builder
	for _, s := range savedRuns() { // in their order; what has no run any more is dropped
		fmt.Fprintf(&b, "%s: %s\n", s.name, scores[s.name])
	}
	return os.WriteFile(savedScores, []byte(b.String()), 0o644)
}

// TestSavedPlainRecordsAreJudgedAsEver does the same with the records that are not
// packed; what they are to show is up to the tests that use them.
func TestSavedPlainRecordsAreJudgedAsEver(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(savedPlain, "*"))
	if err != nil || len(dirs) < 5 {
		t.Fatalf("%d saved records in %s (%v), want at least 5", len(dirs), savedPlain, err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			h, err := record.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			tellsNothingOfItsMachine(t, dir, h)
			sameVerdict(t, filepath.Join(dir, "verdict.json"), verdictOf(t, h))
		})
	}
}

// readWhole reads a record that must be as its run wrote it.
func readWhole(t *testing.T, dir string) record.History {
	t.Helper()
	h, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Damage) > 0 {
		t.Errorf("damage %q, want none", h.Damage)
	}
	return h
}

// ownFolder matches the path of a folder that is one machine's or one user's: where
// temporary files are, or somebody's home.
var ownFolder = regexp.MustCompile(`(^|[^\w.-])/(tmp|var|private|home|root|Users)/[^\s"']*`)

// tellsNothingOfItsMachine demands of a record what everybody may see: no file of it
// names a folder of the machine it was made on, and its scenario has no path.
func tellsNothingOfItsMachine(t *testing.T, dir string, h record.History) {
	t.Helper()
	if h.Run.File != filepath.Base(h.Run.File) {
		t.Errorf("the scenario's file is called %q, want a name without a path", h.Run.File)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if at := ownFolder.Find(b); at != nil {
			t.Errorf("%s names %q, a folder of the machine that made the record", d.Name(), at)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFoldersOfAMachineAreSeen(t *testing.T) {
	for line, want := range map[string]bool{
		`{"file":"/tmp/x/late-1/late.yaml"}`:         true,
		`open /var/folders/q/T/a: no such file`:      true,
		`/home/somebody/late.yaml`:                   true,
		`{"file":"late.yaml","route":"/insert/tmp"}`: false,
		`GET /words/home/1`:                          false,
	} {
		if got := ownFolder.MatchString(line); got != want {
			t.Errorf("%s: a folder of a machine: %v, want %v", line, got, want)
		}
	}
}

// savedBy is the version of the program in all saved verdicts, whoever gave them: they are
// to change with the judge, not with each build. The program that cmd/throughline's tests
// try has it too.
const savedBy = "tests"

// sameVerdict demands the verdict that is in the file, or writes it.
func sameVerdict(t *testing.T, path string, v verdict.Verdict) {
	t.Helper()
	v.ToolVersion = savedBy
	var got bytes.Buffer
	if err := report.WriteJSON(&got, v); err != nil {
		t.Fatal(err)
	}
	if *update || *repack != "" {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("another verdict (-saved +now); if it is meant: go test ./scenarios/gallery -run TestSaved -update\n%s", diff)
	}
}

// Nothing is saved that nobody judges, and all of it is small.
func TestSavedGalleryIsWhole(t *testing.T) {
	known := map[string]bool{savedScores: true}
	for _, s := range savedRuns() {
		known[s.archive()], known[s.verdict()] = true, true
	}
	files, err := filepath.Glob(filepath.Join(savedGallery, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, path := range files {
		if !known[path] {
			t.Errorf("%s: no entry and no control has this name; remove it", path)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > savedBytes {
		t.Errorf("the saved gallery takes %d bytes, want at most %d", size, savedBytes)
	}
}

// An archive depends on nothing but what is in the record's files, and gives them
// back to the byte.
func TestPackedRecordsAreTheSame(t *testing.T) {
	from := filepath.Join(savedPlain, "quiet")
	first, err := pack(from)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "quiet.tar.zst")
	if err := os.WriteFile(path, first, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unpack(path, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range sealedFiles {
		want, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) && slices.Contains([]string{record.PassagesFile, record.BeaconsFile, record.ArrivalsFile}, name) {
			continue // no httpd
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not the same: %v", name, err)
		}
	}
	if second, err := pack(dir); err != nil || !bytes.Equal(first, second) {
		t.Errorf("packed again it has other bytes: %v", err)
	}
}

// packAll packs what selftests kept: of each entry and control the first run that is
// right, else the last that proves anything, else the last.
func packAll(t *testing.T, dirs []string) {
	t.Helper()
	if err := os.MkdirAll(savedGallery, 0o755); err != nil {
		t.Fatal(err)
	}
	packed := 0
	for _, s := range savedRuns() {
		if s.of != s.name {
			continue
		}
		from, err := chosen(t, s, dirs)
		if err != nil {
			t.Fatal(err)
		}
		if from == "" {
			continue
		}
		b, err := pack(from)
		if err == nil {
			err = os.WriteFile(s.archive(), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		packed++
	}
	if packed == 0 {
		t.Fatalf("-pack %s: no record of the gallery is in there; give the whole path of the --out of a selftest with --keep", *repack)
	}
	t.Logf("%d records packed", packed)
}

// chosen gives the record to save of a run: "" if there is none.
func chosen(t *testing.T, s savedRun, dirs []string) (string, error) {
	t.Helper()
	var found []string
	for _, dir := range dirs {
		for n := 1; ; n++ {
			run := filepath.Join(dir, fmt.Sprintf("%s-%d", s.name, n))
			if _, err := os.Stat(run); err != nil {
				break
			}
			found = append(found, filepath.Join(run, "record"))
		}
	}
	last, proving := "", ""
	for _, from := range found {
		h, err := record.Read(from)
		if err != nil {
			continue // it could not be run
		}
		if s.entry != nil && s.entry.Spoil != nil {
			s.entry.Spoil(&h)
		}
		switch r, err := s.score(from, h, verdictOf(t, h)); {
		case err != nil || r.Good():
			return from, err
		case r.Proved:
			proving = from
		default:
			last = from
		}
	}
	return cmp.Or(proving, last), nil
}

// sealedFiles are the files of a record that its verdict comes from.
var sealedFiles = []string{record.ScenarioFile, record.JournalFile, record.UsersFile, record.ExecutionsFile, record.PassagesFile, record.BeaconsFile, record.ArrivalsFile,
	record.SeriesFile, record.PointsFile, record.BeforeFile, record.AfterFile}

// pack gives the archive of the record in dir: what the judge reads, and of the logs
// the lines in which defects say what they did. Nothing else is in it: not when, where
// and by whom it was packed, nor the other lines, which may tell of the machine.
func pack(dir string) ([]byte, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
	if err != nil {
		return nil, err
	}
	names := slices.Clone(sealedFiles)
	for _, path := range logs {
		names = append(names, filepath.Join("logs", filepath.Base(path)))
	}
	var out bytes.Buffer
	packer, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	files := tar.NewWriter(packer)
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // there was no database, or the run ended before
		}
		if strings.HasPrefix(name, "logs") {
			if b = defectLines(b); len(b) == 0 {
				continue
			}
		}
		if err == nil {
			err = files.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600, Size: int64(len(b))})
		}
		if err == nil {
			_, err = files.Write(b)
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", dir, err)
		}
	}
	if err := errors.Join(files.Close(), packer.Close()); err != nil {
		return nil, fmt.Errorf("pack %s: %w", dir, err)
	}
	return out.Bytes(), nil
}

// defectLines are the lines of a log that LoggedAmounts reads.
func defectLines(log []byte) []byte {
	var out []byte
	for line := range bytes.Lines(log) {
		if defectLine.Match(line) {
			out = append(out, line...)
		}
	}
	return out
}

// unpack writes the files of an archive into dir.
func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	unpacker, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	defer unpacker.Close()
	for files := tar.NewReader(unpacker); ; {
		h, err := files.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		if !filepath.IsLocal(h.Name) || strings.Count(h.Name, "/") > 1 {
			return fmt.Errorf("%s: %q is no file of a record", archive, h.Name)
		}
		b, err := io.ReadAll(files)
		path := filepath.Join(dir, h.Name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
	}
}
