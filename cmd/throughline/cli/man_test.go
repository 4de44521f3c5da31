package cli

import "testing"

func TestMarkdown(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"words":    {"One *two*\n_three_ <four>", "One \\*two\\*\n\\_three\\_ \\<four\\>\n"},
		"a list":   {"- is standard input\n1. is one", "\\- is standard input\n\\1. is one\n"},
		"as it is": {"Start:\n  a_b   c\n\n  d\nEnd", "Start:\n\n      a_b   c\n    \n      d\n\nEnd\n"},
	} {
		if got := markdown(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
