package workshop

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"throughline/live"
)

// Mover makes moves on the stack, each a step of the scenario language in words; run.Hand
// is one.
type Mover interface {
	// Move makes a move and returns when it has had its effect. The error says why it was
	// not begun.
	Move(words string) (live.Moved, error)
	Standing() live.Standing
}

// Asker asks the collector an expression in PromQL, and gives the values it comes to now;
// none where it holds for nothing.
type Asker interface {
	Ask(ctx context.Context, expr string) ([]float64, error)
}

// State is how far a step is.
type State string

// The states of a step.
const (
	Waiting State = ""        // nobody has done it yet
	Moving  State = "moving"  // a move has not had its effect yet
	Looking State = "looking" // it is asked whether it is to be seen
	Seen    State = "seen"
	Unseen  State = "unseen"
)

// Progress is what became of a step.
type Progress struct {
	State  State
	Moved  []live.Moved
	Sights []Sight
	Why    string // it was not seen; one line
}

// Sight is one expression that has to hold, as it was asked the last time.
type Sight struct {
	Expr  string
	Holds bool
}

// Reading is a figure as it is now.
type Reading struct {
	Name, Expr string
	Values     []float64 // none: there is nothing to read
}

// Place is a step and where it is.
type Place struct {
	Slide      int // from 1
	Title      string
	Part, Of   int // it is that part of so many of its slide, from 1
	Step       Step
	Progress   Progress
	Last       bool // nothing but the encore follows
	Index, All int  // of all steps, from 0
}

// Player goes through the talk, one step at a time. Its methods may be called by several
// goroutines at once.
type Player struct {
	talk    Talk
	mover   Mover
	changed func()

	mu     sync.Mutex
	asker  Asker // nil: the stack is not up yet
	places []Place
	at     int   // of places; their number: the last slide, which has no step
	terms  terms // of the step that was played last
	busy   bool
}

// NewPlayer is at the first step. changed is called when there is something else to see;
// nil: nobody is told.
func NewPlayer(talk Talk, mover Mover, changed func()) *Player {
	p := &Player{talk: talk, mover: mover, changed: changed}
	if changed == nil {
		p.changed = func() {}
	}
	for i, slide := range talk.Slides {
		for k, step := range slide.Steps {
			p.places = append(p.places, Place{Slide: i + 1, Title: slide.Title, Part: k + 1, Of: len(slide.Steps), Step: step, Index: len(p.places)})
		}
	}
	for i := range p.places {
		p.places[i].All = len(p.places)
	}
	return p
}

// Up says that the stack is up, and whom to ask.
func (p *Player) Up(asker Asker) {
	p.mu.Lock()
	p.asker = asker
	p.mu.Unlock()
	p.changed()
}

// Place is where the player is; ok is false behind the last step.
func (p *Player) Place() (at Place, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == len(p.places) {
		return Place{}, false
	}
	return p.places[p.at], true
}

// index is the place where the player is, from 0.
func (p *Player) index() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// Go goes to the next step, or back; not while one is played.
func (p *Player) Go(by int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy {
		return fmt.Errorf("%s is under way: wait until it is over", p.places[p.at].Title)
	}
	p.at = min(max(p.at+by, 0), len(p.places))
	return nil
}

// Play does the step where the player is, and asks until all is seen that there is to see,
// or its time is over. What was to be seen before any move was made proves nothing, and
// counts as unseen. The error says why it was not begun.
func (p *Player) Play(ctx context.Context) (Progress, error) {
	return p.play(ctx, func(error) {})
}

// play is Play for who wants to know that it has begun; begun is called then.
func (p *Player) play(ctx context.Context, begun func(error)) (Progress, error) {
	place, asker, err := p.begin()
	if err != nil {
		return Progress{}, err
	}
	progress := Progress{State: Moving}
	note := func() {
		p.mu.Lock()
		p.places[place.Index].Progress = progress
		p.mu.Unlock()
		p.changed()
	}
	defer func() {
		p.mu.Lock()
		p.busy = false
		p.mu.Unlock()
		note()
	}()
	note()
	begun(nil)
	p.foresee(place.Step)
	before := p.before(ctx, asker, place.Step)
	for _, move := range place.Step.Do {
		if err := p.move(move, &progress); err != nil {
			progress.State, progress.Why = Unseen, err.Error()
			return progress, nil
		}
		note()
	}
	progress.State = Looking
	note()
	err = p.look(ctx, asker, place.Step, &progress, note)
	if err == nil && before {
		err = errors.New("all of it was to be seen before anything was done: that it is proves nothing")
	}
	progress.State = Seen
	if err != nil {
		progress.State, progress.Why = Unseen, err.Error()
	}
	return progress, nil
}

func (p *Player) begin() (Place, Asker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.busy:
		return Place{}, nil, fmt.Errorf("%s is under way: wait until it is over", p.places[p.at].Title)
	case p.asker == nil:
		return Place{}, nil, errors.New("the stack is not up yet: wait until it is")
	case p.at == len(p.places):
		return Place{}, nil, errors.New("there is no step here")
	}
	p.busy = true
	return p.places[p.at], p.asker, nil
}

// move makes one move.
func (p *Player) move(move string, progress *Progress) error {
	words, about, err := named(move, p.mover.Standing().Instances)
	if err != nil {
		return err
	}
	moved, err := p.mover.Move(words)
	if err != nil {
		return err
	}
	if about != "" {
		p.setIt(about)
	}
	progress.Moved = append(progress.Moved, moved)
	if moved.Error != "" {
		return errors.New(moved.String())
	}
	return nil
}
