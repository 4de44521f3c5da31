// Package workshop is the talk as something to do: its slides, what is done to the stack
// for each, what is to be seen, and whether it was.
//
// The source is talk.md alone. The page of the workshop and docs/WORKSHOP.md are both made
// of it. A [Player] goes through the steps; what is done to the stack is a [Mover]'s, what
// was seen is asked of the collector through an [Asker]. The package knows neither stack
// nor scenario language, and it judges nothing: at the end the participants break the
// application themselves ([Encore]), and the verdict on that is a [Breaker]'s.
//
// `throughline workshop` puts it together.
package workshop

import (
	_ "embed"
	"time"
)

//go:embed talk.md
var source []byte

// sourceName is how errors call the source.
const sourceName = "workshop/talk.md"

// Talk is the whole of it.
type Talk struct {
	Title  string
	Intro  string // in Markdown
	Slides []Slide
	// Defects are the names of what can be broken at the end.
	Defects []string
}

// Slide is one slide of the talk. The last one has no step: it leads to the encore.
type Slide struct {
	Title string
	Steps []Step
	Text  string // of a slide without steps; in Markdown
}

// Step is one thing to do, or only to look at.
type Step struct {
	Text string   // what is said before, in Markdown
	Do   []string // moves, in words; newest and oldest stand for an instance
	Show []Figure // numbers to look at
	See  string   // what is to be seen, in a sentence or two
	// Seen are expressions in PromQL. Each has to hold, which is to give anything; $it in
	// them is the instance that the last move was about, $serving how many serve after the moves.
	Seen   []string
	Within time.Duration // how long they have for it
	line   int           // of the step in the source
}

// Figure is a number with its name.
type Figure struct{ Name, Expr string }

// Members is how many the database has on which the talk is played.
const Members = 3

// usual is how long a step has that does not say.
const usual = 15 * time.Second

// TheTalk is the talk that is built in.
func TheTalk() (Talk, error) { return Parse(sourceName, source) }
