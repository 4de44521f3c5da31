package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// CLIENTS.md has at least fifteen clients in eight languages, each with a source and how it is known.
func TestClients(t *testing.T) {
	page, err := os.ReadFile("CLIENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	languages, rows := map[string]bool{}, 0
	link := regexp.MustCompile(`\]\(https://[^)]+\)`)
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) != 5 || strings.TrimSpace(cells[0]) == "language" {
			continue
		}
		rows++
		languages[strings.TrimSpace(cells[0])] = true
		source := cells[4]
		if !link.MatchString(source) {
			t.Errorf("no source: %s", line)
		}
		if !regexp.MustCompile(`\b(tried|read|documented)\b`).MatchString(source[strings.LastIndex(source, "],")+1:]) {
			t.Errorf("not said how it is known: %s", line)
		}
		for _, c := range cells {
			if strings.TrimSpace(c) == "" {
				t.Errorf("an empty cell: %s", line)
			}
		}
	}
	if rows < 15 || len(languages) < 8 {
		t.Errorf("%d clients in %d languages", rows, len(languages))
	}
}
