package workshop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Unattended plays all steps by itself, and tells of each whether it was seen. It gives how
// many were not; the error says why it could not go on.
func (p *Player) Unattended(ctx context.Context, w io.Writer) (unseen int, err error) {
	for {
		place, ok := p.Place()
		if !ok {
			return unseen, nil
		}
		progress, err := p.Play(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return unseen, err
		}
		if progress.State != Seen {
			unseen++
		}
		if _, err := io.WriteString(w, line(place, progress)); err != nil {
			return unseen, err
		}
		if err := p.Go(1); err != nil {
			return unseen, err
		}
	}
}

// line tells of a step.
func line(at Place, got Progress) string {
	var b strings.Builder
	part := ""
	if at.Of > 1 {
		part = fmt.Sprintf(" (%d of %d)", at.Part, at.Of)
	}
	fmt.Fprintf(&b, "%-8s %2d. %s%s\n", got.State, at.Slide, at.Title, part)
	for _, m := range got.Moved {
		fmt.Fprintf(&b, "%-8s     %s\n", "", m)
	}
	if got.Why != "" {
		fmt.Fprintf(&b, "%-8s     %s\n", "", got.Why)
	}
	return b.String()
}

// Unattended breaks the application in one way, and tells what the verdict says.
func (e *Encore) Unattended(ctx context.Context, defect string, w io.Writer) (found bool, err error) {
	round, err := e.Play(ctx, defect)
	switch {
	case err != nil:
		return false, err
	case round.Verdict == nil:
		return false, errors.New(round.Failed)
	}
	state := Unseen
	if round.Found() {
		state = Seen
	}
	_, err = fmt.Fprintf(w, "%-8s     encore: %s\n%-8s     %s: %s\n", state, round.Defect.About, "", round.Verdict.Outcome, round.Verdict.Sentence)
	return round.Found(), err
}
