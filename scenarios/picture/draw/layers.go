package draw

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// The places within the drawing of a layer, in pixels.
const (
	layerTop    = 8
	layerHeight = 96
)

// dashes tell the lines of a layer apart beside their colors.
var dashes = [...]string{"", "5 3", "2 2", "8 3 2 3", "1 3"}

// lineColors are those of a layer's lines on a light page.
var lineColors = [...]string{"#1f5fa8", "#a8340b", "#14733b", "#6b33a3", "#7a5a00"}

// Layer draws the lines of one layer.
func (v View) Layer(l picture.Layer) template.HTML {
	low, high, any := math.Inf(1), 0.0, false
	for _, line := range l.Lines {
		for _, x := range line.Values[:v.s.Whole] {
			if x > 0 {
				low, high, any = min(low, x), max(high, x), true
			}
		}
	}
	var axis scale
	if l.Unit == "ms" && any {
		axis = logarithmic(low, high, layerHeight)
	} else {
		axis = linear(0, high, layerHeight)
	}
	var b sheet
	v.open(&b, "layer", l.Title+", "+l.Unit, layerTop+layerHeight+20)
	b.plot(layerTop, layerHeight)
	b.gridLines(axis)
	for i, line := range l.Lines {
		b.f(`<path class="line l%d" fill="none" stroke="%s" stroke-width="1.6" stroke-dasharray="%s" stroke-linejoin="round" vector-effect="non-scaling-stroke" d="%s"/>`,
			i%len(lineColors), lineColors[i%len(lineColors)], dashes[i%len(dashes)], v.curve(line, axis))
	}
	b.f(`<path class="base" fill="none" stroke="%s" vector-effect="non-scaling-stroke" d="M0 %dH%d"/></svg>`, soft, layerHeight, wide)
	if len(v.flags) <= mostFlags {
		v.flagLines(&b, layerTop, layerTop+layerHeight)
	}
	if l.ID == picture.FleetLayer {
		v.decisions(&b)
	}
	b.gridTexts(axis, layerTop, "")
	v.timeAxis(&b, layerTop+layerHeight+14, 5)
	return b.close()
}

// curve is a line of a layer.
func (v View) curve(l picture.Line, axis scale) string {
	if l.Stair {
		return v.stair(l.Values, axis)
	}
	return v.broken(l.Values, axis)
}

// stair is a line that holds each value for its whole bin.
func (v View) stair(values []float64, axis scale) string {
	var d strings.Builder
	last := math.NaN()
	for b := range v.s.Whole {
		x := values[b]
		if math.IsNaN(x) {
			last = x
			continue
		}
		from, to, y := v.x(v.s.Axis.Until(b-1).Seconds()), v.x(v.s.Axis.Until(b).Seconds()), coord(axis.y(x))
		switch {
		case math.IsNaN(last):
			fmt.Fprintf(&d, "M%s %sH%s", from, y, to)
		case last != x:
			fmt.Fprintf(&d, "V%sH%s", y, to)
		case b+1 >= v.s.Whole || values[b+1] != x:
			fmt.Fprintf(&d, "H%s", to)
		}
		last = x
	}
	return d.String()
}

// mostDecisions are shown one by one.
const mostDecisions = 600

// decisions tell what was decided and why, each where it was: as a tick if it changed something.
func (v View) decisions(b *sheet) {
	var all []record.Event
	for _, e := range v.s.Events {
		if e.Kind == record.Decided && e.Decision != nil {
			all = append(all, e)
		}
	}
	if len(all) > mostDecisions {
		return
	}
	for _, e := range all {
		d, at := *e.Decision, e.At.Seconds()
		look := `class="decision" fill="none" pointer-events="all"`
		if d.Wanted != d.Had {
			look = fmt.Sprintf(`class="decision changed" fill="%s"`, ink)
		}
		b.f(`<circle data-t="%s" cx="%s" cy="%d" r="3" %s><title>%s</title></circle>`, seconds(at), v.percent(at), layerTop+layerHeight, look,
			text(clockExact(at)+": "+d.String()))
	}
}

// broken is a line with holes where nothing is known; a bin that stands alone is a dot.
func (v View) broken(values []float64, axis scale) string {
	var d path
	down := false
	for b := range v.s.Whole {
		if math.IsNaN(values[b]) {
			down = false
			continue
		}
		d.point(v, b, axis.y(values[b]), !down)
		if !down && (b+1 >= v.s.Whole || math.IsNaN(values[b+1])) {
			d.b = append(d.b, "h0.1"...)
		}
		down = true
	}
	return string(d.b)
}

// Key is a piece of line as in a layer, for its legend.
func Key(i int) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="key" width="22" height="8" aria-hidden="true"><path class="line l%d" d="M0 4H22" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/></svg>`,
		i%len(lineColors), lineColors[i%len(lineColors)], dashes[i%len(dashes)]))
}
