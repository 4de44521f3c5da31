// Package draw draws a picture of a run as SVG: the slide (what each instance counted,
// under what users had acknowledged), what is owed, the instances' lives, and the layers.
//
// A drawing is whole without scripts and without style sheets: what it needs is in
// presentation attributes. A page's style may override them (the classes are those of
// scenarios/report's style.css), and a script finds what is of which instance or moment
// by data-instance and data-t. A drawing is as wide as its place: shapes are stretched
// in an inner SVG, text is set beside them at per cents of the width, so that it keeps
// its size on a phone.
//
// It knows no verdict. scenarios/report puts its drawings into pages.
package draw

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// View is a picture laid out on a time axis.
type View struct {
	s         picture.Snapshot
	from, to  float64 // seconds since the start of the run
	stacked   []stacked
	tones     map[string]int // by instance
	flags     []Flag
	phases    []Span
	lives     []record.Lifetime // of web instances, and of others that did not live on
	explained string
	owed      []float64 // at the ends of the bins
	never     []float64 // by bin, as in picture.Snapshot.Net
	tooMany   []float64
}

// Explained is the view of a run whose losses are accounted for, by a cause in a word or
// two: they are drawn, and are nothing bad.
func (v View) Explained(by string) View {
	v.explained = by
	return v
}

// New lays out a picture.
func New(s picture.Snapshot) View {
	v := View{s: s, tones: map[string]int{}}
	h := record.History{Run: s.Run, Events: s.Events}
	for _, l := range h.Lifetimes() {
		if l.Role.Application() {
			v.lives = append(v.lives, l)
		}
	}
	slices.SortStableFunc(v.lives, func(a, b record.Lifetime) int { return record.CompareNames(a.Instance, b.Instance) })
	v.from, v.to = v.extent()
	for _, l := range v.lives {
		v.tones[l.Instance] = len(v.tones)
	}
	for _, i := range s.Instances {
		if _, known := v.tones[i.Name]; !known {
			v.tones[i.Name] = len(v.tones)
		}
	}
	v.flags, v.phases = flagsOf(s.Events), phasesOf(s.Events, s.End)
	v.stacked = v.stack()
	v.owed = make([]float64, s.Bins)
	if s.Counts.Metric != "" {
		v.owed = s.Owed()
	}
	v.never, v.tooMany = s.Net()
	return v
}

// Allowed tells whether losses are accounted for.
func (v View) Allowed() bool { return v.explained != "" }

// Missing tells whether something never came; TooMany, whether something was counted that
// nobody had been told of.
func (v View) Missing() bool { return picture.Total(v.never) >= 1 }

// TooMany is told of at Missing.
func (v View) TooMany() bool { return picture.Total(v.tooMany) >= 1 }

// extent is the stretch of time that is drawn: from when there was an instance, or load.
func (v View) extent() (from, to float64) {
	begin := v.s.End
	for _, e := range v.s.Events {
		if e.Kind == record.LoadBegin || e.Kind == record.Birth && e.Role.Application() {
			begin = min(begin, e.At)
		}
	}
	if len(v.s.Events) == 0 || begin == v.s.End {
		begin = 0
	}
	end := max(v.s.End, begin+10*v.s.Axis.Width)
	return begin.Truncate(time.Second).Seconds(), end.Seconds()
}

// share is where a moment is on the time axis, from 0 to 1, and beyond if it is.
func (v View) share(seconds float64) float64 { return (seconds - v.from) / (v.to - v.from) }

// Wide is how many units of the time axis a drawing has: shapes are drawn in them, and
// stretched to the width of the place.
const wide = 1000

// x is where a moment is in units of the axis.
func (v View) x(seconds float64) string { return coord(wide * v.share(seconds)) }

// percent is the same as a length of SVG.
func (v View) percent(seconds float64) string { return coord(100*v.share(seconds)) + "%" }

// middles are the middles of the bins in seconds.
func (v View) middle(bin int) float64 { return v.s.Axis.Middle(bin).Seconds() }

// coord writes a coordinate with a tenth of a unit.
func coord(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "0"
	}
	x = math.Round(min(max(x, -1e6), 1e6)*10) / 10
	if x == 0 {
		return "0" // and not -0
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// text makes what came from outside harmless in SVG and HTML.
func text(s string) string { return html.EscapeString(words.Printable(s)) }

// sheet is a drawing in the making.
type sheet struct{ strings.Builder }

func (b *sheet) f(format string, args ...any) { fmt.Fprintf(&b.Builder, format, args...) }

// font is what all text of a drawing looks like where there is no style sheet.
const font = `font-family="system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif" font-size="12"`

// open begins a drawing of a height in pixels, as wide as its place. A page's style leaves
// room for the vertical axis at its left.
func (v View) open(b *sheet, class, label string, height int) {
	if v.explained != "" {
		class += " allowed"
	}
	b.f(`<svg class="chart %s" xmlns="http://www.w3.org/2000/svg" width="100%%" height="%d" role="%s" aria-label="%s" data-from="%s" data-to="%s" data-bin="%s" %s>`,
		class, height, map[bool]string{true: "group", false: "img"}[strings.HasPrefix(class, "lanes")], text(label), seconds(v.from), seconds(v.to), seconds(v.s.Axis.Width.Seconds()), font)
}

// close ends a drawing.
func (b *sheet) close() template.HTML {
	b.f(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // text() has escaped what came from outside
}

// halo keeps a text apart from what is under it, where there is no style sheet.
const halo = `paint-order="stroke" stroke="#ffffff" stroke-width="3"`

// plot begins the stretched part of a drawing.
func (b *sheet) plot(top, height int) {
	b.f(`<svg class="plot" x="0" y="%d" width="100%%" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="none">`, top, height, wide, height)
}

// The colors where no style sheet is.
const (
	ink   = "#1c1d1f"
	soft  = "#5d6166"
	grid  = "#e4e6e9"
	lost  = "#b3261e"
	extra = "#7a3db8"
	faint = "#8a9097" // of a loss that is accounted for
)
