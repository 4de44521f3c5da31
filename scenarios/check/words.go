package check

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// seconds writes an offset or a length as people say it: 14.9 s.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// number writes 4321 as 4,321.
func number(n int64) string {
	if n < 0 {
		return "-" + number(-n)
	}
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// times writes "1 insert" and "41 inserts"; a route whose name is no plain word
// becomes "41 insert-v2 requests".
func times(n int64, noun string) string {
	if strings.ContainsFunc(noun, func(r rune) bool { return !unicode.IsLetter(r) && r != ' ' }) {
		noun += " request"
	}
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// some lists the first few of many names.
func some(names []string) string {
	if len(names) <= mostNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(names[:mostNames], ", "), len(names))
}

// mostNames is how many names a list has at most.
const mostNames = 5
