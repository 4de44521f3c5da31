package draw

import (
	"fmt"
	"unicode/utf8"
)

// What is known of the places that drawings come to, in pixels. Text that has room in the
// wide one alone is of the class wide-only.
const (
	widePlace   = 1060
	narrowPlace = 320
	perRune     = 6.7 // of text of 12 pixels, at most on average
)

func widthOf(s string) float64 { return perRune * float64(utf8.RuneCountInString(s)) }

// fitting gives the class of a text that has a share of the width: "" where it fits on a
// phone as well; ok is false where it fits nowhere.
func fitting(label string, share float64) (class string, ok bool) {
	w := widthOf(label) + 8
	switch {
	case w <= share*narrowPlace:
		return "", true
	case w <= share*widePlace:
		return " wide-only", true
	}
	return "", false
}

// gridLines draws the lines of a vertical axis, within a plot.
func (b *sheet) gridLines(s scale) {
	b.f(`<path class="grid" fill="none" stroke="%s" vector-effect="non-scaling-stroke" d="`, grid)
	for _, t := range s.ticks() {
		b.f("M0 %sH%d", coord(s.y(t)), wide)
	}
	b.f(`"/>`)
}

// gridTexts writes the values of a vertical axis above their lines; the unit stands at
// the highest.
func (b *sheet) gridTexts(s scale, top int, unit string) {
	ticks := s.ticks()
	for i, t := range ticks {
		if t == 0 && !s.log && len(ticks) > 1 {
			continue
		}
		label := amount(t)
		if i == len(ticks)-1 {
			label += unit
		}
		b.f(`<text class="axis halo" x="0" y="%s" fill="%s" font-size="11">%s</text>`, coord(float64(top)+max(s.y(t)-3, 9)), soft, text(label))
	}
}

// timeAxis writes the moments under a plot, at most some of them.
func (v View) timeAxis(b *sheet, y, most int) {
	step := timeStep(v.to-v.from, most)
	b.f(`<g class="times" data-y="%d">`, y)
	for k := 0; ; k++ {
		t := (float64(int(v.from/step)) + float64(k)) * step
		if t > v.to {
			break
		}
		if t < v.from {
			continue
		}
		class, anchor := "axis", "middle"
		if k%2 == 1 && most > 5 { // a small drawing is no smaller on a phone
			class += " wide-only"
		}
		share := v.share(t)
		if share < 0.02 {
			anchor = "start"
		} else if share > 0.97 {
			anchor = "end"
		}
		b.f(`<text class="%s" data-t="%s" x="%s" y="%d" text-anchor="%s" fill="%s" font-size="11">%s</text>`, class, seconds(t), v.percent(t), y, anchor, soft, clock(t, step))
	}
	b.f(`</g>`)
}

// seconds writes a moment for a script to read.
func seconds(t float64) string { return fmt.Sprintf("%.3f", t) }

// flagLines draws the flags' lines over a plot from y to y.
func (v View) flagLines(b *sheet, from, to int) {
	for _, f := range v.flags {
		b.f(`<line class="flag %s" data-t="%s" x1="%[3]s" x2="%[3]s" y1="%d" y2="%d" stroke="%s" stroke-dasharray="3 3"/>`,
			f.Kind, seconds(f.At), v.percent(f.At), from, to, flagColor(f.Kind))
	}
}

func flagColor(kind string) string {
	switch kind {
	case "begin":
		return "#14733b"
	case "fault", "trouble":
		return "#a8340b"
	}
	return "#6b33a3"
}

// The rows of flags' labels: how many there are at most, and how high one is.
const (
	flagRows = 3
	flagRow  = 15
)

// flagLabel is where the label of a flag is; in a narrow place it is its sign alone.
type flagLabel struct {
	Flag
	row, narrowRow int // below 0: there is no room
	anchor         string
	dx             int
}

// placeFlags puts the flags' labels into rows, as many as have room. crowded: some have
// none, and are in the list below the drawing alone.
func (v View) placeFlags() (labels []flagLabel, rows int, crowded bool) {
	var ends, narrow [flagRows]float64 // of each row, in pixels
	for _, f := range v.flags {
		x := v.share(f.At) * widePlace
		w := widthOf(f.Sign+" "+f.Label)*1.06 + 10
		l := flagLabel{Flag: f, anchor: "start", dx: 4}
		if x+w > widePlace {
			x, l.anchor, l.dx = x-w, "end", -4
		}
		l.row = freeRow(&ends, x, w)
		l.narrowRow = freeRow(&narrow, v.share(f.At)*narrowPlace, signWidth)
		rows = max(rows, l.row+1, l.narrowRow+1)
		crowded = crowded || l.row < 0
		labels = append(labels, l)
	}
	return labels, max(rows, 1), crowded
}

// signWidth is the room that a sign takes, in pixels.
const signWidth = 18

// freeRow finds a row that has room at x, and takes it; below 0: there is none.
func freeRow(ends *[flagRows]float64, x, width float64) int {
	for row := range ends {
		if ends[row] <= max(x, 0) {
			ends[row] = x + width
			return row
		}
	}
	return -1
}

// flagTexts writes the flags' labels above a plot.
func (v View) flagTexts(b *sheet, labels []flagLabel) {
	for _, l := range labels {
		place := fmt.Sprintf(`%s" data-t="%s" x="%s" text-anchor="%s" font-weight="600" fill="%s"`, l.Kind, seconds(l.At), v.percent(l.At), l.anchor, flagColor(l.Kind))
		if l.row >= 0 {
			b.f(`<text class="flag wide-only %s dx="%d" y="%d">%s</text>`, place, l.dx, 12+flagRow*l.row, text(l.Sign+" "+l.Label))
		}
		if l.narrowRow >= 0 {
			b.f(`<text class="flag narrow-only %s dx="%d" y="%d" display="none">%s</text>`, place, l.dx/2, 12+flagRow*l.narrowRow, text(l.Sign))
		}
	}
}

func clockExact(t float64) string { return fmt.Sprintf("%.1f s", t) }
