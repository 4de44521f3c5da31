package docstore

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python finds an interpreter that has pymongo, on PATH or Debian's own.
func python(t *testing.T) string {
	t.Helper()
	var tried []string
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		p := filepath.Join(dir, "python3")
		if exec.CommandContext(t.Context(), p, "-c", "import pymongo").Run() == nil {
			return p
		}
		tried = append(tried, p)
	}
	t.Skipf("SKIPPED: no python3 with pymongo (Debian: apt install python3-pymongo); tried %s", strings.Join(tried, ", "))
	return ""
}

func TestPymongo(t *testing.T) {
	interpreter := python(t)
	addr := serve(t, t.TempDir())
	out, err := exec.CommandContext(t.Context(), interpreter, "testdata/pymongo_client.py", "mongodb://"+addr).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "is content") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
