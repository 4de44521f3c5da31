package verdict

import (
	"cmp"
	"strings"
)

// CompareNames sorts web-2 before web-10.
func CompareNames(a, b string) int {
	stemA, numA := splitNumber(a)
	stemB, numB := splitNumber(b)
	return cmp.Or(strings.Compare(stemA, stemB), cmp.Compare(len(numA), len(numB)), strings.Compare(numA, numB))
}

func splitNumber(s string) (stem, number string) {
	stem = strings.TrimRight(s, "0123456789")
	return stem, strings.TrimLeft(s[len(stem):], "0")
}

// CompareFindings sorts the findings of one check by instance and time.
func CompareFindings(a, b Finding) int {
	return cmp.Or(CompareNames(a.Instance, b.Instance), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), strings.Compare(a.Summary, b.Summary))
}
