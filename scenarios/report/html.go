package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // style.css, page.js, report.html.tmpl
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"sync"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

//go:embed report.html.tmpl
var pageTemplate string

//go:embed style.css
var styleCSS string

//go:embed page.js
var pageJS string

var templates = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page").Parse(pageTemplate)
})

// Page is what people see of a run in a browser: of one that goes on ([Running]) or of
// one that is over ([Ended]). Both have the same sections.
type Page struct {
	title    string
	sections []section
}

// section is a part of a page in the making.
type section struct {
	id       string // of the element that it fills, and its template
	label    string // for who does not see the page
	contents any    // nil: the section is empty
}

// Part is a section of the page. ID is the id of the element that it fills.
type Part struct {
	ID    string
	HTML  template.HTML
	Label string // what the section is, for who does not see it
}

// Options say how a whole page is written.
type Options struct {
	// Live is a page that will be fed: its policy lets it ask where it came from.
	Live bool
	// Script is put in at the end, after the page's own.
	Script template.JS
	// Aside is left of the page: moves, or the text of a workshop.
	Aside template.HTML
	Title string // of the window; empty: what the run came to
}

// WriteHTML writes the report as one HTML page that needs nothing else: style,
// script and drawings are in it, and its content security policy forbids the
// browser to fetch anything.
func WriteHTML(w io.Writer, h record.History, v verdict.Verdict) error {
	return Ended(h, v).Write(w, Options{})
}

// Parts gives the sections in their order. A section that has nothing to show is empty;
// none is ever missing.
func (p Page) Parts() ([]Part, error) {
	t, err := templates()
	if err != nil {
		return nil, err
	}
	parts := make([]Part, 0, len(p.sections))
	for _, s := range p.sections {
		var out bytes.Buffer
		if s.contents != nil {
			if err := t.ExecuteTemplate(&out, s.id, s.contents); err != nil {
				return nil, fmt.Errorf("section %s of the page: %w", s.id, err)
			}
		}
		parts = append(parts, Part{s.id, template.HTML(out.String()), s.label}) //nolint:gosec // made by html/template
	}
	return parts, nil
}

// document is what the template of a whole page shows.
type document struct {
	Title, Policy string
	Parts         []Part
	Aside         template.HTML
	CSS           template.CSS
	JS, Script    template.JS
}

// Write writes the whole page, or nothing of it.
func (p Page) Write(w io.Writer, o Options) error {
	parts, err := p.Parts()
	if err != nil {
		return err
	}
	page := document{Title: o.Title, Parts: parts, Aside: o.Aside, CSS: template.CSS(styleCSS), JS: template.JS(pageJS), Script: o.Script}
	if page.Title == "" {
		page.Title = p.title
	}
	page.Policy = policy(o.Live, pageJS, string(o.Script))
	t, err := templates()
	if err != nil {
		return err
	}
	var out bytes.Buffer // a page that cannot be made is not begun
	if err := t.ExecuteTemplate(&out, "page", page); err != nil {
		return err
	}
	_, err = out.WriteTo(w)
	return err
}

// policy is the content security policy of a page: it fetches and sends nothing, or, while
// it is fed, from and to where it came alone; and it executes its own scripts and no other, whatever a
// name in a record may look like.
func policy(live bool, scripts ...string) string {
	allowed := "script-src"
	for _, s := range scripts {
		if s != "" {
			sum := sha256.Sum256([]byte(s))
			allowed += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
	}
	own := "form-action 'none'"
	if live {
		own = "connect-src 'self'; form-action 'self'"
	}
	return "default-src 'none'; style-src 'unsafe-inline'; " + allowed + "; base-uri 'none'; " + own
}
