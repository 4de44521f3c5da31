package draw

import (
	"cmp"
	"fmt"
	"html/template"
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

// leastBand is how high an area must be for its name to be in it, in pixels.
const leastBand = 15

// stackTexts write the instances' names into their areas, where these are high and long
// enough.
func (v View) stackTexts(b *sheet, slideTop int, tops [][]float64, y func(float64) float64) {
	for i, s := range v.stacked {
		label := v.stackName(s)
		at, share := v.roomiest(tops[i], tops[i+1], y)
		class, ok := fitting(label, share)
		if !ok {
			continue
		}
		middle := (y(tops[i][at]) + y(tops[i+1][at])) / 2
		b.f(`<text class="name%s" data-instance="%s" data-t="%s" x="%s" y="%s" text-anchor="middle" font-weight="600" fill="%s">%s</text>`,
			class, text(s.name), seconds(v.middle(at)), v.percent(v.middle(at)), coord(float64(slideTop)+middle+4), ink, text(label))
	}
}

// roomiest finds the middle of the longest stretch in which a line of text has room
// between two lines, and what share of the width that is.
func (v View) roomiest(low, high []float64, y func(float64) float64) (at int, share float64) {
	longest, begin := 0, 0
	for b := 0; b <= v.s.Whole; b++ {
		if b < v.s.Whole && y(low[b])-y(high[b]) >= leastBand {
			continue
		}
		if b-begin > longest {
			longest, at = b-begin, begin+(b-begin)/2
		}
		begin = b + 1
	}
	return at, float64(longest) * v.s.Axis.Width.Seconds() / (v.to - v.from)
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
