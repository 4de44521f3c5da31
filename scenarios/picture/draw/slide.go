package draw

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"

	"throughline/scenarios/check/words"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// mostStacked is how many instances have an area of their own; the others share one.
const mostStacked = 20

// stacked is an area of the slide: what an instance counted, by bin.
type stacked struct {
	name    string // empty: of all that are not told apart
	counted []float64
	late    []bool
	of      int // how many instances it stands for
}

// stack lays what instances counted on each other: those that counted most, in the order
// of their names, and on top all others as one.
func (v View) stack() []stacked {
	var all []stacked
	for _, i := range v.s.Instances {
		if counted, late := i.Spread(); picture.Total(counted) > 0 {
			all = append(all, stacked{i.Name, counted, late, 1})
		}
	}
	if len(all) <= mostStacked {
		return all
	}
	slices.SortStableFunc(all, func(a, b stacked) int {
		return cmp.Or(-cmp.Compare(picture.Total(a.counted), picture.Total(b.counted)), record.CompareNames(a.name, b.name))
	})
	rest := stacked{counted: make([]float64, v.s.Bins), late: make([]bool, v.s.Bins), of: len(all) - mostStacked + 1}
	for _, s := range all[mostStacked-1:] {
		for b, n := range s.counted {
			rest.counted[b] += n
		}
	}
	all = all[:mostStacked-1]
	slices.SortFunc(all, func(a, b stacked) int { return record.CompareNames(a.name, b.name) })
	return append(all, rest)
}

// slideHeight is that of the plot of the slide, in pixels. Above it there are the rows of
// the flags' labels, and below it time and phases.
const slideHeight = 210

// Slide draws what was counted, stacked by instance, under the line of what users had
// acknowledged, with what was done to the stack, and what never came.
func (v View) Slide() template.HTML {
	perSecond := 1 / v.s.Axis.Width.Seconds()
	tops := v.tops()
	never, tooMany := v.never, v.tooMany
	high := 0.0
	for b := range v.s.Whole {
		high = max(high, v.s.Acked[b]*perSecond, (tops[len(tops)-1][b]+never[b])*perSecond)
	}
	axis := linear(0, high, slideHeight)
	y := func(n float64) float64 { return axis.y(n * perSecond) }

	var b sheet
	labels, rows, _ := v.placeFlags()
	slideTop := 8 + flagRow*rows
	slideBottom := slideTop + slideHeight
	v.open(&b, "slide", fmt.Sprintf("Counted by the app, stacked by instance, under what users had acknowledged: %s of %s",
		amount(v.counted()), amount(picture.Total(v.s.Acked))), slideBottom+20+18)
	b.plot(slideTop, slideHeight)
	v.hatchLost(&b, "never")
	b.hatch("many", extra, "#efe4f8")
	b.gridLines(axis)
	for i, s := range v.stacked {
		b.f(`<path data-instance="%s" %s d="%s"><title>%s</title></path>`, text(s.name), v.stackTone(s), v.area(tops[i], tops[i+1], y), text(v.stackName(s)))
	}
	top := tops[len(tops)-1]
	if v.Missing() {
		b.f(`<path class="never" fill="url(#never)" stroke="%s" vector-effect="non-scaling-stroke" d="%s"><title>never counted</title></path>`, v.lostColor(), v.area(top, plus(top, never, 1), y))
	}
	if v.TooMany() {
		b.f(`<path class="many" fill="url(#many)" stroke="%s" vector-effect="non-scaling-stroke" d="%s"><title>counted, and acknowledged to nobody</title></path>`, extra, v.area(plus(top, tooMany, -1), top, y))
	}
	b.f(`<path class="acked" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round" vector-effect="non-scaling-stroke" d="%s"/>`, ink, v.line(v.s.Acked, y))
	b.f(`<path class="base" fill="none" stroke="%s" vector-effect="non-scaling-stroke" d="M0 %dH%d"/></svg>`, soft, slideHeight, wide)
	v.flagLines(&b, 4, slideBottom)
	v.flagTexts(&b, labels)
	b.gridTexts(axis, slideTop, "/s")
	v.stackTexts(&b, slideTop, tops, y)
	v.timeAxis(&b, slideBottom+14, 10)
	v.phaseTexts(&b, slideBottom+32)
	return b.close()
}

// counted is what all instances counted together.
func (v View) counted() (n float64) {
	for _, i := range v.s.Instances {
		n += picture.Total(i.Counted)
	}
	return n
}

// tops are the upper borders of the areas, beginning with the base line.
func (v View) tops() [][]float64 {
	tops := [][]float64{make([]float64, v.s.Bins)}
	for _, s := range v.stacked {
		tops = append(tops, plus(tops[len(tops)-1], s.counted, 1))
	}
	return tops
}

// plus adds times b to a, as far as both go.
func plus(a, b []float64, times float64) []float64 {
	out := make([]float64, len(a))
	copy(out, a)
	for i := range min(len(a), len(b)) {
		out[i] += times * b[i]
	}
	return out
}

// area outlines what is between two lines, where they differ.
func (v View) area(low, high []float64, y func(float64) float64) string {
	var d path
	for b := 0; b < v.s.Whole; {
		if high[b] <= low[b] {
			b++
			continue
		}
		end := b // a stretch of bins that have something, and one before and after it
		for end < v.s.Whole && high[end] > low[end] {
			end++
		}
		from, to := max(0, b-1), min(end, v.s.Whole-1)
		for k := from; k <= to; k++ {
			d.point(v, k, y(high[k]), k == from)
		}
		for k := to; k >= from; k-- {
			d.point(v, k, y(low[k]), false)
		}
		d.b = append(d.b, 'Z')
		b = end
	}
	return string(d.b)
}

