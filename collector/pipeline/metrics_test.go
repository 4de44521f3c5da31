package pipeline

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector/rum"
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
	p, err := New(Config{Dir: t.TempDir(), Graphite: "127.0.0.1:2003",
		RUM: &rum.Config{Addr: "127.0.0.1:0", Origins: []string{"https://www.example.com"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	var want strings.Builder
	want.WriteString("| series | type | what it is | |\n|---|---|---|---|\n")
	for _, m := range p.Metrics() {
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
