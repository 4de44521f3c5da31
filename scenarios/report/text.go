package report

import (
	"fmt"
	"io"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// TextOptions say how WriteText writes.
type TextOptions struct {
	Color bool   // with ANSI colors; the meaning never depends on them
	Width int    // of a line in characters, 60 to 200; 0 is taken as 80
	Where string // path of the report or the run directory, to be named at the end; may be empty
	All   bool   // every finding in full, also those that only follow from others
	More  string // the command that writes it with All; may be empty
}

// How many entries of one kind are printed; the rest is counted, and is in
// verdict.json and report.html.
const (
	mostFindings  = 20
	mostInstances = 24
)

// WriteText writes what a person wants to know at the end of a run: what it comes to, in
// a title and a sentence, and the findings that say so; the four ledgers side by side, the
// instances, and what holds. The last lines have the verdict once more, where a terminal
// shows it.
func WriteText(w io.Writer, h record.History, v verdict.Verdict, o TextOptions) error {
	t := newText(o)
	t.heading(h, v)
	t.lead(v)
	t.findings(v)
	tiers := record.AllTiers().In(h)
	t.ledgers(ledgerHeads(tiers, t.narrow()), ledgerRows(tiers, h, v))
	t.roles(roleRows(h, v))
	t.instances(instanceRows(h, v), v)
	t.versions(versionRows(v))
	t.alerts(h, v)
	t.checks(v)
	t.notes(v)
	t.noticed(v)
	t.verdict(v)
	_, err := io.WriteString(w, t.out.String())
	return err
}

func newText(o TextOptions) *text {
	if o.Width == 0 {
		o.Width = usualWidth
	}
	o.Width = min(max(o.Width, leastWidth), mostWidth)
	return &text{TextOptions: o}
}

// text is a report being written.
type text struct {
	TextOptions
	out    strings.Builder
	folded int // findings that are not written
}

// The ANSI colors of the outcomes, and of titles.
const (
	red    = "31;1"
	yellow = "33;1"
	green  = "32"
	bold   = "1"
)

func colorOf(o verdict.Outcome) string {
	switch o {
	case verdict.Pass:
		return green
	case verdict.Fail:
		return red
	}
	return yellow
}

func (t *text) paint(color, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func (t *text) line(s string) { t.out.WriteString(strings.TrimRight(s, " ") + "\n") }

// wrapped writes s with its first line after first and the others after as
// many spaces.
func (t *text) wrapped(first, s string) {
	indent := strings.Repeat(" ", width(first))
	for _, l := range wrap(s, max(20, t.Width-width(first))) {
		t.line(first + l)
		first = indent
	}
}

func (t *text) title(s string) { t.line("\n" + t.paint(bold, s)) }

func (t *text) heading(h record.History, v verdict.Verdict) {
	t.line("")
	t.line(t.paint(bold, truncate(scenarioName(v), t.Width)))
	t.wrapped("  ", printable(runFacts(h, v)))
	if other := otherChecks(v); other != "" {
		t.wrapped("  ", "judged "+other)
	}
	for _, d := range h.Damage {
		t.wrapped("  ", "the record is not whole: "+printable(d))
	}
}

// runFacts says in one line which run this was.
func runFacts(h record.History, v verdict.Verdict) string {
	facts := []string{seconds(v.Seconds), fmt.Sprintf("seed %d", v.Seed)}
	if h.Run.Platform != "" {
		facts = append(facts, "platform "+h.Run.Platform)
	}
	if h.Run.Database != "" {
		facts = append(facts, "database "+h.Run.Database)
	}
	births, deaths := 0, 0
	for _, l := range h.Lifetimes() {
		if !l.Role.Application() {
			continue
		}
		if l.Birth != record.Never {
			births++
		}
		if l.Death != record.Never {
			deaths++
		}
	}
	return strings.Join(append(facts, words.Times(births, "birth"), words.Times(deaths, "death")), " · ")
}

func (t *text) ledgers(heads []string, rows []ledgerRow) {
	t.title("Ledgers")
	least := 11
	if t.narrow() {
		least = 8
	}
	cells := make([]int, len(heads))
	name := t.Width
	for i, c := range heads {
		cells[i] = max(width(c)+2, least)
		for _, r := range rows {
			cells[i] = max(cells[i], width(r.Cells[i])+2)
		}
		name -= cells[i]
	}
	name = min(max(name, 12), 27)
	line := strings.Repeat(" ", name)
	for i, c := range heads {
		line += padLeft(c, cells[i])
	}
	t.line(line)
	for _, r := range rows {
		if r.Head {
			t.wrapped("  ", r.Name)
			continue
		}
		line := "    " + padRight(truncate(r.Name, name-4), name-4)
		for i, c := range r.Cells {
			line += padLeft(c, cells[i])
		}
		t.line(line)
	}
}

// The heads of the table of instances, after the name: numbers, and from when to when
// each lived.
var instanceNumbers = [...]string{"acked", "lb 2xx", "counted", "residual"}

const instanceLife = "lived"

// columns are those of a table whose rows have names before numbers: how wide a name is, how wide a number, and the line
// with the heads of the numbers.
func (t *text) columns(names []string, heads ...string) (name, cell int, line string) {
	name, cell = 8, 11
	for _, n := range names {
		name = min(max(name, width(n)), 24)
	}
	if t.narrow() {
		name, cell = min(name, 10), 9
	}
	line = "  " + padRight("", name)
	for _, head := range heads {
		line += padLeft(head, cell)
	}
	return name, cell, line
}

// narrow tells whether the tables must do with less room than they like.
func (t *text) narrow() bool { return t.Width < usualWidth }

func (t *text) instances(rows []instanceRow, v verdict.Verdict) {
	if len(rows) > 0 {
		t.title("Instances")
		name, cell := 8, 11
		for _, r := range rows {
			name = min(max(name, width(r.Name)), 16)
		}
		if t.narrow() {
			name, cell = min(name, 10), 9
		}
		line := "  " + padRight("", name)
		for _, head := range instanceNumbers {
			line += padLeft(head, cell)
		}
		t.line(line + "  " + instanceLife)
		left := mostInstances
		for _, r := range rows {
			if r.Plain {
				if left--; left < 0 {
					continue
				}
			}
			t.instance(r, name, cell)
		}
		if left < 0 {
			t.line(fmt.Sprintf("  and %s without a residual", words.Times(-left, "more instance")))
		}
		t.wrapped("  ", instanceNote(v))
	}
	for _, b := range unplaced(v) {
		t.wrapped("  booked to no instance ", b)
	}
}

// instanceNote says what the columns of the instances count.
func instanceNote(v verdict.Verdict) string {
	route := printable(v.Ledgers.Users.Route)
	if route == "" {
		return "(lb 2xx is of all routes; residual is counted less acked)"
	}
	return fmt.Sprintf("(acked is of route %s, lb 2xx of all routes; residual is counted less acked)", route)
}

// instance writes a row of the table: a column for the name, four for numbers.
func (t *text) instance(r instanceRow, name, cell int) {
	residual := padLeft(r.Residual, cell)
	if !r.Plain {
		residual = t.paint(yellow, residual)
	}
	head := "  " + padRight(truncate(r.Name, name), name) + padLeft(r.Acked, cell) + padLeft(r.LB, cell) + padLeft(r.Counted, cell)
	behind := width(head) + cell + 2
	for i, l := range wrap(r.Lived, max(12, t.Width-behind)) {
		if i == 0 {
			t.line(head + residual + "  " + l)
			continue
		}
		t.line(strings.Repeat(" ", behind) + l)
	}
	for _, b := range r.Booked {
		t.wrapped("    booked ", b)
	}
}
