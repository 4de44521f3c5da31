package gallery

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/report"
)

// The examples of README.md are what runs have printed. Their records are saved, and what
// is shown of them must be what is written of them now.
const (
	readme        = "../../README.md"
	readmeRecords = "../testdata/readme"
	elided        = "…" // a line that stands for any number of lines
)

var fromRuns = flag.String("readme", "", "take the records of the README's examples from these `directories` (A:B), each the --out of a run; the examples themselves are copied by hand")

// example is a block of the README that shows the text of a run: "<!-- text of NAME -->" before
// it names the record.
var example = regexp.MustCompile("<!-- text of ([a-z-]+) -->\n+```\n((?s:.*?))```\n")

func TestReadmeShowsWhatIsWritten(t *testing.T) {
	for _, dir := range filepath.SplitList(*fromRuns) {
		packExample(t, dir)
	}
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	shown := example.FindAllStringSubmatch(string(page), -1)
	if len(shown) < 2 {
		t.Errorf("README.md shows the text of %d runs, want a pass and a fail at least", len(shown))
	}
	for _, m := range shown {
		name, want := m[1], m[2]
		dir := t.TempDir()
		if err := unpack(filepath.Join(readmeRecords, name+".tar.zst"), dir); err != nil {
			t.Fatal(err)
		}
		h := readWhole(t, dir)
		tellsNothingOfItsMachine(t, dir, h)
		var text strings.Builder
		if err := report.WriteText(&text, h, verdictOf(t, h), report.TextOptions{More: "throughline judge --all runs/" + name}); err != nil {
			t.Fatal(err)
		}
		if missing := notShown(strings.Split(strings.TrimSpace(text.String()), "\n"), strings.Split(strings.TrimSpace(want), "\n")); missing != "" {
			t.Errorf("the example of %s in README.md has a line that is not written there: %q; what is written now:\n%s", name, missing, text.String())
		}
	}
}

// packExample saves the record in a directory under the name of its scenario.
func packExample(t *testing.T, dir string) {
	t.Helper()
	h := readWhole(t, dir)
	b, err := pack(dir)
	if err == nil {
		err = os.MkdirAll(readmeRecords, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(readmeRecords, h.Run.Scenario+".tar.zst"), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// notShown gives the first line of an example that does not stand where it should: directly
// behind the one before it, unless lines are elided there.
func notShown(written, shown []string) string {
	at, gap := 0, true
	for _, line := range shown {
		if strings.TrimSpace(line) == elided {
			gap = true
			continue
		}
		here := slices.Index(written[at:], line)
		if here < 0 || here > 0 && !gap {
			return line
		}
		at, gap = at+here+1, false
	}
	return ""
}

func TestExamplesAreComparedLineByLine(t *testing.T) {
	written := []string{"a", "b", "c", "d"}
	for shown, want := range map[string]string{
		"a b": "", "b": "", "a … d": "", "… c d": "", "a c": "c", "a … b … d": "", "b … a": "a", "a x": "x", "…": "", "a b e": "e",
	} {
		if got := notShown(written, strings.Fields(shown)); got != want {
			t.Errorf("%s: %q, want %q", shown, got, want)
		}
	}
}
