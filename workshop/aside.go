package workshop

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed aside.html.tmpl
var asideText string

var asideTemplate = template.Must(template.New("aside").Parse(asideText))

// Script has the forms of an aside sent without loading the page again.
//
//go:embed aside.js
var Script string

// Piece is a part of the aside that changes: an element's id, and what is in it.
type Piece struct {
	ID   string
	HTML template.HTML
}

// pieces are the templates that are pieces, by their ids, in the order of the page.
var pieces = []string{"workshop-step", "workshop-figures", "workshop-seen", "workshop-encore"}

// patience bounds how long the figures are asked for when the aside is drawn.
const patience = 500 * time.Millisecond

// view is what the aside shows.
type view struct {
	Place          Place
	Number, Slides int // of the slide, from 1
	Title          string
	Text           template.HTML
	Action         string // what the button says
	See            template.HTML
	Told           string // how far the step is, in words
	Refused        string
	Figures        []shown
	At             int
	First, Busy    bool
	Ended          bool // the last slide, which has no step
	Encore         *encoreView
	Pieces         []Piece
}

// shown is a figure as it is written.
type shown struct{ Name, Value string }

type encoreView struct {
	Round   Round
	Guess   string // the title of the cause that was guessed
	Defects []Defect
	Causes  []Cause
}

// Aside is the left column of the page: what is said, the button, what is to be seen. It is
// whole without a script, and has the pieces in it.
func (s *Stage) Aside() template.HTML {
	v := s.view()
	v.Pieces = s.pieces(v)
	return draw("aside", v)
}

// Pieces are the parts of the aside as they are now.
func (s *Stage) Pieces() []Piece { return s.pieces(s.view()) }

func (s *Stage) pieces(v view) []Piece {
	var all []Piece
	for _, id := range pieces {
		all = append(all, Piece{id, draw(id, v)})
	}
	return all
}

func draw(name string, v view) template.HTML {
	var b strings.Builder
	if err := asideTemplate.ExecuteTemplate(&b, name, v); err != nil {
		return template.HTML(template.HTMLEscapeString(err.Error()))
	}
	return template.HTML(b.String())
}

func (s *Stage) view() view {
	talk := s.player.talk
	place, ok := s.player.Place()
	v := view{Place: place, Number: place.Slide, Slides: len(talk.Slides), Title: place.Title, Text: render(place.Step.Text), See: inline(place.Step.See),
		Action: action(place.Step), Told: told(place.Progress), Refused: s.said(), At: s.player.index(), First: place.Index == 0 && ok,
		Busy: slices.Contains([]State{Moving, Looking}, place.Progress.State)}
	if !ok {
		last := talk.Slides[len(talk.Slides)-1]
		v.Ended, v.Number, v.Title, v.Text = true, len(talk.Slides), last.Title, render(last.Text)
		if s.encore != nil {
			v.Encore = s.encore.view()
		}
		return v
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, r := range s.player.Readings(ctx) {
		v.Figures = append(v.Figures, shown{r.Name, written(r.Values)})
	}
	return v
}

// action is what the button of a step says.
func action(s Step) string {
	if len(s.Do) == 0 {
		return "Look"
	}
	return "Do it: " + strings.Join(s.Do, ", then ")
}

// told says how far a step is.
func told(p Progress) string {
	switch p.State {
	case Moving:
		return "It is being done …"
	case Looking:
		return "Is it to be seen? …"
	case Seen:
		return "✓ Seen."
	case Unseen:
		return "✗ " + p.Why
	}
	return ""
}

// written writes the values of a figure: three digits, and thousands apart.
func written(values []float64) string {
	var all []string
	for _, v := range values {
		text := strconv.FormatFloat(v, 'g', 3, 64)
		if math.Abs(v) >= 100 && math.Abs(v) < 1e15 {
			text = strconv.FormatFloat(v, 'f', 0, 64)
			for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
				text = text[:i] + "," + text[i:]
			}
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return "–"
	}
	return strings.Join(all, ", ")
}

func (e *Encore) view() *encoreView {
	v := encoreView{Round: e.Round(), Defects: e.Defects, Causes: e.Causes}
	for _, c := range e.Causes {
		if c.Name == v.Round.Guess {
			v.Guess = fmt.Sprintf("%s (%s)", c.Title, c.Name)
		}
	}
	return &v
}
