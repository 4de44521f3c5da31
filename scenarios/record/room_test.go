package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
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

// TestSeriesShareTheirPoints: those whose rows are the same have one room, and those that differ in a single row have not.
func TestSeriesShareTheirPoints(t *testing.T) {
	_, want := write(t)
	counter := collector.Meta{Type: collector.Counter}
	series := func(name string, last float64, long int) Series {
		s := Series{Name: name, Meta: counter}
		for k := range long {
			s.Points = append(s.Points, Point{At: time.Duration(k) * time.Second, Value: 1, Observed: 1})
		}
		s.Points[long-1].Value = last
		return s
	}
	want.Series = []Series{series("a", 1, 5), series("b", 2, 5), series("c", 1, 5), series("d", 1, 4)}
	dir := filepath.Join(t.TempDir(), "run")
	if err := Save(dir, want); err != nil {
		t.Fatal(err)
	}
	h, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Series, h.Series); diff != "" {
		t.Fatalf("the series (-want +got):\n%s", diff)
	}
	if at := func(i int) *Point { return &h.Series[i].Points[0] }; at(0) != at(2) || at(0) == at(1) || at(0) == at(3) {
		t.Error("a and c have the same points, and neither of them those of b or d")
	}
}
