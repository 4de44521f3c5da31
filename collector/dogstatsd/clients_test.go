package dogstatsd

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the tests get into testdata")

// clients are what real clients sent: a file each, made by the program of its
// name beside it. A line that begins with a quote is a datagram as it came,
// quoted as Go does; the indented lines after it are what the Scanner makes of
// it; lines that begin with # explain.
func clients(tb testing.TB) map[string]string {
	files, err := filepath.Glob("testdata/clients/*.golden")
	if err != nil || len(files) < 6 {
		tb.Fatalf("testdata/clients has the files %q (%v), want those of six runs", files, err)
	}
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		texts[file] = string(text)
	}
	return texts
}

// datagrams are those of a file of testdata/clients.
func datagrams(tb testing.TB, text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, `"`) {
			continue
		}
		datagram, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
		if err != nil {
			tb.Fatalf("%s is no quoted datagram: %v", line, err)
		}
		out = append(out, datagram)
	}
	return out
}

func TestRealClients(t *testing.T) {
	for file, text := range clients(t) {
		var got bytes.Buffer
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "#") {
				got.WriteString(line)
			}
		}
		all := datagrams(t, text)
		if len(all) < 10 {
			t.Errorf("%s has %d datagrams, want what a client sends in a run", file, len(all))
		}
		for _, datagram := range all {
			got.WriteString(strconv.Quote(datagram) + "\n")
			for _, line := range read(datagram) {
				got.WriteString("\t" + line + "\n")
			}
		}
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(text, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}
