package workshop

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// every is how often it is asked whether something is to be seen.
const every = 500 * time.Millisecond

// before tells whether all that is to be seen after a step's moves is to be seen already.
func (p *Player) before(ctx context.Context, asker Asker, step Step) bool {
	if len(step.Do) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sights, err := p.sights(ctx, asker, step)
	return err == nil && len(missing(sights)) == 0 // who cannot be asked is asked afterwards
}

// look asks until all expressions hold in one look.
func (p *Player) look(ctx context.Context, asker Asker, step Step, progress *Progress, note func()) error {
	ctx, cancel := context.WithTimeout(ctx, step.Within)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var failed error // why the last look gave no answer
	for {
		sights, err := p.sights(ctx, asker, step)
		if err == nil {
			progress.Sights, failed = sights, nil
		} else if ctx.Err() == nil {
			failed = err
		}
		if missing := missing(progress.Sights); err == nil && len(missing) == 0 {
			return nil
		}
		note()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if failed != nil {
				return failed
			}
			return fmt.Errorf("not to be seen within %v: %s", step.Within, strings.Join(missing(progress.Sights), "; "))
		}
	}
}

func (p *Player) sights(ctx context.Context, asker Asker, step Step) ([]Sight, error) {
	var all []Sight
	for _, expr := range step.Seen {
		expr = p.inTerms(expr)
		values, err := asker.Ask(ctx, expr)
		if err != nil {
			return nil, err
		}
		all = append(all, Sight{expr, len(values) > 0})
	}
	return all, nil
}

func missing(sights []Sight) (exprs []string) {
	for _, s := range sights {
		if !s.Holds {
			exprs = append(exprs, s.Expr)
		}
	}
	return exprs
}

// foresee takes the terms of a step that is about to be played.
func (p *Player) foresee(step Step) {
	t := foreseen(step.Do, p.mover.Standing().Instances)
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.about == "" {
		t.about = p.terms.about
	}
	p.terms = t
}

// setIt says which instance a move was about after all.
func (p *Player) setIt(about string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terms.about = about
}

// inTerms is an expression with the names and numbers of the step.
func (p *Player) inTerms(expr string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.terms.in(expr)
}

// Readings are the figures of the step where the player is, as they are now. What cannot be
// asked within ctx has no values.
func (p *Player) Readings(ctx context.Context) (all []Reading) {
	place, ok := p.Place()
	p.mu.Lock()
	asker := p.asker
	p.mu.Unlock()
	if !ok {
		return nil
	}
	for _, figure := range place.Step.Show {
		r := Reading{Name: figure.Name, Expr: p.inTerms(figure.Expr)}
		if asker != nil {
			r.Values, _ = asker.Ask(ctx, r.Expr) // it is asked again in a second
		}
		all = append(all, r)
	}
	return all
}
