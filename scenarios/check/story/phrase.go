package story

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// mostNamed is how many instances are called by their names.
const mostNamed = 4

// list joins words as people say them: "a, b and c".
func list(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// instancesOf are the instances of some findings, each once, in the order of their names.
func (t *teller) instancesOf(findings []int) []string {
	var names []string
	for _, i := range findings {
		if name := t.v.Findings[i].Instance; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, record.CompareNames)
	return names
}

// group calls some instances: "web-1 and web-2", "all 6 instances", "5 of 9 instances".
func (t *teller) group(names []string) string {
	switch n := len(names); {
	case n <= mostNamed:
		return list(names)
	case n >= len(t.lives):
		return fmt.Sprintf("all %d instances", n)
	default:
		return fmt.Sprintf("%d of %d instances", n, len(t.lives))
	}
}

// who calls whoever some findings are about, and tells whether that is several.
func (t *teller) who(findings []int) (who string, several bool) {
	if names := t.instancesOf(findings); len(names) > 0 {
		return t.group(names), len(names) > 1
	}
	switch t.v.Findings[findings[0]].Layer {
	case record.LayerLB:
		return "the load balancer", false
	case record.LayerDB:
		return "the database", false
	case record.LayerUsers:
		return "the users", true
	}
	return "the application", false
}

// capital begins a sentence, unless that begins with a name, of an instance or a metric.
func capital(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if !plainWord.MatchString(s) || slices.Contains(layers, first) {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// layers are names too.
var layers = []string{record.LayerLB, record.LayerWeb, record.LayerDB}

// midway goes on with what would else begin a sentence, unless that begins with a name.
func midway(s string) string {
	if !plainWord.MatchString(strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):]) {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// plainWord finds a word at the beginning that is no name.
var plainWord = regexp.MustCompile(`^[a-z][a-z']*(?:[ ,:;]|\.$|$)`)

// asSentence makes one of a clause.
func asSentence(clause string) string {
	return capital(strings.TrimRight(clause, ".")) + "."
}

// percent writes a share of a whole: "8.7 %".
func percent(part, whole int64) string {
	share := 100 * float64(part) / float64(whole)
	switch {
	case share < 0.05:
		return "under 0.1 %"
	case share >= 100 && part != whole:
		return words.Number(int64(share+0.5)) + " %"
	case share > 99.9 && part < whole:
		return "over 99.9 %"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", share), ".0") + " %"
}

// seconds writes a time of a finding.
func seconds(s float64) string { return words.Seconds(time.Duration(s * float64(time.Second))) }

// stretch writes from when to when: "between 8.4 s and 13.8 s", "at 5.4 s".
func stretch(from, to float64) string {
	if seconds(from) == seconds(to) {
		return "at " + seconds(from)
	}
	return "between " + seconds(from) + " and " + seconds(to)
}

// was is for how many there are.
func was(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// sums adds up what findings say is lost and too much.
func (t *teller) sums(findings []int) (lost, extra int64) {
	for _, i := range findings {
		lost += t.v.Findings[i].Lost
		extra += t.v.Findings[i].Extra
	}
	return lost, extra
}

// withoutAsides leaves out what stands in brackets, where that is long.
func withoutAsides(s string) string {
	var out, aside strings.Builder
	depth := 0
	for _, r := range s {
		if r == '(' {
			depth++
		}
		if depth == 0 {
			out.WriteRune(r)
			continue
		}
		aside.WriteRune(r)
		if r == ')' {
			if depth--; depth == 0 {
				if utf8.RuneCountInString(aside.String()) <= longAside {
					out.WriteString(aside.String())
				}
				aside.Reset()
			}
		}
	}
	out.WriteString(aside.String())
	return strings.TrimSpace(strings.NewReplacer("  ", " ", " ,", ",", " :", ":", " ;", ";").Replace(out.String()))
}

// longAside is how long a text in brackets may be in a sentence.
const longAside = 50
