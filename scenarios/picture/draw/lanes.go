package draw

import (
	"fmt"
	"html/template"

	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// The places within a lane, in pixels.
const (
	laneHeight = 24
	barTop     = 3
	barHeight  = 18
)

// Lanes draws the life of each web instance as a bar: starting, serving, draining,
// frozen, ended; hatched where it sent nothing, with what of it never came at the end.
func (v View) Lanes() template.HTML {
	var b sheet
	height := laneHeight*len(v.lives) + 20
	b.open("chart lanes", fmt.Sprintf("The lives of %d instances; the table below has the numbers", len(v.lives)), height)
	b.f(`<defs>`)
	b.hatch("silent", "#5d6166", "none")
	b.hatch("frozen", "#5d6166", "#c9ced4")
	b.f(`</defs>`)
	of := map[string]picture.Instance{}
	for _, i := range v.s.Instances {
		of[i.Name] = i
	}
	frozen := v.frozen()
	for k, l := range v.lives {
		v.lane(&b, k*laneHeight, l, of[l.Instance], frozen[l.Instance])
	}
	v.timeAxis(&b, laneHeight*len(v.lives)+14)
	b.f(`</svg>`)
	return b.html()
}

// lane draws one life.
func (v View) lane(b *sheet, y int, l record.Lifetime, i picture.Instance, frozen []Span) {
	end := v.to
	if l.Death != record.Never {
		end = l.Death.Seconds()
	}
	birth := max(l.Birth.Seconds(), v.from)
	b.f(`<a class="lane" data-instance="%s" href="#%s">`, text(l.Instance), text(Anchor(l.Instance)))
	b.f(`<rect class="hit" x="0" y="%d" width="100%%" height="%d" fill="none" pointer-events="all"/>`, y, laneHeight)
	serving := v.firstOf(l.Serving, l.Ready, l.Birth)
	v.bar(b, y, birth, min(serving, end), `class="starting" fill="#ffffff" stroke="#5d6166" stroke-dasharray="2 2"`, "starting")
	last := end
	for _, t := range []float64{after(l.Draining), after(l.Signalled)} {
		if t >= 0 {
			last = min(last, t)
		}
	}
	v.bar(b, y, serving, last, v.tone(l.Instance), "serving")
	v.bar(b, y, last, end, v.tone(l.Instance)+` fill-opacity="0.45"`, "draining, and ending")
	for _, s := range frozen {
		v.bar(b, y, s.From, s.To, `class="frozen" fill="url(#frozen)"`, "frozen")
	}
	if i.Name != "" {
		v.silences(b, y, i, end)
	}
	v.laneTexts(b, y, l, i, birth, end)
	b.f(`</a>`)
}

// bar draws a stretch of a lane.
func (v View) bar(b *sheet, y int, from, to float64, look, what string) {
	from, to = max(from, v.from), min(to, v.to)
	if to <= from {
		return
	}
	b.f(`<rect data-t="%s" data-to="%s" x="%s" y="%d" width="%s%%" height="%d" %s><title>%s, %s–%s</title></rect>`,
		seconds(from), seconds(to), v.percent(from), y+barTop, coord(100*(v.share(to)-v.share(from))), barHeight, look, text(what), coord(from), clockExact(to))
}

// silences hatches where an instance had requests acknowledged, and sent nothing.
func (v View) silences(b *sheet, y int, i picture.Instance, end float64) {
	silent := i.Silent()
	for k := 0; k < v.s.Whole; k++ {
		if !silent[k] {
			continue
		}
		from := k
		for k < v.s.Whole && silent[k] {
			k++
		}
		v.bar(b, y, v.s.Axis.Until(from-1).Seconds(), min(v.s.Axis.Until(k-1).Seconds(), end), `class="silent" fill="url(#silent)"`, "sent nothing")
	}
}

// laneTexts write the name, how it ended, and what never came.
func (v View) laneTexts(b *sheet, y int, l record.Lifetime, i picture.Instance, birth, end float64) {
	base := y + barTop + 13
	b.f(`<text class="name halo" data-t="%s" x="%s" dx="5" y="%d" font-weight="600" fill="%s">%s</text>`, seconds(birth), v.percent(birth), base, ink, text(l.Instance))
	word, class := v.residual(i)
	b.f(`<text class="end halo %s" x="100%%" dx="-5" y="%d" text-anchor="end" font-weight="600" fill="%s">%s</text>`, class, base, endColor(class), text(word))
	if l.Death == record.Never {
		return
	}
	how := "✕ " + l.Signal
	if !l.Expected {
		how = "! died by itself"
	} else if l.Signal == "" {
		how = "✕ ended"
	}
	if room := widthOf(how) + widthOf(word) + 30; (1-v.share(end))*widePlace > room {
		b.f(`<text class="how halo wide-only" data-t="%s" x="%s" dx="5" y="%d" fill="%s">%s</text>`, seconds(end), v.percent(end), base, ink, text(how))
	}
}

// residual is what of an instance's never came, or was too much.
func (v View) residual(i picture.Instance) (word, class string) {
	var end float64
	if owed := i.Owed(); v.s.Whole > 0 && len(owed) >= v.s.Whole {
		end = owed[v.s.Whole-1]
	}
	switch {
	case end >= 0.5 && !v.s.Over:
		return amount(end) + " owed", "open"
	case end >= 0.5:
		return "−" + amount(end), "bad"
	case end <= -0.5:
		return "+" + amount(-end), "bad"
	case i.Name == "":
		return "", "open"
	}
	return "0", "good"
}

// frozen are the stretches in which instances were stopped, by name.
func (v View) frozen() map[string][]Span {
	out := map[string][]Span{}
	for _, e := range v.s.Events {
		if e.Fault != "freeze" {
			continue
		}
		of := out[e.Instance]
		switch {
		case e.Kind == record.FaultBegin:
			out[e.Instance] = append(of, Span{From: e.At.Seconds(), To: v.to})
		case e.Kind == record.FaultEnd && len(of) > 0:
			of[len(of)-1].To = e.At.Seconds()
		}
	}
	return out
}

// Frozen tells whether an instance was.
func (v View) Frozen() bool { return len(v.frozen()) > 0 }

// firstOf is the first of some moments that there was.
func (v View) firstOf(moments ...interface{ Seconds() float64 }) float64 {
	for _, t := range moments {
		if s := t.Seconds(); s >= 0 {
			return s
		}
	}
	return v.from
}

// after is a moment in seconds; below 0: it did not come.
func after(t interface{ Seconds() float64 }) float64 { return t.Seconds() }
