package browsertest

import (
	_ "embed"
	"fmt"
)

//go:embed audit.js
var auditScript string

// Fault is what is wrong with something that is drawn.
type Fault struct {
	Kind  string // overlap, cut, contrast, small or scroll
	Text  string // the text it is about, its beginning; "" for scroll
	Where string // the element, as a selector says it
	Tells string // what was measured
}

func (f Fault) String() string {
	return fmt.Sprintf("%s: %q in %s: %s", f.Kind, f.Text, f.Where, f.Tells)
}

// Audit measures what is drawn, all of the page, as it is now:
//
//   - overlap: two texts share more than 2 px in both directions.
//   - cut: a text reaches more than 1 px out of a box that shows nothing outside and
//     cannot be scrolled, or out of the page's left, right or upper edge.
//   - contrast: a text has less than 4.5:1 against what is under it (WCAG 2.2, 1.4.3);
//     3:1 from 24 px on. In SVG that is the shapes painted before it, or the stroke
//     around its own letters.
//   - small: the letters are drawn smaller than 8 px.
//   - scroll: the page is wider than its window.
//
// What nobody sees is left out: not displayed, in closed details, clipped to a pixel
// for screen readers, transparent. A text of which an ellipsis hides the end is not cut
// where its title has it whole. Not seen are gradients and pictures behind a text, HTML
// that lies over SVG, and how exactly a rotated text runs.
func (p *Page) Audit() []Fault {
	p.t.Helper()
	return Eval[[]Fault](p, auditScript)
}

// Sound fails the test for every fault that Audit finds.
func (p *Page) Sound() {
	p.t.Helper()
	for _, f := range p.Audit() {
		p.t.Errorf("at %s: %v", p.view.Name(), f)
	}
}
