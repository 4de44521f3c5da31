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
}

// Row are the numbers of one bin.
type Row struct {
	At    string // the end of the bin, in seconds
	Cells []string
}

// SlideNumbers are those of the slide and of what is owed.
func (v View) SlideNumbers() Table {
	t := Table{Heads: []string{"acknowledged", "counted", "owed"}}
	for _, s := range v.stacked {
		t.Heads = append(t.Heads, v.stackName(s))
	}
	tops, owed := v.tops(), v.s.Owed()
	counted := tops[len(tops)-1]
	for b := range v.s.Whole {
		if v.s.Acked[b] == 0 && counted[b] == 0 && owed[b] == 0 {
			continue
		}
		row := Row{At: v.end(b), Cells: []string{amount(v.s.Acked[b]), amount(counted[b]), amount(owed[b])}}
		for _, s := range v.stacked {
			row.Cells = append(row.Cells, amount(math.Round(s.counted[b])))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// LayerNumbers are those of a layer.
func (v View) LayerNumbers(l picture.Layer) Table {
	var t Table
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
