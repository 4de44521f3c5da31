package draw

import (
	"math"
	"strconv"

	"throughline/scenarios/picture"
)

// Table is the numbers behind a drawing, for who cannot see it, and for a script that
// tells those at the pointer.
type Table struct {
	Heads []string // of the columns after the first, which is the time
	Rows  []Row
	Each  float64 // how long a row is, in seconds
}

// Row are the numbers of one bin, or of some that follow on each other.
type Row struct {
	At    string // their end, in seconds
	Cells []string
}

// mostRows is how many rows the table of the slide has at most, which has a column for
// each area; where there are more bins, a row has those of several.
const mostRows = 200

// SlideNumbers are those of the slide and of what is owed.
func (v View) SlideNumbers() Table {
	each := (v.s.Whole + mostRows - 1) / mostRows
	t := Table{Heads: []string{"acknowledged", "counted", "owed"}, Each: float64(each) * v.s.Axis.Width.Seconds()}
	for _, s := range v.stacked {
		t.Heads = append(t.Heads, v.stackName(s))
	}
	tops := v.tops()
	for from := 0; from < v.s.Whole; from += each {
		to := min(from+each, v.s.Whole)
		acked, counted := picture.Total(v.s.Acked[from:to]), picture.Total(tops[len(tops)-1][from:to])
		if acked == 0 && counted == 0 && v.owed[to-1] == 0 {
			continue
		}
		row := Row{At: v.end(to - 1), Cells: []string{amount(acked), amount(math.Round(counted)), amount(v.owed[to-1])}}
		for _, s := range v.stacked {
			row.Cells = append(row.Cells, amount(math.Round(picture.Total(s.counted[from:to]))))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// LayerNumbers are those of a layer.
func (v View) LayerNumbers(l picture.Layer) Table {
	t := Table{Each: v.s.Axis.Width.Seconds()}
	for _, line := range l.Lines {
		t.Heads = append(t.Heads, line.Name)
	}
	for b := range v.s.Whole {
		row := Row{At: v.end(b)}
		any := false
		for _, line := range l.Lines {
			any = any || line.Values[b] > 0
			row.Cells = append(row.Cells, amount(line.Values[b]))
		}
		if any {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// end is where a bin ends.
func (v View) end(bin int) string {
	return strconv.FormatFloat(math.Round(v.s.Axis.Until(bin).Seconds()*10)/10, 'f', 1, 64)
}

// Flags are what was done to the stack, and what happened to it. crowded: there are so
// many that not all are labelled in the drawing.
func (v View) Flags() (flags []Flag, crowded bool) {
	_, _, crowded = v.placeFlags()
	return v.flags, crowded
}
