package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"throughline/scenarios/check/verdict"
)

func verdictSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	source, err := verdict.Schema(nil)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("verdict.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("verdict.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Every saved verdict, and what is written of an empty one, is what the schema says.
func TestVerdictsAreWhatTheSchemaSays(t *testing.T) {
	s := verdictSchema(t)
	files, err := filepath.Glob("../testdata/*/*.verdict.json")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../testdata/*/*/verdict.json")
	if err != nil {
		t.Fatal(err)
	}
	if files = append(files, more...); len(files) < 50 {
		t.Fatalf("only %d saved verdicts were found", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	var empty bytes.Buffer
	if err := WriteJSON(&empty, verdict.Verdict{Version: verdict.Format}); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(asJSON(t, empty.Bytes())); err != nil {
		t.Errorf("an empty verdict: %v\n%s", err, &empty)
	}
}

// What is no verdict is refused.
func TestSchemaRefusesWhatIsNoVerdict(t *testing.T) {
	s := verdictSchema(t)
	text, err := os.ReadFile("../testdata/records/killed/verdict.json")
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"another version":      {`"version": 1`, `"version": 2`},
		"no outcome":           {`"outcome": "pass",`, ``},
		"an unknown outcome":   {`"outcome": "pass"`, `"outcome": "ok"`},
		"a number in quotes":   {`"unexplained": 0`, `"unexplained": "0"`},
		"findings that are no": {`"findings": [`, `"findings": null, "x": [`},
		"a time that is none":  {`"start": "2`, `"start": "yesterday 2`},
	} {
		wrong := strings.Replace(string(text), change[0], change[1], 1)
		if wrong == string(text) {
			t.Fatalf("%s: %s is not in the verdict", what, change[0])
		}
		if !json.Valid([]byte(wrong)) {
			t.Fatalf("%s: no JSON", what)
		}
		if err := s.Validate(asJSON(t, []byte(wrong))); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}
