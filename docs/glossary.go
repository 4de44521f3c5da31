package docs

import (
	_ "embed" // WORDS.md, SCENARIOS.md
	"regexp"
	"strings"
	"sync"
)

//go:embed WORDS.md
var wordsPage string

//go:embed SCENARIOS.md
var scenariosPage string

// Entry explains a word that people read in a report, a scenario or a finding.
type Entry struct {
	Word  string   // as explain lists it: "client-window"
	Also  []string // other spellings: "client window", "client_window"
	Group string   // the heading it stands under: "Findings"
	Text  string   // plain; the first sentence says what it is
}

// Line is the first sentence, in one line.
func (e Entry) Line() string {
	paragraph, _, _ := strings.Cut(e.Text, "\n\n")
	text := strings.Join(strings.Fields(paragraph), " ")
	if end := sentenceEnd.FindStringIndex(text); end != nil {
		return strings.TrimSpace(text[:end[1]])
	}
	return text
}

var sentenceEnd = regexp.MustCompile(`\.( |$)`)

// Glossary is every word that Explain knows: those of WORDS.md, the checks of
// SCENARIOS.md and the causes of DIAGNOSES.md, in this order. The caller must not
// change it.
func Glossary() []Entry { return glossary() }

var glossary = sync.OnceValue(func() []Entry {
	all := words()
	all = append(all, checks()...)
	for _, d := range Diagnoses() {
		all = append(all, Entry{Word: d.Cause, Group: d.Group, Text: d.Text})
	}
	return all
})

// Explain finds the entry of a word. Case does not count, nor how its parts are joined,
// nor an s at its end.
func Explain(word string) (Entry, bool) {
	e, known := spellings()[spelled(word)]
	if !known {
		e, known = spellings()[strings.TrimSuffix(spelled(word), "s")]
	}
	return e, known
}

var spellings = sync.OnceValue(func() map[string]Entry {
	by := map[string]Entry{}
	for _, e := range Glossary() {
		for _, word := range append([]string{e.Word}, e.Also...) {
			by[spelled(word)] = e
		}
	}
	return by
})

// spelled is a word as it is looked for: "Client window" and "client_window" are
// client-window.
func spelled(word string) string {
	return strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(strings.TrimSpace(word)))
}

// words are the sections of WORDS.md. A heading has the word, and after commas what else
// it is called.
func words() (found []Entry) {
	group := ""
	for _, s := range sections(wordsPage) {
		if s.level == 2 {
			group = s.title
		}
		if s.level != 3 {
			continue
		}
		names := strings.Split(s.title, ", ")
		found = append(found, Entry{Word: spelled(names[0]), Also: names, Group: group, Text: plain(anyLink.ReplaceAllString(s.body, "$1"))})
	}
	return found
}

// checks are those that a scenario asks for: a section each under "checks" in
// SCENARIOS.md, which begins with an example.
func checks() (found []Entry) {
	under := ""
	for _, s := range sections(scenariosPage) {
		if s.level == 2 {
			under = s.title
		}
		if s.level != 3 || under != "checks" {
			continue
		}
		text := s.body
		if m := example.FindStringSubmatch(text); m != nil {
			text = m[2] + "\n\nIn a scenario:\n\n" + m[1]
		}
		text = strings.ReplaceAll(anyLink.ReplaceAllString(text, "$1"), "`", "")
		found = append(found, Entry{Word: s.title, Group: "The checks that a scenario asks for", Text: text})
	}
	return found
}

var (
	anyLink = regexp.MustCompile(`\[([^]]+)\]\([^)]+\)`)
	example = regexp.MustCompile("(?s)^```yaml fragment\n(.*?\n)```\n+(.*)$")
)

// section is a heading of a page and what stands under it, up to the next.
type section struct {
	level       int
	title, body string
}

func sections(page string) (all []section) {
	at := heading.FindAllStringSubmatchIndex(page, -1)
	for i, m := range at {
		end := len(page)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		all = append(all, section{level: m[3] - m[2], title: page[m[4]:m[5]], body: strings.TrimSpace(page[m[1]:end])})
	}
	return all
}
