// Package docs is the part of the documentation that the program shows itself:
// what each cause of a finding means and how to repair it, out of DIAGNOSES.md, and
// what each other word of a report means, out of WORDS.md and SCENARIOS.md, so that
// whoever has the binary or a report alone has it too. It judges nothing. The command
// explain and the HTML report call it.
package docs

import (
	_ "embed" // DIAGNOSES.md
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:embed DIAGNOSES.md
var diagnosesPage string

// diagnosesPage's sections: "### cause" for each cause, "#### How to" for what
// several of them refer to as [text](#how-to).
var (
	heading  = regexp.MustCompile(`(?m)^(#{2,4}) (.+)$`)
	internal = regexp.MustCompile(`\[([^]]+)\]\(#([a-z-]+)\)`)
	external = regexp.MustCompile(`\[([^]]+)\]\((https?://[^)]+)\)`)
	// The title of a diagnosis, the places in it that depend on how many there are, and the
	// sentence that says how to repair it.
	titled   = regexp.MustCompile(`(?s)^\*\*(.+?)\.\*\*\s+`)
	numbered = regexp.MustCompile(`\{[^{}]*\|[^{}]*\}`)
	repair   = regexp.MustCompile(`(?s)\*Repair(?: by (OTLP|scrape))?\*:\s+(.+?\.)(?:\s|$)`)
	cited    = regexp.MustCompile(`\s*\(\[[^]]+\]\((?:https?:|#)[^)]+\)\)`) // a link alone, in brackets
)

// Diagnosis is what is known of one cause.
type Diagnosis struct {
	Cause string // as findings name it: "lost-on-exit"
	Group string // the heading it stands under: "Too few are counted"
	// Title says in a few words what it is, for [Diagnosis.Titled]: "{who} {has|have} too many series".
	Title string
	// Repair is what to do about it, in a sentence; empty where nothing is to be repaired.
	Repair string
	// repairs are what to do where the counts came by another way than StatsD, by that way; what has none is repaired alike.
	repairs map[string]string
	// Text begins with the title; then it is how it looks, what it is confused with and how to
	// repair it, as plain text; then, after empty lines, what it refers to, tables included.
	Text string
	// Markdown is the same as it was written, for a page: links into the documentation,
	// which a page has not, are their texts alone.
	Markdown string
}

// Titled is the title for instances that are called who, one or several of them.
func (d Diagnosis) Titled(who string, several bool) string {
	title := strings.ReplaceAll(d.Title, "{who}", who)
	return numbered.ReplaceAllStringFunc(title, func(choice string) string {
		one, many, _ := strings.Cut(strings.Trim(choice, "{}"), "|")
		if several {
			return many
		}
		return one
	})
}

// RepairBy is what to do about it where the counts came by a way in: "otlp", "scrape", or any other for StatsD.
func (d Diagnosis) RepairBy(way string) string {
	if own := d.repairs[way]; own != "" {
		return own
	}
	return d.Repair
}

// Diagnoses are those of all causes, in the order of DIAGNOSES.md. The caller
// must not change them.
func Diagnoses() []Diagnosis { return diagnoses() }

var diagnoses = sync.OnceValue(func() []Diagnosis {
	var found []Diagnosis
	shared, sources := map[string]string{}, map[string]string{} // by anchor
	group := ""
	for _, s := range sections(diagnosesPage) {
		switch s.level {
		case 2:
			group = s.title
		case 3:
			found = append(found, newDiagnosis(s, group))
		case 4:
			shared[anchor(s.title)] = s.title + "\n" + plain(s.body)
			sources[anchor(s.title)] = "#### " + s.title + "\n\n" + s.body
		}
	}
	for i := range found {
		d := &found[i]
		d.Markdown = withShared(d.Text, sources)
		text := plain(d.Text)
		for _, link := range internal.FindAllStringSubmatch(d.Text, -1) {
			if more := shared[link[2]]; more != "" {
				text += "\n\n" + more
			}
		}
		d.Text = text
	}
	return found
})

// withShared is the source of a section with the sections that it refers to below it.
func withShared(source string, sections map[string]string) string {
	out := source
	for _, link := range internal.FindAllStringSubmatch(source, -1) {
		if more := sections[link[2]]; more != "" && !strings.Contains(out, more) {
			out += "\n\n" + more
		}
	}
	return internal.ReplaceAllString(out, "$1")
}

// newDiagnosis reads a section, whose text has its markup still.
func newDiagnosis(s section, group string) Diagnosis {
	d := Diagnosis{Cause: s.title, Group: group, Text: s.body}
	if m := titled.FindStringSubmatch(s.body); m != nil {
		d.Title = strings.Join(strings.Fields(m[1]), " ")
		d.Text = upperFirst(d.Titled("an instance", false)) + ". " + s.body[len(m[0]):]
	}
	d.repairs = map[string]string{}
	for _, m := range repair.FindAllStringSubmatch(s.body, -1) {
		text := anyLink.ReplaceAllString(cited.ReplaceAllString(m[2], ""), "$1")
		text = upperFirst(strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "")), " "))
		if way := strings.ToLower(m[1]); way != "" {
			d.repairs[way] = text
		} else {
			d.Repair = text
		}
	}
	return d
}

// upperFirst begins a sentence.
func upperFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// Find is the diagnosis of a cause.
func Find(cause string) (Diagnosis, bool) {
	for _, d := range Diagnoses() {
		if d.Cause == cause {
			return d, true
		}
	}
	return Diagnosis{}, false
}

// anchor is what a link to a heading says after its #.
func anchor(title string) string { return strings.ReplaceAll(strings.ToLower(title), " ", "-") }

// plain takes the markup out of what is to be read as it is.
func plain(markdown string) string {
	s := internal.ReplaceAllString(markdown, "$1 (below)")
	s = external.ReplaceAllString(s, "$1 ($2)")
	return strings.NewReplacer("*", "", "`", "").Replace(s)
}
