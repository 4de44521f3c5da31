package grid

import (
	"strings"
	"testing"
	"time"
)

func TestGrid(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse("15:04:05.999", s)
		if err != nil {
			t.Fatal(err)
		}
		return v.AddDate(2013, 10, 13)
	}
	for _, tt := range []struct {
		interval        time.Duration
		made, now, want string
	}{
		{time.Second, "09:00:00.25", "09:00:00.25", "09:00:01"},
		{time.Second, "09:00:00.25", "09:00:01", "09:00:02"},
		{time.Second, "09:00:00", "09:00:00", "09:00:01"},
		{time.Second, "09:00:05.5", "09:00:01.5", "09:00:02"},
		{time.Second, "09:00:05.5", "09:00:03", "09:00:04"},
		{10 * time.Second, "09:00:07", "09:00:07", "09:00:10"},
		{250 * time.Millisecond, "09:00:07.1", "09:00:09.8", "09:00:10"},
	} {
		g := New(at(tt.made), tt.interval)
		if got := g.After(at(tt.now)); !got.Equal(at(tt.want)) {
			t.Errorf("every %v, made at %s: after %s comes %v, want %s", tt.interval, tt.made, tt.now, got, tt.want)
		}
	}
	now := time.Now()
	g := New(now, time.Second)
	if g.Astray(now.Add(time.Hour)) {
		t.Error("an hour later on both clocks the grid is said to be astray")
	}
	if !strings.Contains(g.origin.String(), "m=") {
		t.Error("the grid lost the monotonic clock")
	}
}