// line is a line through the middles of the bins.
func (v View) line(values []float64, y func(float64) float64) string {
	var d path
	for b := range v.s.Whole {
		d.point(v, b, y(values[b]), b == 0)
	}
	return string(d.b)
}

// path is the text of a path in the making.
type path struct{ b []byte }

func (d *path) point(v View, bin int, y float64, first bool) {
	d.to(v.x(v.middle(bin)), coord(y), first)
}

func (d *path) to(x, y string, first bool) {
	if first {
		d.b = append(d.b, 'M')
	} else {
		d.b = append(d.b, 'L')
	}
	d.b = append(append(append(d.b, x...), ' '), y...)
}

// hatch makes a pattern of stripes.
func (b *sheet) hatch(id, stripe, ground string) {
	b.f(`<pattern id="%s" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="ground" width="6" height="6" fill="%s"/><rect class="stripe" width="2" height="6" fill="%s"/></pattern>`,
		id, ground, stripe)
}

// hatchLost makes the pattern of what never came: calm, where that is accounted for.
func (v View) hatchLost(b *sheet, id string) {
	ground := "#fbe4e1"
	if v.explained != "" {
		ground = "#eceef0"
	}
	b.hatch(id, v.lostColor(), ground)
}

func (v View) lostColor() string {
	if v.explained != "" {
		return faint
	}
	return lost
}

func (v View) stackTone(s stacked) string {
	if s.name == "" {
		return fmt.Sprintf(`class="tone rest" fill="%s"`, othersTone)
	}
	return v.tone(s.name)
}

func (v View) stackName(s stacked) string {
	if s.name == "" {
		return fmt.Sprintf("%s others", words.Number(s.of))
	}
	return s.name
}

// stackTexts write the instances' names into their areas, where these have the most room.
func (v View) stackTexts(b *sheet, slideTop int, tops [][]float64, y func(float64) float64) {
	for i, s := range v.stacked {
		label := v.stackName(s)
		room := v.room(tops[i], tops[i+1], y)
		for _, of := range []struct {
			class string
			place float64
		}{{"", narrowPlace}, {" mid-up", midPlace}, {" wide-only", widePlace}} {
			at, middle, ok := v.roomiest(room, widthOf(label)/of.place)
			if !ok {
				continue
			}
			t := v.middle(0) + at*v.s.Axis.Width.Seconds()
			b.f(`<text class="name%s" data-instance="%s" data-t="%s" x="%s" y="%s" text-anchor="middle" font-weight="600" fill="%s">%s</text>`,
				of.class, text(s.name), seconds(t), v.percent(t), coord(float64(slideTop)+middle+4), ink, text(label))
			break
		}
	}
}

// room is what of an area is free of the line of what was acknowledged: from where to
// where, from the top, in each bin.
func (v View) room(low, high []float64, y func(float64) float64) (room [][2]float64) {
	for b := range v.s.Whole {
		top, bottom, line := y(high[b]), y(low[b]), y(v.s.Acked[b])
		switch {
		case line <= top-2 || line >= bottom+2:
		case line-top > bottom-line:
			bottom = line - 2
		default:
			top = line + 2
		}
		room = append(room, [2]float64{top, bottom})
	}
	return room
}

// leastBand is how high the room of a name must be, in pixels.
const leastBand = 13

// roomiest finds where something that takes a share of the width has the most room, in
// bins from the middle of the first, and the middle of that room.
func (v View) roomiest(room [][2]float64, share float64) (at, middle float64, ok bool) {
	half := share * (v.to - v.from) / v.s.Axis.Width.Seconds() / 2
	most := 0.0
	for t := half; t+half <= float64(len(room)-1); t += max(0.25, float64(len(room))/400) {
		top, bottom := between(room, t-half)
		for x := math.Ceil(t - half); ; x++ {
			r0, r1 := between(room, min(x, t+half))
			top, bottom = max(top, r0), min(bottom, r1)
			if x >= t+half {
				break
			}
		}
		if bottom-top > most {
			at, middle, most = t, (top+bottom)/2, bottom-top
		}
	}
	return at, middle, most >= leastBand
}

// between is the room at a place between two bins, whose borders are straight lines.
func between(room [][2]float64, x float64) (top, bottom float64) {
	k := max(0, min(int(x), len(room)-2))
	f := x - float64(k)
	return room[k][0]*(1-f) + room[k+1][0]*f, room[k][1]*(1-f) + room[k+1][1]*f
}

// phaseTexts name the phases below the time axis, each after a mark where it begins.
func (v View) phaseTexts(b *sheet, y int) {
	for _, p := range v.phases {
		class, ok := fitting(p.Label, v.share(p.To)-v.share(p.From))
		b.f(`<line class="phase" data-t="%s" x1="%[2]s" x2="%[2]s" y1="%d" y2="%d" stroke="%s"/>`, seconds(p.From), v.percent(p.From), y-10, y+2, soft)
		if ok {
			b.f(`<text class="phase%s" data-t="%s" x="%s" dx="5" y="%d" fill="%s" font-size="11">%s</text>`, class, seconds(p.From), v.percent(p.From), y, soft, text(p.Label))
		}
	}
}
