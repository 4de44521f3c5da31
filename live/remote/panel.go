package remote

import (
	_ "embed" // panel.html.tmpl, panel.js
	"html/template"
	"strings"

	"throughline/live"
)

//go:embed panel.html.tmpl
var panelTemplate string

// Script has the buttons of a Panel work without loading the page again.
//
//go:embed panel.js
var Script string

var panel = template.Must(template.New("panel").Parse(panelTemplate))

// Piece is a piece of the panel that changes with the stack: an element's id, and what is in it.
type Piece struct {
	ID   string
	HTML template.HTML
}

// pieces are the templates that are pieces, by their ids.
var pieces = []string{"moves-told", "moves-instances"}

// view is what the panel shows.
type view struct {
	live.Standing
	Told    string
	Count   int               // of the instances
	Ready   bool              // a move can be made
	Pieces  map[string]string // not used by pieces themselves
	HTML    []Piece
	Failing bool // what is told is that something failed
}

// Panel is the buttons that make moves: forms that work without a script. It has the pieces in it.
func (h *Handler) Panel() template.HTML {
	v := h.view()
	v.HTML = h.Pieces()
	return render("panel", v)
}

// Pieces are what changes, as it is now.
func (h *Handler) Pieces() []Piece {
	v := h.view()
	out := make([]Piece, len(pieces))
	for i, id := range pieces {
		out[i] = Piece{id, render(id, v)}
	}
	return out
}

func (h *Handler) view() view {
	s := h.hand.Standing()
	told := h.Told()
	return view{Standing: s, Told: told, Count: len(s.Instances), Ready: s.Up && s.Moving == "",
		Failing: strings.HasPrefix(told, "refused") || strings.Contains(told, " FAILED ")}
}

func render(name string, v view) template.HTML {
	var b strings.Builder
	if err := panel.ExecuteTemplate(&b, name, v); err != nil {
		return template.HTML(template.HTMLEscapeString(err.Error())) //nolint:gosec // it is escaped
	}
	return template.HTML(b.String()) //nolint:gosec // made by html/template
}
