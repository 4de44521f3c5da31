package statsd

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// Of a thousand findings of one kind a few are shown when they are made.
func TestLogOfManyFindings(t *testing.T) {
	var out strings.Builder
	l := NewLog(&out)
	for i := range 1000 {
		l.Found(Finding{Kind: "type_change", Metric: fmt.Sprint("a", i), Other: "gauge, counter", Lines: 2})
	}
	l.Found(Finding{Kind: "tag_explosion", Metric: "b", Tag: "user", Instance: "web-1", Lines: 1})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 12 || lines[0] != "type_change: a0, and gauge, counter (2 lines)" || !strings.Contains(lines[10], "more") ||
		lines[11] != "tag_explosion: b, tag user, instance web-1 (1 line)" {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
}

// A bad line is shown by its beginning, with its sender as far as that is known.
func TestLogOfJunk(t *testing.T) {
	var out strings.Builder
	l := NewLog(&out)
	l.Junk(Junk{Reason: "value", Line: []byte("a:x|c"), Instance: "web-1", From: netip.MustParseAddr("10.0.0.7"), Suppressed: 3})
	l.Junk(Junk{Reason: "value", Line: []byte(strings.Repeat("x", 300)), From: netip.MustParseAddr("10.0.0.7")})
	want := "value: \"a:x|c\" from web-1; 3 more like it not shown\nvalue: \"" + strings.Repeat("x", 200) + "\"… (300 bytes) from 10.0.0.7\n"
	if out.String() != want {
		t.Errorf("it shows\n%s\nwant\n%s", out.String(), want)
	}
}
