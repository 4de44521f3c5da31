package trial

import (
	"time"

	"throughline/live"
	"throughline/scenarios/run"
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

func (f feed) EndPhase(took time.Duration, over run.Status) {
	status := live.Status(over)
	f.publish(live.Event{Kind: live.PhaseEnd, Took: took, Status: &status})
}

func (f feed) Step(text string, took time.Duration, err error) {
	e := live.Event{Kind: live.StepEnd, Step: text, Took: took}
	if err != nil {
		e.Error = err.Error()
	}
	f.publish(e)
}

func (f feed) Tick(now run.Status) {
	status := live.Status(now)
	f.publish(live.Event{Kind: live.Tick, Status: &status})
}

func (f feed) Note(text string) { f.publish(live.Event{Kind: live.Note, Text: text}) }
