// Package spelling finds which of the known words somebody probably meant who wrote one
// that is not known. It knows no words. Who reads scenarios, metrics or a command line
// calls it, for "did you mean".
package spelling

import (
	"strings"
	"unicode/utf8"
)

// longest is how long a word may be, in bytes, for which a near one is looked for; a
// longer one is no typing error.
const longest = 60

// Nearest gives the word of known that was probably meant by word, or "" if none is
// near. A word is near when at most a third of its letters (and at least one) is wrong,
// missing, too many or swapped with its neighbour; case does not count.
func Nearest(word string, known []string) string {
	best, least := "", 0
	for _, k := range known {
		if max(len(k)-len(word), len(word)-len(k)) > longest || len(word) > 2*longest {
			continue
		}
		d := distance([]rune(strings.ToLower(word)), []rune(strings.ToLower(k)))
		if d <= max(1, utf8.RuneCountInString(k)/3) && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: edits, with a swap of neighbours
// counted as one.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			substitution := last[j]
			if a[i] != b[j] {
				substitution++
			}
			row[j+1] = min(substitution, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
