package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
)

// Notes are told in every form of the report, beside a pass too, and what is in
// them moves no cursor.
func TestNotesAreInEveryReport(t *testing.T) {
	h := killed()
	v := judged(h, verdict.Pass)
	v.Notes = []string{"stop of web-2 at 24.0 s: it was \x1b[2Jkilled"}
	var text, verdict, junit, page bytes.Buffer
	for _, err := range []error{WriteText(&text, h, v, TextOptions{}), WriteJSON(&verdict, v), WriteJUnit(&junit, v), WriteHTML(&page, h, v)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range map[string]string{"text": text.String(), "JSON": verdict.String(), "JUnit": junit.String(), "HTML": page.String()} {
		if !strings.Contains(got, "stop of web-2 at 24.0 s: it was") || strings.Contains(got, "\x1b[2J") {
			t.Errorf("%s has no note, or as it came:\n%.2000s", name, got)
		}
	}
	if !strings.Contains(text.String(), "\nPASS ") || parseJUnit(t, v).Errors != 0 {
		t.Errorf("a note touches the outcome:\n%s", &text)
	}
}

// Who collects reports finds one of a scenario that could not be run too.
func TestUnrunIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "01-dead")
	if err := WriteUnrun(dir, "dead", errors.New("start web-1: it <ended>; it wrote last:\n  web-1 | \x1b[2J&")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, JUnitFile))
	if err != nil {
		t.Fatal(err)
	}
	var s junitSuites
	if err := xml.Unmarshal(text, &s); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if s.Tests != 1 || s.Errors != 1 || s.Failures != 0 || len(s.Suites) != 1 || s.Suites[0].Name != "dead" || len(s.Suites[0].Cases) != 1 {
		t.Fatalf("suites %+v", s)
	}
	c := s.Suites[0].Cases[0]
	if c.Error == nil || c.Error.Message != "could not be run: start web-1: it <ended>; it wrote last:" || c.Error.Text != "start web-1: it <ended>; it wrote last:\n  web-1 | \uFFFD[2J&" {
		t.Errorf("case %+v, error %+v", c, c.Error)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteUnrun(file, "dead", errors.New("x")); err == nil || !strings.Contains(err.Error(), "cannot write the report") {
		t.Errorf("into a file: %v", err)
	}
}
