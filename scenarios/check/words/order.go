package words

import (
	"cmp"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// CompareFindings gives the order in which the findings of one check are told: by
// instance, then by time.
func CompareFindings(a, b verdict.Finding) int {
	return cmp.Or(record.CompareNames(a.Instance, b.Instance), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), strings.Compare(a.Summary, b.Summary))
}
