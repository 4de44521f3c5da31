package record

import (
	"cmp"
	"strings"
)

// CompareNames orders names with numbers at their ends as people count: web-2 before
// web-10. A number may have any length, zeros before it do not count, and none at all is
// less than any. Only equal names are equal, so that a list sorted by it has one order.
func CompareNames(a, b string) int {
	stemA, numberA := splitNumber(a)
	stemB, numberB := splitNumber(b)
	return cmp.Or(strings.Compare(stemA, stemB), cmp.Compare(len(numberA), len(numberB)), strings.Compare(numberA, numberB),
		cmp.Compare(len(a), len(b)))
}

// splitNumber gives the number at the end of a name without the zeros before it, and
// what is before.
func splitNumber(s string) (stem, number string) {
	stem = strings.TrimRight(s, "0123456789")
	return stem, strings.TrimLeft(s[len(stem):], "0")
}
