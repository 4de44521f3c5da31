package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

var update = flag.Bool("update", false, "write what the tests get into testdata")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got; -update if it is meant):\n%s", name, diff)
	}
}

// Every form of the report that is text, for each outcome, and for a record that holds nothing.
func TestGolden(t *testing.T) {
	h := killed()
	for _, c := range []struct {
		name string
		h    record.History
		v    verdict.Verdict
	}{
		{"pass", h, judged(h, verdict.Pass)},
		{"fail", h, judged(h, verdict.Fail)},
		{"inconclusive", h, judged(h, verdict.Inconclusive)},
		{"empty", record.History{}, verdict.Verdict{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var text, verdict, junit bytes.Buffer
			for _, err := range []error{
				WriteText(&text, c.h, c.v, TextOptions{Where: "runs/r7c1/report.html"}),
				WriteJSON(&verdict, c.v), WriteJUnit(&junit, c.v),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			golden(t, c.name+".txt", text.Bytes())
			golden(t, c.name+".json", verdict.Bytes())
			golden(t, c.name+".junit.xml", junit.Bytes())
		})
	}
}

func TestJSONRoundTrip(t *testing.T) {
	h := killed()
	for _, want := range []verdict.Verdict{judged(h, verdict.Fail), judged(h, verdict.Inconclusive), judged(h, verdict.Pass)} {
		var b bytes.Buffer
		if err := WriteJSON(&b, want); err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(&b)
		d.DisallowUnknownFields()
		var got verdict.Verdict
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-written +read:\n%s", diff)
		}
		if d.More() {
			t.Error("more than one JSON document")
		}
	}
}

// Scripts loop over lists and objects without asking whether they are there.
func TestJSONHasNoNull(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, verdict.Verdict{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("null in\n%s", &b)
	}
}

// A number that JSON has no word for is told, not written as another.
func TestJSONRefusesWhatIsNoNumber(t *testing.T) {
	v := judged(killed(), verdict.Fail)
	v.Findings[1].To = math.NaN()
	err := WriteJSON(&bytes.Buffer{}, v)
	want := "verdict: finding 2 of check continuity: from 0 to NaN is no stretch of time"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
