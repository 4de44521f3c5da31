package draw

import (
	"fmt"
	"html/template"
	"math"
	"strings"

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
	v.open(&b, "lanes", fmt.Sprintf("The lives of %d instances; the table below has the numbers", len(v.lives)), height)
	b.f(`<defs>`)
	b.hatch("silent", "#ffffff", "none")
	b.hatch("frozen", "#5d6166", "#c9ced4")
	b.f(`</defs>`)
	of := map[string]picture.Instance{}
	for _, i := range v.s.Instances {
		of[i.Name] = i
	}
	frozen := v.frozen()
	for k, l := range v.lives {
		b.f(`<svg class="lane" data-instance="%s" y="%d" width="100%%" height="%d">`, text(l.Instance), k*laneHeight, laneHeight)
		v.lane(&b, l, of[l.Instance], frozen[l.Instance])
		b.f(`</svg>`)
	}
	v.timeAxis(&b, laneHeight*len(v.lives)+14, 10)
	return b.close()
}

// lane draws one life.
func (v View) lane(b *sheet, l record.Lifetime, i picture.Instance, frozen []Span) {
	end := v.to
	if l.Death != record.Never {
		end = l.Death.Seconds()
	}
	birth := max(l.Birth.Seconds(), v.from)
	b.f(`<a href="#%s">`, text(Anchor(l.Instance)))
	b.f(`<rect class="hit" x="0" y="0" width="100%%" height="%d" fill="none" pointer-events="all"/>`, laneHeight)
	serving := v.firstOf(l.Serving, l.Ready, l.Birth)
	v.bar(b, birth, min(serving, end), `class="starting" fill="#ffffff" stroke="#5d6166" stroke-dasharray="2 2"`, "starting")
	last := end
	for _, t := range []float64{after(l.Draining), after(l.Signalled)} {
		if t >= 0 {
			last = min(last, t)
		}
	}
	v.bar(b, serving, last, v.tone(l.Instance), "serving")
	v.bar(b, last, end, v.tone(l.Instance)+` fill-opacity="0.45"`, "draining, and ending")
	for _, s := range frozen {
		v.bar(b, s.From, s.To, `class="frozen" fill="url(#frozen)"`, "frozen")
	}
	if i.Name != "" {
		v.silences(b, i, end)
	}
	v.laneTexts(b, l, i, birth, end)
	b.f(`</a>`)
}

// bar draws a stretch of a lane.
func (v View) bar(b *sheet, from, to float64, look, what string) {
	from, to = max(from, v.from), min(to, v.to)
	if to <= from {
		return
	}
	b.f(`<rect data-t="%s" data-to="%s" x="%s" y="%d" width="%s%%" height="%d" %s><title>%s, %s–%s</title></rect>`,
		seconds(from), seconds(to), v.percent(from), barTop, coord(100*(v.share(to)-v.share(from))), barHeight, look, text(what), coord(from), clockExact(to))
}

// silences hatches where an instance had requests acknowledged, and sent nothing.
func (v View) silences(b *sheet, i picture.Instance, end float64) {
	silent := i.Silent()
	for k := 0; k < v.s.Whole; k++ {
		if !silent[k] {
			continue
		}
		from := k
		for k < v.s.Whole && silent[k] {
			k++
		}
		v.bar(b, v.s.Axis.Until(from-1).Seconds(), min(v.s.Axis.Until(k-1).Seconds(), end), `class="silent" fill="url(#silent)"`, "sent nothing")
	}
}

// laneTexts write the name, how it ended, and how much of what it acknowledged it counted.
func (v View) laneTexts(b *sheet, l record.Lifetime, i picture.Instance, birth, end float64) {
	base := barTop + 13
	long, short, class := v.residual(l, i)
	for _, of := range []struct {
		word, class string
		place       float64
	}{{long, "mid-up", midPlace}, {short, "narrow-only", narrowPlace}} {
		if room := (1 - v.share(birth)) * of.place; room > widthOf(l.Instance)+widthOf(of.word)+24 {
			b.f(`<text class="name halo %s" `+halo+` data-t="%s" x="%s" dx="5" y="%d" font-weight="600" fill="%s"%s>%s</text>`, of.class, seconds(birth), v.percent(birth), base, ink, hidden(of.class), text(l.Instance))
		} else { // it began late, so that there is room for one text alone
			of.word = strings.TrimSpace(l.Instance + "  " + of.word)
		}
		b.f(`<text class="end halo %s %s" `+halo+` x="100%%" dx="-5" y="%d" text-anchor="end" font-weight="600" fill="%s"%s>%s</text>`, class, of.class, base, endColor(class), hidden(of.class), text(of.word))
	}
	if l.Death == record.Never {
		return
	}
	how := "✕ " + l.Signal
	if !l.Expected {
		how = "! died by itself"
	} else if l.Signal == "" {
		how = "✕ ended"
	}
	room := 1 - v.share(end)
	for _, of := range []struct {
		word, class string
		place, left float64
	}{{how, "wide-only", widePlace, widthOf(long)}, {how, "mid-only", midPlace, widthOf(long)}, {how[:strings.IndexByte(how, ' ')], "narrow-only", narrowPlace, widthOf(short)}} {
		if room*of.place > widthOf(of.word)+of.left+24 {
			b.f(`<text class="how halo %s" data-t="%s" x="%s" dx="5" y="%d" fill="%s"%s>%s</text>`, of.class, seconds(end), v.percent(end), base, ink, hidden(of.class), text(of.word))
		}
	}
}

// residual says how much of what an instance acknowledged it counted, at length and in
// short. While a run goes on, something may be on its way, but for one that ended some time
// ago.
func (v View) residual(l record.Lifetime, i picture.Instance) (long, short, class string) {
	if i.Name == "" || v.s.Counts.Metric == "" {
		return "", "", "open"
	}
	i = i.Until(v.s.Whole)
	acked, counted := picture.Total(i.Acked), picture.Total(i.Counted)
	settled := v.s.Over || l.Death != record.Never && v.s.Axis.Until(v.s.Whole-1) > l.Death+2*v.s.Axis.Width
	switch diff := math.Round(acked - counted); {
	case diff > 0 && !settled:
		return amount(diff) + " owed", amount(diff), "open"
	case diff != 0 && v.explained != "", diff < 0 && -diff <= float64(v.s.Unknown):
		return fmt.Sprintf("%s of %s counted", amount(math.Round(counted)), amount(acked)), amount(-diff), "open"
	case diff != 0:
		return fmt.Sprintf("%s of %s counted", amount(math.Round(counted)), amount(acked)), amount(-diff), "bad"
	case acked == 0:
		return "", "", "open"
	}
	return fmt.Sprintf("✓ all %s counted", amount(acked)), "✓", "open"
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
