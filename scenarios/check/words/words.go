// Package words writes numbers, times and lists of names the way findings do, and puts
// findings into the order in which they are told. It knows nothing of what they are
// about. The judge and its rooms call it, and scenarios/report.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Seconds writes an offset or a length as people say it: "14.9 s".
func Seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// Number writes 4321 as "4,321".
func Number[T int64 | uint64 | int](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	if n > 0 && int64(n) < 0 { // a uint64 above the range of int64
		digits = strconv.FormatUint(uint64(n), 10)
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Times writes "1 insert" and "41 inserts"; a route whose name is no plain word becomes
// "41 insert-v2 requests".
func Times[T int64 | uint64 | int](n T, noun string) string {
	if strings.ContainsFunc(noun, func(r rune) bool { return !unicode.IsLetter(r) && r != ' ' }) {
		noun += " request"
	}
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// Plural is for nouns that are their own plural: "1,200 series".
func Plural(n int64, noun string) string { return Number(n) + " " + noun }

// MostNames is how many names a list has at most.
const MostNames = 5

// Some lists the first few of many names: "web-1, web-2, web-3, web-4, web-5, … (9 in all)".
func Some(names []string) string {
	if len(names) <= MostNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(names[:MostNames], ", "), len(names))
}

// Printable replaces what would move the cursor, color the terminal or break a line:
// names come from applications and files that nobody has checked.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
}
