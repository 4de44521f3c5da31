package statsd

import (
	"fmt"
	"strings"
)

// junkShown is how much of a bad line is shown, in bytes.
const junkShown = 200

// String shows the beginning of the line, why it is junk and who sent it.
func (j Junk) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %q", j.Reason, j.Line[:min(junkShown, len(j.Line))])
	if len(j.Line) > junkShown {
		fmt.Fprintf(&b, "… (%d bytes)", len(j.Line))
	}
	switch {
	case j.Instance != "":
		fmt.Fprintf(&b, " from %s", j.Instance)
	case j.From.IsValid():
		fmt.Fprintf(&b, " from %s", j.From)
	}
	if j.Suppressed > 0 {
		fmt.Fprintf(&b, "; %d more like it not shown", j.Suppressed)
	}
	return b.String()
}

// String says in one line what was found, where, and in how many lines.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.Kind, f.Metric)
	if f.Kind == TagsInName {
		fmt.Fprintf(&b, " has tags in its name that became part of it; --tags %s understands them", f.Other)
		f.Other = ""
	}
	for _, part := range []struct{ word, text string }{{"and", f.Other}, {"tag", f.Tag}, {"instance", f.Instance}} {
		if part.text != "" {
			fmt.Fprintf(&b, ", %s %s", part.word, part.text)
		}
	}
	lines := "lines"
	if f.Lines == 1 {
		lines = "line"
	}
	fmt.Fprintf(&b, " (%d %s)", f.Lines, lines)
	return b.String()
}
