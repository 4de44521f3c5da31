package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/scenarios/report"
)

// A record is judged by its own checks, or by others, which the verdict says.
func TestJudge(t *testing.T) {
	dir := filepath.Join(saved, "lost-on-exit")
	own, err := Judge(dir, "v7")
	if err != nil || own.Status() != Fail || own.Dir != dir || own.Verdict.ToolVersion != "v7" {
		t.Fatalf("status %d, %v", own.Status(), err)
	}
	lenient := []byte("checks:\n  - failures: {at_most: 0}\n")
	other, err := JudgeBy(dir, "v7", "lenient.yaml", lenient, Reader{}.Rules("lenient.yaml"))
	if err != nil || other.Status() != Pass || other.Verdict.ChecksFrom != "lenient.yaml" || other.Verdict.ToolVersion != "v7" {
		t.Errorf("by other checks: status %d from %q, %v", other.Status(), other.Verdict.ChecksFrom, err)
	}
	for name, judge := range map[string]func(string) (Judged, error){
		"own": func(dir string) (Judged, error) { return Judge(dir, "v7") },
		"other": func(dir string) (Judged, error) {
			return JudgeBy(dir, "v7", "lenient.yaml", lenient, Reader{}.Rules("lenient.yaml"))
		},
	} {
		if _, err := judge(filepath.Join(saved, "nowhere")); err == nil || !strings.Contains(err.Error(), "no record of a run") {
			t.Errorf("%s: no record: %v", name, err)
		}
	}
	out := t.TempDir()
	if err := own.Write(out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{report.VerdictFile, report.JUnitFile, report.HTMLFile} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	if err := own.Write(filepath.Join(out, "nowhere")); err == nil {
		t.Error("reports are written where no directory is")
	}
}
