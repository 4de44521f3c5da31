package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
)

// saved are records of real runs, good and bad, each with the verdict that was
// given on it. scenarios/gallery judges them, and many more, and writes their verdicts
// anew with -update; here the program itself has to say the same. Who changes a
// record itself seals it with `go test ./scenarios/record -run Saved -reseal`.
const saved = "../../scenarios/testdata/records"

// The program prints the saved verdict to the byte, and exits with its status.
func TestSavedRecordsAreJudgedAsEver(t *testing.T) {
	for name, status := range map[string]int{
		"quiet": exitPass, "killed": exitPass, "lost-on-exit": exitFail, "double-instrumented": exitFail, "cut-short": exitInconclusive,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(saved, name)
			want, err := os.ReadFile(filepath.Join(dir, "verdict.json"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(binary, "judge", "--format", "json", dir)
			got, _ := cmd.Output() // its status is looked at below
			if code := cmd.ProcessState.ExitCode(); code != status {
				t.Errorf("exit status %d, want %d", code, status)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("another verdict (-saved +now):\n%s", diff)
			}
			var v verdict.Verdict
			if err := json.Unmarshal(want, &v); err != nil {
				t.Fatal(err)
			}
			asked := map[string]bool{}
			for _, f := range v.Findings {
				asked[f.Check] = true
			}
			for _, name := range []string{"continuity", "conservation", "identity", "nesting", "gauge", "hygiene", "audit", "failures", "requests", "hops"} {
				if !asked[name] {
					t.Errorf("the check %s says nothing", name)
				}
			}
		})
	}
}
