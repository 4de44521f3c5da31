package record

import (
	"time"

	"throughline/collector"
)

// Observer sees what is recorded while it is recorded: a page that shows the run.
// It is called in the order of the record, by whoever records and while others wait for
// it, so it only takes note. It must not call the Writer.
type Observer interface {
	Event(Event)
	Request(Request)
	// Sample is a point of a series, at a time on the run's clock. What s points to is
	// the recorder's: it is not to be kept or changed.
	Sample(at time.Duration, s *collector.Sample)
}

// Observe has an observer see all that is recorded from now on, and only what could be.
// nil: nobody does.
func (w *Writer) Observe(o Observer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observer = o
}
