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
	Ready  bool    // a move can be made
	Told   word    // of the last one
	Pieces []Piece // of the whole panel
}

// Panel is the buttons that make moves: forms that work without a script. It has the pieces in it.
func (h *Handler) Panel() template.HTML {
	v := h.view()
	v.Pieces = h.Pieces()
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
	h.mu.Lock()
	told := h.told
	h.mu.Unlock()
	s := h.hand.Standing()
	return view{Standing: s, Ready: s.Up && s.Moving == "", Told: told}
}

func render(name string, v view) template.HTML {
	var b strings.Builder
	if err := panel.ExecuteTemplate(&b, name, v); err != nil {
		return template.HTML(template.HTMLEscapeString(err.Error())) //nolint:gosec // it is escaped
	}
	return template.HTML(b.String()) //nolint:gosec // made by html/template
}
