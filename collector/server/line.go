package server

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"throughline/collector"
)

// metricView is one name of the page.
type metricView struct {
	Name   string
	Sent   string // the name as it was sent, where that is another
	Type   collector.Type
	Series []seriesView
	More   int // series that are not shown
}

// seriesView is one line of the page.
type seriesView struct {
	Labels collector.Labels
	Line   template.HTML // an SVG, made of numbers only
	Now    string        // the last value, of a counter its rate
	Total  string        // what a counter or histogram came to
	Gone   string        // since when nothing comes; "" if something does
}

func newMetricView(m collector.RecentMetric, scale timeScale) metricView {
	v := metricView{Name: m.Name, More: m.Of - len(m.Series)}
	unit := ""
	if m.Meta != nil {
		v.Type, unit = m.Meta.Type, m.Meta.Unit
		if m.Meta.Sent != m.Name {
			v.Sent = m.Meta.Sent
		}
	}
	for _, s := range m.Series {
		v.Series = append(v.Series, newSeriesView(s, v.Type, unit, scale))
	}
	return v
}

// quietIntervals is how many intervals a series may have no point and be thought alive.
const quietIntervals = 5

func newSeriesView(s collector.RecentSeries, kind collector.Type, unit string, scale timeScale) seriesView {
	v := seriesView{Labels: s.Labels}
	drawn := s.Points
	if n := len(s.Points); n > 0 {
		last := s.Points[n-1]
		switch kind {
		case collector.Counter, collector.Summary:
			drawn = rates(s.Points)
			v.Total = figure(last.Value)
			if len(drawn) > 0 {
				v.Now = figure(drawn[len(drawn)-1].Value) + "/s"
			}
			if kind == collector.Summary && last.Value > 0 {
				v.Total += ", mean " + withUnit(last.Sum/last.Value, unit)
			}
		default:
			v.Now = withUnit(last.Value, unit)
		}
		if ago := scale.end().Sub(last.At); s.Ended || ago > quietIntervals*scale.interval {
			v.Gone = "gone for " + lengthOf(max(ago, 0).Round(time.Second))
		}
	}
	v.Line = scale.draw(drawn)
	return v
}

// rates are a counter's increments in a second, between each two points. One that fell
// was started anew from 0.
func rates(points []collector.RecentPoint) (out []collector.RecentPoint) {
	for i := 1; i < len(points); i++ {
		by := points[i].Value - points[i-1].Value
		if by < 0 {
			by = points[i].Value
		}
		if took := points[i].At.Sub(points[i-1].At).Seconds(); took > 0 {
			out = append(out, collector.RecentPoint{At: points[i].At, Value: by / took})
		}
	}
	return out
}

// timeScale is the time that all lines of the page share.
type timeScale struct {
	from     time.Time
	span     time.Duration
	interval time.Duration
}

func (s timeScale) end() time.Time { return s.from.Add(s.span) }

// The size of a line in pixels; the stroke needs a margin.
const (
	lineWidth  = 180
	lineHeight = 24
	lineMargin = 2
)

// draw draws points as a line that is broken where points are missing. Its lower edge is
// 0, or the lowest value where that is below.
func (s timeScale) draw(points []collector.RecentPoint) template.HTML {
	low, high := 0.0, 0.0
	for _, p := range points {
		if isDrawn(p.Value) {
			low, high = min(low, p.Value), max(high, p.Value)
		}
	}
	var path strings.Builder
	var before time.Time
	for _, p := range points {
		if !isDrawn(p.Value) {
			before = time.Time{}
			continue
		}
		x := lineMargin + (lineWidth-2*lineMargin)*p.At.Sub(s.from).Seconds()/s.span.Seconds()
		y := float64(lineHeight - lineMargin)
		if high > low {
			y -= (lineHeight - 2*lineMargin) * (p.Value - low) / (high - low)
		}
		command := "L"
		if before.IsZero() || p.At.Sub(before) > 2*s.interval+s.interval/2 {
			command = "M"
			fmt.Fprintf(&path, "M%.1f %.1fh.1", x, y) // a point by itself is seen, too
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", command, x, y)
		before = p.At
	}
	return template.HTML(fmt.Sprintf(`<svg class="line" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" aria-hidden="true"><path class="ground" d="M0 %.1[3]fH%[1]d"></path><path d="%[4]s"></path></svg>`,
		lineWidth, lineHeight, lineHeight-0.5, path.String()))
}

func isDrawn(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// withUnit writes a value with its unit, seconds as people say them.
func withUnit(v float64, unit string) string {
	switch unit {
	case "":
		return figure(v)
	case "milliseconds":
		return withUnit(v/1000, "seconds")
	case "seconds":
		if a := math.Abs(v); a > 0 && a < 1 {
			return figure(v*1000) + " ms"
		}
		return figure(v) + " s"
	}
	return figure(v) + " " + unit
}

// figure writes a number with thousands apart, and of fractions three digits.
func figure(v float64) string {
	abs := math.Abs(v)
	switch {
	case !isDrawn(v) || abs >= 1e15 || abs > 0 && abs < 1e-3:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case abs < 100:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'g', 3, 64), ".0")
	}
	digits := strconv.FormatFloat(abs, 'f', 0, 64)
	var out strings.Builder
	if v < 0 {
		out.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}
