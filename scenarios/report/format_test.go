package report

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{signed(5), "+5"}, {signed(-5), "-5"}, {signed(0), "0"},
		{seconds(14.96), "15.0 s"}, {seconds(-0.26), "-0.3 s"}, {seconds(-0.01), "0.0 s"}, {seconds(4321), "4,321.0 s"}, {seconds(math.NaN()), "–"},
		{span(0, 0), "whole run"}, {span(14.2, 14.9), "14.2–14.9 s"}, {span(3, 3.01), "at 3.0 s"}, {span(0, 4), "0.0–4.0 s"},
		{latency(0), "0 ms"}, {latency(890 * time.Microsecond), "890 µs"}, {latency(1234 * time.Microsecond), "1.2 ms"},
		{latency(9960 * time.Microsecond), "10 ms"}, {latency(75 * time.Second), "75 s"},
		{truncate("abcdef", 4), "abc…"}, {truncate("abcd", 4), "abcd"}, {truncate("äöü", 3), "äöü"}, {truncate("abc", 0), ""},
		{printable("a\tb\x1bc\xff"), "a b\uFFFDc\uFFFD"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"one two three four", []string{"one two", "three four"}},
		{"abcdefghijklm", []string{"abcdefghij", "klm"}},
		{"a abcdefghijklm z", []string{"a", "abcdefghij", "klm z"}},
		{"  ten  chars  ", []string{"ten chars"}},
	} {
		got := wrap(c.text, 10)
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}
