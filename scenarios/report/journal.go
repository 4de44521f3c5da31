package report

import (
	"fmt"
	"strings"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// move is one line of the journal as a person reads it.
type move struct {
	At    string
	What  string
	Where string // the instance or the phase
	About string
	Bad   bool

	Instance string // of which it is; empty: of none
}

// journalMoves are all events of the record in their order.
func journalMoves(h record.History) []move {
	moves := make([]move, 0, len(h.Events))
	for _, e := range h.Events {
		m := move{At: fmt.Sprintf("%.3f s", e.At.Seconds()), What: strings.ReplaceAll(printable(string(e.Kind)), "-", " "), Where: e.Instance, About: eventAbout(e), Instance: printable(e.Instance)}
		if m.Where == "" {
			m.Where = e.Phase
		}
		m.Where = printable(m.Where)
		m.Bad = e.Error != "" || e.Kind == record.Trouble || e.Kind == record.Interrupted || e.Kind == record.Death && !e.Expected
		moves = append(moves, m)
	}
	return moves
}

// eventAbout is what else an event tells.
func eventAbout(e record.Event) string {
	var parts []string
	add := func(format string, of any, there bool) {
		if there {
			parts = append(parts, fmt.Sprintf(format, of))
		}
	}
	add("%s", e.Step, e.Step != "")
	add("%s", e.Fault, e.Fault != "")
	add("%s", e.Signal, e.Signal != "")
	add("exit status %d", e.Code, e.Kind == record.Death && e.Code >= 0)
	add("nobody asked for it%s", "", e.Kind == record.Death && !e.Expected)
	add("to %v CPUs", e.CPUs, e.Kind == record.Limited && e.CPUs > 0)
	add("to be ended at %s", words.Seconds(e.Deadline), e.Deadline != 0)
	add("%s", cloudAbout(e.Cloud), e.Cloud != nil)
	add("no longer%s", "", e.Kind == record.Limited && e.CPUs == 0)
	add("%s", e.About, e.About != "")
	add("%s times", words.Number(e.Count), e.Count != 0)
	add("%s", e.Decision, e.Decision != nil)
	add("%s", e.Error, e.Error != "")
	return printable(strings.Join(parts, ", "))
}

// cloudAbout is what a cloud told an instance of itself.
func cloudAbout(c *record.Cloud) string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s in %s", c.ID, c.Type, c.Zone)
}
