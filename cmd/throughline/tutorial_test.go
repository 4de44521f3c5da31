package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// lesson is a command of docs/TUTORIAL.md, with what it has to come to; or a change of the application.
type lesson struct {
	command string
	status  int
	within  time.Duration
	says    []string // what is in its output, a line each
	diff    string   // in the place of a command
}

var (
	commandMark = regexp.MustCompile(`^<!-- status (\d), in (one|two|five|ten) minutes? -->$`)
	minutesOf   = map[string]int{"one": 1, "two": 2, "five": 5, "ten": 10}
)

// lessonsOf takes the page apart.
func lessonsOf(t *testing.T, page string) (all []lesson) {
	t.Helper()
	var mark []string
	kind, block := "", ""
	for _, line := range strings.Split(page, "\n") {
		switch {
		case kind == "" && strings.HasPrefix(line, "```"):
			kind, block = strings.TrimPrefix(line, "```"), ""
		case kind != "" && line == "```":
			switch kind {
			case "sh":
				if mark == nil {
					t.Fatalf("no <!-- status … --> before the command %s", block)
				}
				status, _ := strconv.Atoi(mark[1])
				all = append(all, lesson{command: strings.TrimSpace(block), status: status, within: time.Duration(minutesOf[mark[2]]) * time.Minute})
				mark = nil
			case "text":
				last := &all[len(all)-1]
				last.says = append(last.says, strings.Split(strings.TrimSpace(block), "\n")...)
			case "diff":
				all = append(all, lesson{diff: block})
			}
			kind = ""
		case kind != "":
			block += line + "\n"
		default:
			if m := commandMark.FindStringSubmatch(line); m != nil {
				mark = m
			}
		}
	}
	return all
}

// patched is a text after a change, whose context must be there once.
func patched(t *testing.T, text, diff string) string {
	t.Helper()
	var before, after strings.Builder
	for line := range strings.Lines(diff) {
		if line[0] != '+' {
			before.WriteString(line[1:])
		}
		if line[0] != '-' {
			after.WriteString(line[1:])
		}
	}
	if strings.Count(text, before.String()) != 1 {
		t.Fatalf("the change does not fit the application:\n%s", diff)
	}
	return strings.Replace(text, before.String(), after.String(), 1)
}

// TestTutorialPage: the page has the steps that its test needs, and quotes its application as it is.
func TestTutorialPage(t *testing.T) {
	page, app := tutorial(t)
	all := lessonsOf(t, page)
	if len(all) < 9 {
		t.Fatalf("only %d lessons were found", len(all))
	}
	for _, l := range all {
		if l.diff != "" {
			patched(t, app, l.diff)
		} else if name := strings.Fields(l.command)[1]; isSubcommand(name) != nil {
			t.Errorf("%s: %v", l.command, isSubcommand(name))
		}
	}
	quoted := regexp.MustCompile("(?s)```python\n(.*?)```").FindStringSubmatch(page)
	if quoted == nil {
		t.Fatal("the page quotes nothing of the application")
	}
	for line := range strings.Lines(quoted[1]) {
		if !strings.Contains(app, strings.TrimSpace(line)) {
			t.Errorf("the application has no line %q", line)
		}
	}
}

func isSubcommand(name string) error {
	_, _, err := newRoot().Find([]string{name})
	return err
}

func tutorial(t *testing.T) (page, app string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/TUTORIAL.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../docs/examples/shop/shop.py")
	if err != nil {
		t.Fatal(err)
	}
	return string(text), string(source)
}

// TestTutorial does what docs/TUTORIAL.md says, in its order: each command has the status and says what the page has of it.
func TestTutorial(t *testing.T) {
	unhurried(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	stacked(t)
	page, app := tutorial(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.py")
	write := func() {
		if err := os.WriteFile(file, []byte(app), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write()
	for _, l := range lessonsOf(t, page) {
		if l.diff != "" {
			app = patched(t, app, l.diff)
			write()
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), l.within)
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", l.command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), "COLUMNS=120", "PYTHONDONTWRITEBYTECODE=1")
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 30 * time.Second
		out, _ := cmd.CombinedOutput() // its status is looked at below
		cancel()
		status := cmd.ProcessState.ExitCode()
		if status == exitInconclusive && l.status != exitInconclusive {
			t.Skipf("SKIPPED, NOTHING PROVED: %s: inconclusive: this machine was too busy\n%s", l.command, out)
		}
		if status != l.status {
			t.Fatalf("%s: exit status %d, want %d\n%s", l.command, status, l.status, out)
		}
		for _, want := range l.says {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: %q is not in its output:\n%s", l.command, want, out)
			}
		}
	}
}
