package words

import (
	"math"
	"testing"
)

func TestNumbersAsPeopleWriteThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -4321: "-4,321", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := Number(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got, want := Number(uint64(math.MaxUint64)), "18,446,744,073,709,551,615"; got != want {
		t.Errorf("the greatest number: %s, want %s", got, want)
	}
	for _, c := range []struct {
		n    int64
		noun string
		want string
	}{{1, "insert", "1 insert"}, {0, "cell", "0 cells"}, {1200, "cell", "1,200 cells"}, {2, "insert", "2 inserts"}, {3, "insert-v2", "3 insert-v2 requests"}} {
		if got := Times(c.n, c.noun); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestLongListsAreCut(t *testing.T) {
	for want, names := range map[string][]string{
		"":                            nil,
		"a, b, c, d, e":               {"a", "b", "c", "d", "e"},
		"a, b, c, d, e, … (6 in all)": {"a", "b", "c", "d", "e", "f"},
	} {
		if got := Some(names); got != want {
			t.Errorf("%q: %q", names, got)
		}
	}
}
