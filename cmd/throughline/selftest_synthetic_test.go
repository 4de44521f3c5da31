package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"throughline/scenarios/check"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
	"throughline/scenarios/synthetic"
	"throughline/scenarios/synthetic/confusion"
)

// selftested runs selftest with arguments and gives what it printed, what it said
// besides, and its exit status.
func selftested(args ...string) (stdout, stderr string, status int) {
	cmd := exec.Command(binary, append([]string{"selftest"}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	_ = cmd.Run() // its status is what tells
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

// Runs are made up from consecutive seeds, each once, and the status says what the
// figures say.
func TestSelftestSynthetic(t *testing.T) {
	out, said, status := selftested("--synthetic", "40", "--seed", "3", "--jobs", "2", "--format", "json")
	var got struct {
		Results []confusion.Result
		Figures confusion.Figures
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s%s", err, out, said)
	}
	seen := map[uint64]bool{}
	for _, r := range got.Results {
		if want, err := confusion.Try(r.Seed, ""); err != nil || want.Mark != r.Mark || want.Cause != r.Cause {
			t.Errorf("seed %d is %s of %s, and judged again %s of %s (%v)", r.Seed, r.Mark, r.Cause, want.Mark, want.Cause, err)
		}
		seen[r.Seed] = true
	}
	if len(got.Results) != 40 || len(seen) != 40 || !seen[3] || !seen[42] {
		t.Errorf("%d results of %d seeds", len(got.Results), len(seen))
	}
	if good := got.Figures.Good(); good != (status == exitPass) || !good && status != exitFail {
		t.Errorf("exit status %d, figures good: %v", status, good)
	}
}

// What does not go together is refused with what to do.
func TestSelftestSyntheticUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--synthetic", "0"}, "at least one run"},
		{[]string{"--synthetic", "1", "--jobs", "0"}, "--jobs 0"},
		{[]string{"--synthetic", "1", "--only", "bad-weather"}, "--only: cause bad-weather: no run can be made up with it (have healthy, bad-lines"},
		{[]string{"--synthetic", "1", "--repeat", "2"}, "--repeat does not go with --synthetic"},
		{[]string{"--synthetic", "1", "--keep"}, "--out"},
		{[]string{"--synthetic", "1", "--format", "xml"}, "--format xml: no such format"},
		{[]string{"--synthetic", "1", "late"}, "--only names a cause"},
		{[]string{"--only", "late"}, "--only goes with --synthetic alone"},
	} {
		if out, said, status := selftested(test.args...); status != exitUsage || !strings.Contains(said, test.want) || out != "" {
			t.Errorf("%q: exit status %d, said %q, want %d and %q", test.args, status, said, exitUsage, test.want)
		}
	}
}

// A record that is kept is judged as the run was that it is of.
func TestSelftestSyntheticKeeps(t *testing.T) {
	dir := t.TempDir()
	out, said, status := selftested("--synthetic", "2", "--seed", "5", "--only", "late", "--keep", "--explain", "--out", dir)
	if status != exitPass || !strings.Contains(out, "seed 5: late\n") || !strings.Contains(out, "seed 6: late\n") || !strings.Contains(out, "\nscore: ") {
		t.Fatalf("exit status %d: %s%s", status, out, said)
	}
	for seed, name := range map[uint64]string{5: "late-5", 6: "late-6"} {
		h, err := record.Read(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		made, err := synthetic.Make(seed, "late")
		if err != nil {
			t.Fatal(err)
		}
		var kept, fresh bytes.Buffer
		for to, from := range map[*bytes.Buffer]record.History{&kept: h, &fresh: made.Record} {
			v, err := check.Judge(from)
			if err == nil {
				err = report.WriteJSON(to, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if kept.String() != fresh.String() {
			t.Errorf("%s: the record on disk is judged otherwise:\n%s\nthan the run:\n%s", name, kept.String(), fresh.String())
		}
	}
	if _, said, status := selftested("--synthetic", "1", "--seed", "5", "--only", "late", "--keep", "--out", dir); status != exitHarness || !strings.Contains(said, "holds the record of an earlier run") {
		t.Errorf("kept twice: exit status %d, said %q", status, said)
	}
}
