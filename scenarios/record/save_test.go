package record

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is saved is what was read, whole or begun only.
func TestSave(t *testing.T) {
	from, _ := write(t)
	h, err := Read(from)
	if err != nil {
		t.Fatal(err)
	}
	begun := h
	begun.After = nil
	for name, want := range map[string]History{"whole": h, "without its end": begun} {
		dir := filepath.Join(t.TempDir(), "saved")
		if err := Save(dir, want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := Read(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-saved +read):\n%s", name, diff)
		}
		if err := Save(dir, want); err == nil {
			t.Errorf("%s: it is saved over an earlier record", name)
		}
	}
}
