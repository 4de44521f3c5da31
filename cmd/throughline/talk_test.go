package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

// talkRow is a row of docs/TALK.md.
type talkRow struct{ of, command, see string }

var talkLine = regexp.MustCompile("(?m)^\\| ([^|`]+) \\| `([^`]+)` \\| (.+) \\|$")

func talkRows(page string) (rows []talkRow) {
	for _, m := range talkLine.FindAllStringSubmatch(page, -1) {
		rows = append(rows, talkRow{m[1], m[2], m[3]})
	}
	return rows
}

// TestTalkPage: every slide of the talk and every system that it names has a row in docs/TALK.md, and every command there is
// one that there is: its scenario is read, its move is possible, its flags are known.
func TestTalkPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/TALK.md")
	if err != nil {
		t.Fatal(err)
	}
	talk, err := os.ReadFile("../../workshop/talk.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := talkRows(string(page))
	if lines := strings.Count(string(page), "\n| "); lines != len(rows)+2 { // and two heads
		t.Errorf("docs/TALK.md has %d lines of tables, of which %d are rows", lines, len(rows))
	}
	var wanted []string
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(string(talk), -1) {
		wanted = append(wanted, m[1])
	}
	if len(wanted) < 15 {
		t.Fatalf("workshop/talk.md has the slides %q only", wanted)
	}
	wanted = append(wanted, "Users", "HAProxy", "Apache HTTP", "Python web app", "StatsD", "MongoDB", "EC2", "Chef", "Datadog", "API-based producers",
		"Autoscaling", "Find and kill the primary", "Launch a new replica", "Add a web server", "Count servers by role")
	for _, name := range wanted {
		if !slices.ContainsFunc(rows, func(r talkRow) bool { return r.of == name }) {
			t.Errorf("docs/TALK.md has no row for %s", name)
		}
	}
	for _, r := range rows {
		if err := isCommand(t, r.command); err != nil {
			t.Errorf("docs/TALK.md: %s: %s: %v", r.of, r.command, err)
		}
	}
	for command, want := range map[string]string{
		"throughline run quite":              `did you mean "quiet"?`,
		"throughline run --relya x quiet":    "no such flag",
		"throughline ctl kill web-9":         "web-9",
		"throughline ctl explode web-1":      "explode",
		"throughline selftest lost-on-entry": "lost-on-entry",
		"throughline explain no-such-word":   "no such word",
		"throughline datadog export no-such": "no-such",
		"throughline dance":                  "dance",
		"curl http://127.0.0.1":              "no command of throughline",
		"throughline up --cluod":             "no such flag",
		"throughline run no/such/place.yaml": "no/such/place.yaml",
	} {
		if err := isCommand(t, command); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is taken for a command: %v", command, err)
		}
	}
}

// isCommand tells what is wrong with a command, as far as that can be told without a stack.
func isCommand(t *testing.T, command string) error {
	t.Helper()
	words := strings.Fields(command)
	if words[0] != "throughline" || len(words) < 2 {
		return fmt.Errorf("%s: no command of throughline", command)
	}
	if found, _, err := newRoot().Find(words[1:2]); err != nil || found.Name() != words[1] {
		return fmt.Errorf("throughline has no command %s", words[1])
	}
	switch words[1] {
	case "explain", "datadog":
		return asks(t, words[1:]...)
	case "ctl":
		return isMove(strings.Join(words[2:], " "))
	}
	if err := asks(t, append(words[1:], "--help")...); err != nil {
		return err
	}
	for i, word := range words[2:] {
		if strings.HasPrefix(word, "-") || slices.Contains([]string{"--relay", "--mongo"}, words[1+i]) {
			continue
		}
		switch words[1] {
		case "run":
			if err := asks(t, "check", word); err != nil {
				return err
			}
		case "selftest":
			list, err := exec.Command(binary, "selftest", "--list").CombinedOutput()
			if err != nil || !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(word)+`\s`).Match(list) {
				return fmt.Errorf("the gallery has no %s (%w)", word, err)
			}
		}
	}
	return nil
}

// asks runs a command that starts nothing, where the page's reader is.
func asks(t *testing.T, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// isMove tells what is wrong with a move on the three instances of throughline up.
func isMove(move string) error {
	s, err := trial.ByHand(script.Improvised{Instances: 3, Rate: 1, Cloud: true}, script.Options{})
	if err != nil {
		return err
	}
	_, _, err = s.StepOf(move, script.Now{Instances: []string{"web-1", "web-2", "web-3"}})
	return err
}
