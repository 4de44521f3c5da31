package script

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"throughline/spelling"
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

// didYouMean ends a sentence about an unknown word: with the nearest known word if there is one, else with all of them.
func didYouMean(word string, known []string) string {
	if near := spelling.Nearest(word, known); near != "" {
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
