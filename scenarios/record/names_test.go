package record

import (
	"slices"
	"strings"
	"testing"
)

func TestNamesAsPeopleOrderThem(t *testing.T) {
	for _, want := range [][]string{
		{"", "db", "web-1", "web-2", "web-10"},
		{"api-3", "web", "web-1", "web-2", "web-09", "web-10"},
		{"9", "10", "a", "a2", "a10", "b1"},
		{"web-1", "web-02", "web-3", "web-010", "web-11"},                                  // not by length
		{"web-2", "web-02", "web-002"},                                                     // one number, and yet one order
		{"web-9223372036854775807", "web-9223372036854775808", "web-18446744073709551616"}, // beyond what an integer holds
		{"web-", "web-0", "web-00", "web-1"},
		{"web", "web-1", "web-1a"},
	} {
		backwards := slices.Clone(want)
		slices.Reverse(backwards)
		slices.SortFunc(backwards, CompareNames)
		if got := strings.Join(backwards, " "); got != strings.Join(want, " ") {
			t.Errorf("%q, want %q", got, strings.Join(want, " "))
		}
	}
	if CompareNames("web-2", "web-2") != 0 {
		t.Error("a name is not equal to itself")
	}
}
