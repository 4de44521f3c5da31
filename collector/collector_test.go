package collector

import (
	"slices"
	"testing"
	"time"
)

func TestLabels(t *testing.T) {
	l := NewLabels("zone", "a", "instance", "web-1", "zone", "b")
	if want := (Labels{{"instance", "web-1"}, {"zone", "b"}}); !slices.Equal(l, want) {
		t.Errorf("%v, want %v", l, want)
	}
	if got := l.With("instance", "web-2"); got.Get("instance") != "web-2" || l.Get("instance") != "web-1" {
		t.Errorf("With gave %v and left %v", got, l)
	}
	if l.Get("role") != "" {
		t.Error("it has a role")
	}
	if one, other := NewLabels("a", "b").Key("x"), NewLabels().Key("xab"); one == other {
		t.Errorf("two series have the key %q", one)
	}
}

// An interval has its beginning and not its end, so a moment on the border is in the
// later one.
func TestIntervalEnd(t *testing.T) {
	at := time.Unix(1384430400, 0)
	for _, c := range []struct {
		interval   time.Duration
		from, want time.Duration // after at
	}{
		{time.Second, 0, time.Second},
		{time.Second, 999 * time.Millisecond, time.Second},
		{0, 1, time.Second}, // the default
		{10 * time.Second, 3 * time.Second, 10 * time.Second},
		{10 * time.Second, 10 * time.Second, 20 * time.Second},
	} {
		in := Intake{Interval: c.interval}.WithDefaults()
		if got := in.IntervalEnd(at.Add(c.from)).Sub(at); got != c.want {
			t.Errorf("of intervals of %v the one at %v ends at %v, want %v", c.interval, c.from, got, c.want)
		}
	}
}
