package script_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/scenarios/script"
)

// What is told to a program in its environment is not told to who reads the record; all else is.
func TestMasked(t *testing.T) {
	const (
		head = "scenario: masked\nstack:\n"
		tail = "load: {rate: 10/s, mix: {insert: 1}}\nphases:\n  - {phase: only, for: 5s}\nchecks:\n  - conservation: {metric: a.b, route: insert}\n"
		web  = "  web:\n    instances: 2\n"
	)
	for name, c := range map[string]struct {
		source string
		line   string // how it stands in the record
	}{
		"in brackets":         {head + web + "    env: {TOKEN: hunter2, LEVEL: \"hunter2, too\"}\n    health: /up\n" + tail, `    env: {LEVEL: "***", TOKEN: "***"}`},
		"in brackets, last":   {head + "  web: {instances: 2, env: {TOKEN: hunter2}}\n" + tail, `  web: {instances: 2, env: {TOKEN: "***"}}`},
		"in brackets, first":  {head + "  web: {env: {TOKEN: hunter2}, instances: 2}\n" + tail, `  web: {env: {TOKEN: "***"}, instances: 2}`},
		"in brackets, broken": {head + "  web: {env: {\n    TOKEN: hunter2,\n    B: 'hunter2'\n  }, instances: 2}\n" + tail, `  web: {env: {B: "***", TOKEN: "***"}`},
		"a line each":         {head + web + "    env:\n      TOKEN: hunter2\n      LEVEL: hunter2\n    health: /up\n" + tail, `    env: {LEVEL: "***", TOKEN: "***"}`},
		"last of the stack":   {head + web + "    env:\n      TOKEN: hunter2\n\n" + tail, `    env: {TOKEN: "***"}`},
		"comments":            {head + web + "    env: # hunter2 was the old one\n      # hunter2\n      TOKEN: hunter2 # hunter2\n    # of the app\n    health: /up\n" + tail, `    env: {TOKEN: "***"}`},
		"comment behind":      {head + web + "    env: {TOKEN: hunter2} # hunter2\n    health: /up\n" + tail, `    env: {TOKEN: "***"}`},
		"several lines":       {head + web + "    env:\n      TOKEN: hunter2\n        hunter2\n      A: \"hunter2\n        : hunter2\"\n    health: /up\n" + tail, `    env: {A: "***", TOKEN: "***"}`},
		"numbers":             {head + web + "    env: {PIN: 4711, ON: yes, NONE: ''}\n" + tail, `    env: {NONE: "***", ON: "***", PIN: "***"}`},
		"quoted keys":         {head + "  \"web\":\n    \"env\": {\"TOKEN\": hunter2}\n    \"instances\": 2\n" + tail, `    "env": {TOKEN: "***"}`},
		"other letters":       {strings.Replace(head, "masked\n", "masked # größer\n", 1) + "  web: {instances: 2, health: /größe, env: {TOKEN: hunter2ß}}\n" + tail, `  web: {instances: 2, health: /größe, env: {TOKEN: "***"}}`},
		"a byte order mark":   {"\ufeff" + head + web + "    env:\n      TOKEN: hunter2\n    health: /up\n" + tail, `    env: {TOKEN: "***"}`},
		"Windows' lines":      {strings.ReplaceAll(head+web+"    env:\n      TOKEN: hunter2\n    health: /up\n"+tail, "\n", "\r\n"), `    env: {TOKEN: "***"}`},
		"at the end":          {"scenario: masked\n" + tail + "stack:\n" + web + "    env:\n      TOKEN: hunter2", `    env: {TOKEN: "***"}`},
		"an env elsewhere":    {head + web + "    command: [sh, -c, \"env: x\"]\n    routes: {env: GET /env, insert: POST /insert}\n    env: {TOKEN: hunter2}\n" + tail, `    env: {TOKEN: "***"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := script.Parse("x.yaml", []byte(c.source), script.Options{})
			if err != nil {
				t.Fatal(err)
			}
			masked, err := s.Masked()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(masked), "hunter2") || strings.Contains(string(masked), "4711") {
				t.Errorf("the record tells it:\n%s", masked)
			}
			if !strings.Contains(string(masked), c.line) {
				t.Errorf("no line %q in:\n%s", c.line, masked)
			}
			again, err := script.Parse("x.yaml", masked, script.Options{})
			if err != nil {
				t.Fatalf("%v in\n%s", err, masked)
			}
			for name := range s.Stack.Web.Env {
				s.Stack.Web.Env[name] = script.Mask
			}
			if diff := cmp.Diff(s, again, cmpopts.IgnoreFields(script.Scenario{}, "Source")); diff != "" {
				t.Errorf("another scenario (-given +recorded):\n%s", diff)
			}
		})
	}
}

func TestMaskedWithoutAnEnvironment(t *testing.T) {
	s, err := script.Parse("x.yaml", []byte(smallest), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if masked, err := s.Masked(); err != nil || string(masked) != smallest {
		t.Errorf("%v: %s", err, masked)
	}
}
