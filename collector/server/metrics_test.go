package server

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/forward"
)

// TestMetricsPage: docs/METRICS.md has every series that the collector writes
// about itself, and no other.
func TestMetricsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "<!-- begin series -->\n")
	got, _, ended := strings.Cut(rest, "<!-- end series -->")
	if !found || !ended {
		t.Fatal("docs/METRICS.md: no table between <!-- begin series --> and <!-- end series -->")
	}
	// Of the outputs one of a kind has the series of all.
	out, err := forward.NewGraphite(forward.GraphiteConfig{To: "127.0.0.1:2003"})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, Config{Outputs: []collector.Output{out}})
	var want strings.Builder
	want.WriteString("| series | type | what it is | |\n|---|---|---|---|\n")
	for _, m := range s.Metrics() {
		kind, loss := string(m.Type), ""
		if m.Unit != "" {
			kind += ", " + m.Unit
		}
		if m.Loss {
			loss = "**loss**"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", m.Name, kind, m.Help, loss)
	}
	if diff := cmp.Diff(want.String(), got); diff != "" {
		t.Errorf("docs/METRICS.md (-want +got):\n%s\nthe table is to be:\n%s", diff, &want)
	}
}
