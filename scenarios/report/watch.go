package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"throughline/live"
)

// keptBack is how many events an output may lag behind before it loses some: a minute's.
const keptBack = 200

// Follow shows on w what the stream tells from now on, beside the run that tells it. What
// it returns waits until all is shown, after the stream has ended. For getenv see
// NewTerminal.
func Follow(w io.Writer, getenv func(string) string, s *live.Stream) (shown func()) {
	viewer, done := s.Watch(keptBack), make(chan struct{})
	go func() {
		defer close(done)
		NewProgress(w, NewTerminal(w, getenv).Live).Watch(viewer)
	}()
	return func() { <-done }
}

// Watch shows what a viewer sees, until it sees no more. Where the terminal was too
// slow for the run, it says how much is not shown: the record has all of it.
func (p *Progress) Watch(v *live.Viewer) {
	for {
		e, lost, err := v.Next(context.Background()) // whoever watches a run sees its end
		if err != nil {
			p.Close()
			return
		}
		if lost > 0 {
			p.Note(fmt.Sprintf("%d events are not shown: the output did not keep up; the record has them", lost))
		}
		p.show(e)
	}
}

func (p *Progress) show(e live.Event) {
	switch e.Kind {
	case live.Begin:
		s := e.Scenario
		p.Begin(s.Name, s.About, strconv.FormatUint(s.Seed, 10), s.Dir, s.Phases)
	case live.PhaseBegin:
		p.Phase(e.Phase, e.Index)
	case live.StepEnd:
		var err error
		if e.Error != "" {
			err = errors.New(e.Error)
		}
		p.Step(e.Step, e.Took, err)
	case live.Tick:
		p.Tick(*e.Status)
	case live.PhaseEnd:
		p.EndPhase(e.Took, *e.Status)
	case live.Note:
		p.Note(e.Text)
	}
}
