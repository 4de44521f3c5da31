package draw

import (
	"fmt"
	"html/template"
	"math"

	"throughline/scenarios/picture"
)

// The places within the drawing of what is owed, in pixels from the top.
const (
	owedTop    = 24 // above the plot stands what it comes to
	owedHeight = 84
)

// Owed draws what users had acknowledged and nobody had counted yet, at the end of each
// bin, and below it what of that never came. It is empty where no metric is known that
// counts.
func (v View) Owed() template.HTML {
	if v.s.Counts.Metric == "" {
		return ""
	}
	owed := v.owed[:v.s.Whole]
	low, high, end := 0.0, 0.0, 0.0
	for _, n := range owed {
		low, high, end = min(low, n), max(high, n), n
	}
	axis := linear(low, high, owedHeight)
	never := picture.Running(v.never[:v.s.Whole])
	var b sheet
	word, class := v.endOfOwed(end)
	v.open(&b, "owed", "Owed: acknowledged, and not counted yet. At the end: "+word, owedTop+owedHeight+20)
	b.plot(owedTop, owedHeight)
	v.hatchLost(&b, "gone")
	b.gridLines(axis)
	if n := len(never); n > 0 && never[n-1] >= 1 {
		b.f(`<path class="never" fill="url(#gone)" d="%s"/>`, v.ends(never, axis)+fmt.Sprintf("V%sH%sZ", coord(axis.y(0)), v.x(v.s.Axis.First.Seconds())))
	}
	b.f(`<path class="owing" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round" vector-effect="non-scaling-stroke" d="%s"/>`, ink, v.ends(owed, axis))
	b.f(`<path class="base" fill="none" stroke="%s" vector-effect="non-scaling-stroke" d="M0 %sH%d"/></svg>`, soft, coord(axis.y(0)), wide)
	v.flagLines(&b, owedTop, owedTop+owedHeight)
	b.gridTexts(axis, owedTop, "")
	if len(owed) > 0 {
		b.f(`<text class="end %s" x="100%%" y="13" text-anchor="end" font-weight="700" fill="%s">%s</text>`, class, endColor(class), text(word))
	}
	v.timeAxis(&b, owedTop+owedHeight+14, 10)
	return b.close()
}

// endOfOwed says what the line comes to.
func (v View) endOfOwed(end float64) (word, class string) {
	n := amount(math.Abs(end))
	switch {
	case !v.s.Over:
		return n + " owed", "open"
	case end >= 0.5 && v.explained != "":
		return n + " never came, allowed: " + v.explained, "open"
	case end <= -0.5 && v.explained != "":
		return n + " more than acknowledged, allowed: " + v.explained, "open"
	case end >= 0.5:
		return n + " never came", "bad"
	case end <= -0.5 && -end <= float64(v.s.Unknown):
		return fmt.Sprintf("%s more than acknowledged, allowed: of %s nobody knows", n, amount(float64(v.s.Unknown))), "open"
	case end <= -0.5:
		return n + " more than acknowledged", "bad"
	}
	return "0 never came", "good"
}

func endColor(class string) string {
	switch class {
	case "bad":
		return lost
	case "good":
		return "#14733b"
	}
	return ink
}

// ends is a line through what was at the ends of the bins, from 0 where they begin.
func (v View) ends(values []float64, axis scale) string {
	var d path
	d.to(v.x(v.s.Axis.First.Seconds()), coord(axis.y(0)), true)
	for b, n := range values {
		d.to(v.x(min(v.s.Axis.Until(b).Seconds(), v.to)), coord(axis.y(n)), false)
	}
	return string(d.b)
}
