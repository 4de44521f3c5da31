package script_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/script"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", []byte(smallest))
	s, err := script.Read(good, defects)
	if err != nil || s.File != good || s.Name != "demo" {
		t.Errorf("read %q from %q, %v", s.Name, s.File, err)
	}

	full := write("full.yaml", append([]byte(smallest), []byte("#"+strings.Repeat("x", script.MaxBytes-len(smallest)-1))...))
	if _, err := script.Read(full, defects); err != nil {
		t.Errorf("a file of exactly the limit: %v", err)
	}
	for name, size := range map[string]int{"over.yaml": script.MaxBytes + 1, "ten.yaml": 10 << 20} {
		path := write(name, append([]byte(smallest), make([]byte, size-len(smallest))...))
		want := path + ":1:1: the file is larger than 1048576 bytes: a scenario is a page of text"
		if _, err := script.Read(path, defects); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", name, err, want)
		}
	}

	if _, err := script.Read(filepath.Join(dir, "none.yaml"), defects); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := script.Read(dir, defects); err == nil {
		t.Error("a folder was read")
	}
}

// Each of these would cost the YAML parser minutes, gigabytes or the stack, already at a quarter of the size allowed.
func TestBombs(t *testing.T) {
	const size = script.MaxBytes / 4
	keys := strings.Builder{}
	for i := 0; keys.Len() < size-20; i++ {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	stairs := strings.Builder{}
	for i := 0; stairs.Len()+i+3 < size; i++ {
		stairs.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	bombs := map[string]string{
		"brackets": fill("["), "braces": fill("{a: "), "dashes": fill("- "), "questions": fill("? "), "anchors": fill("&a "),
		"aliases": "a: &a [x]\nb: [" + strings.Repeat("*a, ", size/4-5) + "]\n", "tags": fill("!a "), "colons": fill("a: "),
		"keys": keys.String(), "stairs": stairs.String(), "commas": "[" + strings.Repeat("a,", size/2-1) + "]",
		"list": fill("- a\n"), "documents": fill("---\n"), "words": fill("aaa\n"), "comments": fill("# a\n"),
		"quote": `scenario: "` + strings.Repeat("x", size-20) + `"`, "dashes in brackets": "[" + strings.Repeat("- ", size/2-1),
		"colons in braces": "{" + strings.Repeat("a: ", size/3-1), "steps of dashes": fill("- - - -\n"), "ends": fill("]"),
		"phases": "phases:\n" + strings.Repeat("- {phase: a, for: 1s}\n", 2000), "merges": fill("<<: "),
	}
	for name, source := range bombs {
		t.Run(name, func(t *testing.T) {
			if len(source) > size {
				t.Fatalf("%d bytes are refused for another reason", len(source))
			}
			_, err := script.Parse("bomb.yaml", []byte(source), script.Options{})
			if errs := script.Errors(nil); !errors.As(err, &errs) || len(errs) == 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Comments are not counted: a file may explain itself at any length.
func TestCommentsAreFree(t *testing.T) {
	parse(t, strings.Repeat("# a line of explanation\n", 40_000)+smallest)
}

// A scenario at its limits is still read: the bounds that hold off bombs are beyond it.
func TestLargestScenario(t *testing.T) {
	phases := strings.Builder{}
	for i := range script.MaxPhases {
		fmt.Fprintf(&phases, "  - {phase: phase %d, do: [{kill: web-%d}, {launch: 1}], for: 1s, require: {users: 1/s}}\n", i, i+1)
	}
	source := strings.Replace(smallest, "  - phase: warm-up\n    for: 8s\n", phases.String(), 1)
	if s := parse(t, source); len(s.Phases) != script.MaxPhases || s.Duration() != script.MaxPhases*time.Second {
		t.Errorf("read %d phases, %v", len(s.Phases), s.Duration())
	}
	source = strings.Replace(source, "checks:\n", "  - {phase: one more, for: 1s}\nchecks:\n", 1)
	_, err := script.Parse("demo.yaml", []byte(source), defects)
	if want := "demo.yaml:6:3: phases: want at most 1000, got 1001"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
