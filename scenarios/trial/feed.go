package trial

import (
	"time"

	"throughline/live"
)

// feed publishes what a run tells of itself: run does not know who watches it, or how.
type feed struct{ to *live.Stream }

func (f feed) publish(e live.Event) {
	if f.to != nil {
		f.to.Publish(e)
	}
}

func (f feed) Phase(name string, index int) {
	f.publish(live.Event{Kind: live.PhaseBegin, Phase: name, Index: index})
}

func (f feed) EndPhase(took time.Duration, over live.Status) {
	f.publish(live.Event{Kind: live.PhaseEnd, Took: took, Status: &over})
}

func (f feed) Step(text string, took time.Duration, err error) {
	e := live.Event{Kind: live.StepEnd, Step: text, Took: took}
	if err != nil {
		e.Error = err.Error()
	}
	f.publish(e)
}

func (f feed) Tick(now live.Status) {
	f.publish(live.Event{Kind: live.Tick, Status: &now})
}

func (f feed) Note(text string) { f.publish(live.Event{Kind: live.Note, Text: text}) }
