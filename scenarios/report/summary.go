package report

import (
	"io"
	"strings"

	"throughline/scenarios/check/verdict"
)

// Result is what came of one of several scenarios.
type Result struct {
	Scenario string
	Verdict  *verdict.Verdict // nil: there is none
	Unrun    string           // why there is none
	Tries    int              // how many runs there were; those before the last one proved nothing
}

// WriteSummary writes a line for each of several scenarios: its outcome, its name and the
// title of its verdict. Of the options it takes color and width.
func WriteSummary(w io.Writer, all []Result, o TextOptions) error {
	t := newText(o)
	t.line("")
	name := 0
	for _, e := range all {
		name = min(max(name, width(printable(e.Scenario))), t.Width/3)
	}
	for _, e := range all {
		word, color, title := "NOT RUN", red, e.Unrun
		if e.Verdict != nil {
			word, color, title = strings.ToUpper(e.Verdict.Outcome.String()), colorOf(e.Verdict.Outcome), titleOf(*e.Verdict)
		}
		title, _, _ = strings.Cut(title, "\n")
		column := width(strings.ToUpper(verdict.Inconclusive.String()))
		room := t.Width - column - name - 4
		t.line(t.paint(color, word) + strings.Repeat(" ", column-width(word)+2) + padRight(truncate(printable(e.Scenario), name), name) + "  " + truncate(printable(title), room))
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}
