package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A scenario is a file, a name, or standard input, which is read once.
func TestReadAll(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	const text = "scenario: mine\nstack: {web: {instances: 1}}\nload: {rate: 10/s}\nphases:\n  - {phase: one, for: 2s}\nchecks:\n  - continuity: {metric: fullstack.insert}\n"
	if err := os.WriteFile("mine.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(text, "continuity: {metric: fullstack.insert}", `promql: {expr: "sum(", within: run}`, 1)
	if err := os.WriteFile("bad.yaml", []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("quiet", 0o700); err != nil {
		t.Fatal(err)
	}
	r := Reader{Stdin: strings.NewReader(strings.Replace(text, "mine", "typed", 1))}
	all, err := r.ReadAll([]string{"mine.yaml", "replace-an-instance", Stdin})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"mine", "replace-an-instance", "typed"} {
		if all[i].Name != want {
			t.Errorf("scenario %d is %s, want %s", i, all[i].Name, want)
		}
	}
	if all[2].File != stdinName {
		t.Errorf("standard input is called %s", all[2].File)
	}
	_, err = Reader{Stdin: strings.NewReader(text)}.ReadAll([]string{"-", "-", "nowhere.yaml", "quite", "bad.yaml", "quiet"})
	if err == nil {
		t.Fatal("all was read")
	}
	said := strings.Split(err.Error(), "\n")
	for i, want := range []string{"-: standard input is read once", "nowhere.yaml: cannot be read", `did you mean "quiet"`, "bad.yaml:7:5", "quiet: "} {
		if i >= len(said) || !strings.Contains(said[i], want) {
			t.Errorf("message %d of\n%v\nwant %q", i, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "runs")); err == nil {
		t.Error("reading makes directories")
	}
}

// The files of rules that a scenario names are read from where it is; a built-in one has its own.
func TestReadRules(t *testing.T) {
	t.Chdir(t.TempDir())
	const rules = "groups: [{name: g, rules: [{alert: Down, expr: up < 1}]}]"
	text := "scenario: mine\nstack: {web: {instances: 1}}\nload: {rate: 10/s}\nphases:\n  - {phase: one, for: 2s}\nchecks:\n  - alert: {file: mine.yml, name: Down, silent: [one]}\n"
	if err := os.Mkdir("there", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, what := range map[string]string{"there/mine.yaml": text, "there/mine.yml": rules} {
		if err := os.WriteFile(name, []byte(what), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Reader{}.Read("there/mine.yaml")
	if err != nil || s.Rules["mine.yml"] != rules {
		t.Errorf("its rules are %q, %v", s.Rules, err)
	}
	if s, err = (Reader{}).Read("alert-rules"); err != nil || !strings.Contains(s.Rules["alerts.yml"], "InsertsStopped") {
		t.Errorf("the rules of a built-in scenario are %.100q, %v", s.Rules, err)
	}
	_, err = Reader{Stdin: strings.NewReader(text)}.Read(Stdin)
	if want := "stdin:7:5: alert: mine.yml: cannot be read: no such file or directory; give the path of a file of alerting rules from that of the scenario"; err == nil || err.Error() != want {
		t.Errorf("from standard input: %v, want %s", err, want)
	}
	if err := os.WriteFile("there/mine.yml", []byte(strings.Replace(rules, "up <", "up <<", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = (Reader{}).Read("there/mine.yaml"); err == nil || !strings.Contains(err.Error(), `mine.yml: 1:48: group "g", rule 1, "Down": could not parse expression`) {
		t.Errorf("rules that are none: %v", err)
	}
}
