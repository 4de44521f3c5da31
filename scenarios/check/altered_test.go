package check

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// alteration is one change of one file of a record; nil: there is no such place.
type alteration struct {
	name  string
	apply func(*rand.Rand, []byte) []byte
}

// alterations are what hands, tools and crashes do to files, one place at a time.
var alterations = []alteration{
	{"a line is gone", func(rnd *rand.Rand, b []byte) []byte {
		lines := bytes.SplitAfter(b, []byte("\n"))
		i := rnd.IntN(len(lines) - 1)
		return bytes.Join(slices.Delete(lines, i, i+1), nil)
	}},
	{"a line is there twice", func(rnd *rand.Rand, b []byte) []byte {
		lines := bytes.SplitAfter(b, []byte("\n"))
		i := rnd.IntN(len(lines) - 1)
		return bytes.Join(slices.Insert(lines, i, lines[i]), nil)
	}},
	{"two lines changed places", func(rnd *rand.Rand, b []byte) []byte {
		lines := bytes.SplitAfter(b, []byte("\n"))
		i, k := rnd.IntN(len(lines)-1), rnd.IntN(len(lines)-1)
		if bytes.Equal(lines[i], lines[k]) {
			return nil
		}
		lines[i], lines[k] = lines[k], lines[i]
		return bytes.Join(lines, nil)
	}},
	{"another digit", func(rnd *rand.Rand, b []byte) []byte {
		at := rnd.IntN(len(b))
		for ; at < len(b) && (b[at] < '0' || b[at] > '9'); at++ {
		}
		if at == len(b) {
			return nil
		}
		b[at] = '0' + (b[at]-'0'+1+byte(rnd.IntN(9)))%10
		return b
	}},
	{"another letter case", func(rnd *rand.Rand, b []byte) []byte {
		at := rnd.IntN(len(b))
		for ; at < len(b) && (b[at] < 'a' || b[at] > 'z'); at++ {
		}
		if at == len(b) {
			return nil
		}
		b[at] -= 'a' - 'A'
		return b
	}},
	{"a byte is gone", func(rnd *rand.Rand, b []byte) []byte { at := rnd.IntN(len(b)); return slices.Delete(b, at, at+1) }},
	{"a blank more", func(rnd *rand.Rand, b []byte) []byte { return slices.Insert(b, rnd.IntN(len(b)+1), ' ') }},
	{"a new line more", func(_ *rand.Rand, b []byte) []byte { return append(b, '\n') }},
	{"trailing bytes", func(_ *rand.Rand, b []byte) []byte { return append(b, "# and more\n"...) }},
	{"an empty object behind", func(_ *rand.Rand, b []byte) []byte { return append(b, "{}\n"...) }},
	{"cut short", func(rnd *rand.Rand, b []byte) []byte { return b[:rnd.IntN(len(b))] }},
	{"the last new line is gone", func(_ *rand.Rand, b []byte) []byte { return b[:len(b)-1] }},
	{"lines end as on Windows", func(_ *rand.Rand, b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }},
	{"an unknown key", func(_ *rand.Rand, b []byte) []byte {
		if !bytes.Contains(b, []byte("{")) {
			return nil
		}
		at := bytes.LastIndexByte(b, '{') + 1
		return slices.Insert(b, at, []byte(`"by":"me",`)...)
	}},
	{"an unknown column", func(_ *rand.Rand, b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte(",\n")) }},
	{"empty", func(*rand.Rand, []byte) []byte { return []byte{} }},
}

// unhurried marks a test that -short leaves out.
func unhurried(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED by -short: so many records are judged that it takes the race detector half a minute")
	}
}

// TestAlteredRecordsProveNothing changes one place of a record in several hundred
// ways. None may give a pass, nor the outcome that the run had, and each is told
// by the name of the file.
func TestAlteredRecordsProveNothing(t *testing.T) {
	unhurried(t)
	rounds := max(1, histories/250)
	tried := 0
	for _, name := range []string{"quiet", "lost-on-exit"} {
		from := filepath.Join("../testdata/records", name)
		files := map[string][]byte{}
		for _, file := range []string{record.ScenarioFile, record.JournalFile, record.UsersFile, record.ExecutionsFile,
			record.SeriesFile, record.PointsFile, record.BeforeFile, record.AfterFile} {
			b, err := os.ReadFile(filepath.Join(from, file))
			if err != nil {
				t.Fatal(err)
			}
			files[file] = b
		}
		dir := t.TempDir()
		for file, b := range files {
			put(t, filepath.Join(dir, file), b)
		}
		if v := judgedIn(t, dir); v.Outcome == verdict.Inconclusive {
			t.Fatalf("%s proves nothing as it is: %s", name, v.Findings[0].Summary)
		}
		for file, whole := range files {
			path := filepath.Join(dir, file)
			for i, a := range alterations {
				for round := range rounds {
					rnd := rand.New(rand.NewPCG(uint64(i), uint64(round)))
					altered := a.apply(rnd, bytes.Clone(whole))
					if altered == nil || bytes.Equal(altered, whole) {
						continue
					}
					put(t, path, altered)
					tried++
					provesNothing(t, dir, file, fmt.Sprintf("%s: %s: %s (%d)", name, file, a.name, round))
				}
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if file != record.JournalFile { // without it there is no record at all
				provesNothing(t, dir, file, name+": "+file+" is gone")
			}
			put(t, path, whole)
		}
		tried += checksTakenOut(t, dir, files[record.ScenarioFile])
	}
	t.Logf("%d alterations", tried)
	if tried < 200*rounds {
		t.Errorf("only %d alterations were tried", tried)
	}
}

// checksTakenOut removes each check from the scenario of a record: what nobody
// asks for cannot fail.
func checksTakenOut(t *testing.T, dir string, scenario []byte) (tried int) {
	path := filepath.Join(dir, record.ScenarioFile)
	lines := bytes.SplitAfter(scenario, []byte("\n"))
	begun := false
	for i, line := range lines {
		if begun = begun || bytes.HasPrefix(line, []byte("checks:")); !begun || !bytes.HasPrefix(line, []byte("  - ")) {
			continue
		}
		tried++
		put(t, path, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
		provesNothing(t, dir, record.ScenarioFile, "without "+strings.TrimSpace(string(line)))
	}
	put(t, path, scenario)
	if tried == 0 {
		t.Error("the scenario has no check to take out")
	}
	return tried
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func judgedIn(t *testing.T, dir string) verdict.Verdict {
	t.Helper()
	h, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Judge(h)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func provesNothing(t *testing.T, dir, file, what string) {
	t.Helper()
	h, err := record.Read(dir)
	if err != nil {
		// A journal of which neither beginning nor end is left is none.
		if file != record.JournalFile || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	v, err := Judge(h)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	named := slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool {
		return f.Outcome == verdict.Inconclusive && f.Check == "record" && (strings.Contains(f.Summary, file) || file == record.JournalFile && strings.Contains(f.Summary, "the journal has no end"))
	})
	if v.Outcome != verdict.Inconclusive || !named {
		t.Errorf("%s: %v, and the file is named: %v: %s", what, v.Outcome, named, v.Findings[0].Summary)
	}
}
