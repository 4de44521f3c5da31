package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRowsGetTheRoomTheyNeed and no more: what is left over in a large record is memory that
// nobody has.
func TestRowsGetTheRoomTheyNeed(t *testing.T) {
	dir, _ := write(t)
	h, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Series {
		if cap(s.Points) != len(s.Points) {
			t.Errorf("%s has room for %d points and has %d", s.Name, cap(s.Points), len(s.Points))
		}
	}
	if cap(h.Requests) != len(h.Requests) || cap(h.Executions) != len(h.Executions) {
		t.Errorf("room for %d requests and %d executions, of which there are %d and %d", cap(h.Requests), cap(h.Executions), len(h.Requests), len(h.Executions))
	}
}

// TestRoomIsNotTakenAtItsWord: a journal that tells of more rows than a file can hold gets no
// memory for them.
func TestRoomIsNotTakenAtItsWord(t *testing.T) {
	dir, want := write(t)
	path := filepath.Join(dir, JournalFile)
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.NewReplacer(`"requests":2`, `"requests":4611686018427387904`, `"executions":4`, `"executions":-4`).Replace(string(journal))
	if forged == string(journal) {
		t.Fatalf("the journal has no tally:\n%s", journal)
	}
	if err := os.WriteFile(path, []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Requests) != len(want.Requests) || len(h.Executions) != len(want.Executions) || cap(h.Requests) > 1000 {
		t.Errorf("read %d requests into room for %d, and %d executions", len(h.Requests), cap(h.Requests), len(h.Executions))
	}
}
