package throughline_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// action is what there is to test of action.yml.
type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Steps []struct {
			Name, ID, Run, Shell string
			Env                  map[string]string
		}
	}
}

// The steps of the action do what they say, with what GitHub gives them. throughline is a script here that says what
// it was asked; that its flags are there is asked below.
func TestAction(t *testing.T) {
	var a action
	source, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(source, &a); err != nil {
		t.Fatal(err)
	}
	run := a.Runs.Steps[len(a.Runs.Steps)-1]
	for _, c := range []struct {
		scenarios, exits string
		asked            string
	}{
		{"a.yaml  b.yaml", "0", "run --page off --out throughline-runs --annotations github --retry-inconclusive 2 a.yaml b.yaml"},
		{"a.yaml", "2", "run --page off --out throughline-runs --annotations github --retry-inconclusive 2 a.yaml"},
		{"$(touch evil) `touch evil` ; touch evil", "1", "run --page off --out throughline-runs --annotations github --retry-inconclusive 2 $(touch evil) `touch evil` ; touch evil"},
	} {
		dir := t.TempDir()
		fake := filepath.Join(dir, "throughline")
		if err := os.WriteFile(fake, []byte("#!/bin/sh\necho \"$@\" >asked\nexit "+c.exits+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		values := map[string]string{"inputs.scenarios": c.scenarios, "inputs.binary || format('{0}/throughline', runner.temp)": fake}
		for name, in := range a.Inputs {
			if _, ok := values["inputs."+name]; !ok {
				values["inputs."+name] = in.Default
			}
		}
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run.Run) // as GitHub's runner calls it
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GITHUB_OUTPUT="+filepath.Join(dir, "output"))
		for name, value := range run.Env {
			cmd.Env = append(cmd.Env, name+"="+expand(t, value, values))
		}
		out, _ := cmd.CombinedOutput()
		asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
		told, _ := os.ReadFile(filepath.Join(dir, "output"))
		if strings.TrimSpace(string(asked)) != c.asked || string(told) != "status="+c.exits+"\n" {
			t.Errorf("%q: asked %q, told %q\n%s", c.scenarios, asked, told, out)
		}
		if got := cmd.ProcessState.ExitCode(); string(rune('0'+got)) != c.exits {
			t.Errorf("%q: exit status %d, want that of the run, %s", c.scenarios, got, c.exits)
		}
		if _, err := os.Stat(filepath.Join(dir, "evil")); err == nil {
			t.Errorf("%q: an input was run as a command", c.scenarios)
		}
	}
}

// expand puts values in for GitHub's expressions, all of which must be known.
func expand(t *testing.T, text string, values map[string]string) string {
	t.Helper()
	return regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`).ReplaceAllStringFunc(text, func(x string) string {
		name := strings.TrimSpace(strings.Trim(x, "${}"))
		value, ok := values[name]
		if !ok {
			t.Errorf("%s: the test knows no such expression", x)
		}
		return value
	})
}

// Scripts take what GitHub's expressions give as variables only: within a script an input could be a command.
func TestActionHasNoExpressionInAScript(t *testing.T) {
	var a action
	source, err := os.ReadFile("action.yml")
	if err == nil {
		err = yaml.Unmarshal(source, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range a.Runs.Steps {
		if strings.Contains(s.Run, "${{") || s.Shell != "bash" || s.Run == "" {
			t.Errorf("%s: want a script of bash without an expression:\n%s", s.Name, s.Run)
		}
	}
}

// Every flag in a recipe for CI is one of run's.
func TestRecipesHaveFlagsThatAreThere(t *testing.T) {
	code, err := os.ReadFile("cmd/throughline/forge.go")
	if err != nil {
		t.Fatal(err)
	}
	run, err := os.ReadFile("cmd/throughline/run.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"action.yml", "docs/ci/gitlab-ci.yml", "docs/ci/Jenkinsfile", "docs/CI.md"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flags := regexp.MustCompile(`[ |`+"`"+`]--([a-z][a-z-]*)`).FindAllStringSubmatch(string(source), -1)
		if len(flags) == 0 {
			t.Errorf("%s: no flag is looked at", file)
		}
		for _, f := range flags {
			if f[1] == "no-install-recommends" || f[1] == "build-arg" {
				continue // apt-get's, docker's
			}
			if !strings.Contains(string(code)+string(run), `"`+f[1]+`"`) {
				t.Errorf("%s: --%s: no such flag of run", file, f[1])
			}
		}
	}
}
