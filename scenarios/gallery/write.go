package gallery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Write writes matrix and figures as text, json or markdown; anything else is text.
func Write(w io.Writer, results []Result, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Results []Result `json:"results"`
			Figures Figures  `json:"figures"`
		}{results, NewFigures(results)})
	case "markdown":
		return WriteMarkdown(w, results)
	}
	return WriteText(w, results)
}

// WriteList lists entries and controls, one in a line: name, fault, what must be said of
// it, and what it is.
func WriteList(w io.Writer, entries []Entry, controls []Control) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(out, "%s\t%s\t%s: %s\t%s\n", e.Name, e.Fault, e.Want.Check, e.Want.Outcome, e.About)
	}
	for _, c := range controls {
		fmt.Fprintf(out, "%s\t-\thealthy: pass\t%s\n", c.Name, c.About)
	}
	return out.Flush()
}

// Line says in one line how a run went.
func (r Result) Line() string {
	took := r.Took.Round(100 * time.Millisecond)
	switch {
	case r.Error != "":
		return fmt.Sprintf("%s: COULD NOT RUN: %s", r.Name, r.Error)
	case !r.Proved:
		return fmt.Sprintf("%s: proves nothing (%v): %s", r.Name, took, r.Said)
	case r.Good() && r.Control:
		return fmt.Sprintf("%s: silent (%v)", r.Name, took)
	case r.Good():
		return fmt.Sprintf("%s: caught by %s: %s (%v)", r.Name, r.By, cmp.Or(r.Named, "no cause"), took)
	case r.Control:
		return fmt.Sprintf("%s: FALSE ALARM: %s; record: %s", r.Name, r.Said, r.Dir)
	}
	return fmt.Sprintf("%s: NOT RIGHT: caught %v, instance %v, amount %v, cause %v (%s): %s; record: %s",
		r.Name, r.Caught, r.Instance, r.Amount, r.Cause, r.Named, r.Said, r.Dir)
}
