package draw

import (
	"fmt"
	"unicode/utf8"
)

// What is known of the places that drawings come to: how wide each is at least, in pixels.
// A text that has no room in all of them has the class of those in which it is shown; one
// that is shown in a small place alone is hidden where there is no style sheet.
const (
	widePlace   = 1000
	midPlace    = 600
	narrowPlace = 280
	perRune     = 6.9 // of text of 12 pixels, at most on average
)

func widthOf(s string) float64 { return perRune * float64(utf8.RuneCountInString(s)) }

// fitting gives the class of a text that has a share of the width; ok is false where it
// fits nowhere.
func fitting(label string, share float64) (class string, ok bool) {
	w := widthOf(label) + 8
	switch {
	case w <= share*narrowPlace:
		return "", true
	case w <= share*midPlace:
		return " mid-up", true
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

// gridTexts writes the values of a vertical axis above their lines, where a page's style
// does not put them beside; the unit stands at the highest.
func (b *sheet) gridTexts(s scale, top int, unit string) {
	ticks := s.ticks()
	for i, t := range ticks {
		label := amount(t)
		if i == len(ticks)-1 {
			label += unit
		}
		b.f(`<text class="axis y" x="0" y="%s" fill="%s" font-size="11" %s>%s</text>`, coord(float64(top)+s.y(t)-3), soft, halo, text(label))
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
			class += " mid-up"
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

// mostFlags is how many flags have lines over a plot, and labels: more would hide what is
// under them.
const mostFlags = 30

// flagLines draws the flags' lines over a plot from y to y; so many that they would hide
// it are marks at its upper edge.
func (v View) flagLines(b *sheet, from, to int) {
	if len(v.flags) > mostFlags {
		to = min(to, from+7)
	}
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
	wide, mid, narrow labelPlace
}

// labelPlace is where a label is in places of one width.
type labelPlace struct {
	row    int // below 0: there is no room
	anchor string
	dx     int
}

// placeFlags puts the flags' labels into rows, as many as have room. crowded: some have
// none, and are in the list below the drawing alone.
func (v View) placeFlags() (labels []flagLabel, rows int, crowded bool) {
	if len(v.flags) > mostFlags {
		return nil, 0, true
	}
	var wide, mid, narrow [flagRows]float64 // where each row ends, in pixels
	for _, f := range v.flags {
		label := widthOf(f.Sign+" "+f.Label)*1.06 + 10
		l := flagLabel{Flag: f, wide: v.freeRow(&wide, f, label, widePlace), mid: v.freeRow(&mid, f, label, midPlace), narrow: v.freeRow(&narrow, f, signWidth, narrowPlace)}
		rows = max(rows, l.wide.row+1, l.mid.row+1, l.narrow.row+1)
		crowded = crowded || l.mid.row < 0
		labels = append(labels, l)
	}
	return labels, max(rows, 1), crowded
}

// signWidth is the room that a sign takes, in pixels.
const signWidth = 18

// freeRow finds a row that has room for a label, and takes it.
func (v View) freeRow(ends *[flagRows]float64, f Flag, width, place float64) labelPlace {
	p := labelPlace{row: -1, anchor: "start", dx: 4}
	x := v.share(f.At) * place
	if x+width > place {
		x, p.anchor, p.dx = x-width, "end", -4
	}
	for row := range ends {
		if ends[row] <= max(x, 0) {
			ends[row], p.row = x+width, row
			break
		}
	}
	return p
}

// flagTexts writes the flags' labels above a plot.
func (v View) flagTexts(b *sheet, labels []flagLabel) {
	write := func(l flagLabel, p labelPlace, class, word string) {
		if p.row >= 0 {
			b.f(`<text class="flag %s %s" data-t="%s" x="%s" dx="%d" y="%d" text-anchor="%s" font-weight="600" fill="%s"%s>%s</text>`,
				class, l.Kind, seconds(l.At), v.percent(l.At), p.dx, 12+flagRow*p.row, p.anchor, flagColor(l.Kind), hidden(class), text(word))
		}
	}
	for _, l := range labels {
		label := l.Sign + " " + l.Label
		if l.wide == l.mid {
			write(l, l.mid, "mid-up", label)
		} else {
			write(l, l.wide, "wide-only", label)
			write(l, l.mid, "mid-only", label)
		}
		write(l, l.narrow, "narrow-only", l.Sign)
	}
}

// hidden is the attribute of what is shown in a place of one width, and not in a wide one.
func hidden(class string) string {
	if class == "mid-only" || class == "narrow-only" {
		return ` display="none"`
	}
	return ""
}

func clockExact(t float64) string { return fmt.Sprintf("%.1f s", t) }
