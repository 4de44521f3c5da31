package docs

import (
	_ "embed" // VERDICT.md
	"regexp"
	"strings"
	"sync"
)

//go:embed VERDICT.md
var verdictPage string

// VerdictKey is what VERDICT.md says of a key of verdict.json in the table below a heading, as KeyOf says it of a scenario's.
func VerdictKey(heading, key string) string { return verdictKeys()[heading][key] }

var verdictKeys = sync.OnceValue(func() map[string]map[string]string { return keysIn(verdictPage) })

// KeyOf is what SCENARIOS.md says of a key of the language in a table below a heading, as plain text in one line; "" where
// it says nothing.
func KeyOf(heading, key string) string { return keys()[heading][key] }

var (
	keyRow   = regexp.MustCompile("^\\| (`[^|]*?) \\|(.*)\\| *$")
	keyWord  = regexp.MustCompile("`([a-z_]+)`")
	anyTitle = regexp.MustCompile(`^#{2,4} (.+)$`)
	keyLink  = regexp.MustCompile(`\[([^]]+)\]\([^)]*\)`)
)

var keys = sync.OnceValue(func() map[string]map[string]string { return keysIn(scenariosPage) })

// keysIn are the keys of a page's tables, by the heading above them.
func keysIn(page string) map[string]map[string]string {
	all, under := map[string]map[string]string{}, ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if m := anyTitle.FindStringSubmatch(line); m != nil {
			under = m[1]
			continue
		}
		m := keyRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		cells := strings.Split(strings.ReplaceAll(m[2], `\|`, "¦"), "|")
		said := strings.TrimSpace(cells[len(cells)-1])
		if len(cells) == 2 && !strings.Contains(cells[0], "required") && strings.TrimSpace(cells[0]) != "" {
			said += " (default: " + strings.TrimSpace(cells[0]) + ")"
		}
		said = keyLink.ReplaceAllString(said, "$1")
		said = strings.NewReplacer("`", "", "¦", "|").Replace(said)
		for _, key := range keyWord.FindAllStringSubmatch(m[1], -1) {
			if all[under] == nil {
				all[under] = map[string]string{}
			}
			if all[under][key[1]] == "" {
				all[under][key[1]] = said
			}
		}
	}
	return all
}
