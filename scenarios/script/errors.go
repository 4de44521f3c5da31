package script

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Pos is a place in a scenario file. Lines and columns count from 1, columns in characters.
type Pos struct {
	File         string
	Line, Column int
}

// String gives file:line:column, which editors and terminals make clickable.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Error is one thing that is wrong in a file.
type Error struct {
	Pos     Pos
	Message string // what is wrong and what was expected, on one line
}

// Error gives file:line:column: message.
func (e Error) Error() string { return e.Pos.String() + ": " + e.Message }

// Errors is everything that is wrong in a file, in the file's order.
type Errors []Error

// Error gives one error per line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single errors.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, err := range e {
		list[i] = err
	}
	return list
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
}

// longest is how much of the user's own text an error repeats, in characters.
const longest = 60

// quote repeats what the user wrote, on one line and not too long.
func quote(s string) string { return fmt.Sprintf("%q", shorten(s)) }

func shorten(s string) string {
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest]) + "…"
}

// Nearest gives the word of known that was probably meant by word, or "" if none is near. A word is near when at most a
// third of its letters (and at least one) is wrong, missing, too many or swapped with its neighbour; case does not count.
func Nearest(word string, known []string) string {
	best, least := "", 0
	for _, k := range known {
		if abs(len(k)-len(word)) > longest || len(word) > 2*longest {
			continue
		}
		d := distance([]rune(strings.ToLower(word)), []rune(strings.ToLower(k)))
		if d <= max(1, utf8.RuneCountInString(k)/3) && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// distance is the optimal string alignment distance: edits, with a swap of neighbours counted as one.
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

// didYouMean ends a sentence about an unknown word: with the nearest known word if there is one, else with all of them.
func didYouMean(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q? (known: %s)", near, list(known))
	}
	return "want one of " + list(known)
}

// mostListed is how many names an error lists at most.
const mostListed = 12

func list(names []string) string {
	if len(names) <= mostListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(names[:mostListed], ", "), len(names))
}
