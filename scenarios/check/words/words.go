// Package words writes numbers, times and lists of names the way findings do, and puts
// findings into the order in which they are told. It knows nothing of what they are
// about. The judge and its rooms call it.
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
func Number(n int64) string {
	if n < 0 {
		return "-" + Number(-n)
	}
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Times writes "1 insert" and "41 inserts"; a route whose name is no plain word becomes
// "41 insert-v2 requests".
func Times(n int64, noun string) string {
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
