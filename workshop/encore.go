package workshop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Defect is something that can be broken.
type Defect struct {
	Name   string
	About  string   // one line, which is shown afterwards
	Causes []string // what the verdict may rightly name
}

// Cause is what participants can guess.
type Cause struct {
	Name  string // as verdicts name it
	Title string // in a few words
}

// Breaker runs the application with a defect, under judgement.
type Breaker interface {
	Break(ctx context.Context, defect string) (Verdict, error)
}

// Verdict is what a run came to.
type Verdict struct {
	Outcome  string // pass, fail or inconclusive
	Sentence string // what it says
	Causes   []string
}

// Encore is the last part of the workshop: somebody picks a defect, somebody else guesses.
// Its methods may be called by several goroutines at once.
type Encore struct {
	Defects []Defect
	Causes  []Cause
	breaker Breaker
	chance  func(n int) int
	changed func()

	mu    sync.Mutex
	round Round
}

// Round is how far the encore is.
type Round struct {
	Defect  *Defect  // nil: none is picked
	Secret  bool     // chance has picked it
	Running bool     // it is being run
	Guess   string   // the name of a cause; "" = nobody has guessed yet
	Verdict *Verdict // nil: there is none yet
	Failed  string   // why there is none
}

// Over tells whether the verdict may be shown: it is there, and somebody has guessed.
func (r Round) Over() bool { return r.Verdict != nil && r.Guess != "" }

// Right tells whether the guess is what the verdict should name.
func (r Round) Right() bool { return r.Defect != nil && slices.Contains(r.Defect.Causes, r.Guess) }

// Found tells whether the verdict names the defect.
func (r Round) Found() bool {
	return r.Defect != nil && r.Verdict != nil && slices.ContainsFunc(r.Verdict.Causes, func(c string) bool { return slices.Contains(r.Defect.Causes, c) })
}

// NewEncore offers defects, and causes to guess. chance gives a number from 0 to n-1;
// changed is called when there is something else to see, and may be nil.
func NewEncore(defects []Defect, causes []Cause, breaker Breaker, chance func(n int) int, changed func()) *Encore {
	if changed == nil {
		changed = func() {}
	}
	return &Encore{Defects: defects, Causes: causes, breaker: breaker, chance: chance, changed: changed}
}

// Round is the one that is played.
func (e *Encore) Round() Round {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.round
}

// Play runs the application with a defect, by name, or with one that chance picks ("").
// It returns when there is a verdict. The error says why it was not begun.
func (e *Encore) Play(ctx context.Context, name string) (Round, error) {
	return e.play(ctx, name, func(error) {})
}

// play is Play for who wants to know that it has begun; begun is called then.
func (e *Encore) play(ctx context.Context, name string, begun func(error)) (Round, error) {
	defect, err := e.begin(name)
	if err != nil {
		return Round{}, err
	}
	e.changed()
	begun(nil)
	verdict, err := e.breaker.Break(ctx, defect.Name)
	e.mu.Lock()
	e.round.Running = false
	if err != nil {
		e.round.Failed = err.Error()
	} else {
		e.round.Verdict = &verdict
	}
	round := e.round
	e.mu.Unlock()
	e.changed()
	return round, nil
}

func (e *Encore) begin(name string) (Defect, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.round.Running {
		return Defect{}, errors.New("a run goes on: wait for its verdict")
	}
	if len(e.Defects) == 0 {
		return Defect{}, errors.New("there is nothing to break")
	}
	i := slices.IndexFunc(e.Defects, func(d Defect) bool { return d.Name == name })
	if name == "" {
		i = e.chance(len(e.Defects))
	}
	if i < 0 {
		var have []string
		for _, d := range e.Defects {
			have = append(have, d.Name)
		}
		return Defect{}, fmt.Errorf("%s: no such defect (have %s)", name, strings.Join(have, ", "))
	}
	e.round = Round{Defect: &e.Defects[i], Secret: name == "", Running: true}
	return e.Defects[i], nil
}

// Guess says what is thought to be wrong, by the name of a cause.
func (e *Encore) Guess(cause string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.round.Defect == nil:
		return errors.New("nothing is broken yet: pick something first")
	case !slices.ContainsFunc(e.Causes, func(c Cause) bool { return c.Name == cause }):
		return fmt.Errorf("%s: no such cause", cause)
	}
	e.round.Guess = cause
	return nil
}
