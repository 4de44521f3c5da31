package run

import (
	"fmt"
	"sync"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// journal tells what happens in a run, in the record's file of that name: an event at
// 4.210 s, a trouble, a note. It is safe for concurrent use.
type journal struct {
	record *record.Writer
	// stamping is held from the look at the clock to the writing, so that entries
	// of the present moment stand in the order of their times, whoever makes them.
	stamping  sync.Mutex
	announcer *announcer // hears all of it; nil: nobody does
}

// newJournal begins the record of a run, and its journal. What the instances are told
// in their environment is not in it: passwords and keys are among that.
func newJournal(c Config) (*journal, error) {
	source, err := c.Scenario.Masked()
	if err != nil {
		return nil, err
	}
	w, err := record.Create(c.Dir, c.Run, source)
	if err != nil {
		return nil, err
	}
	w.Observe(c.Observer)
	w.Hide(script.Mask, c.Scenario.Secrets()...)
	return &journal{record: w}, nil
}

// event puts e into the journal at the present moment, unless it has one. A
// failure to write is kept by the writer.
func (j *journal) event(e record.Event) {
	j.stamping.Lock()
	defer j.stamping.Unlock()
	if e.At == 0 {
		e.At = j.offset(time.Now())
	}
	_ = j.record.Event(e)
	j.announcer.tell(e)
}

// offset is t as the record has times: since the start of the run.
func (j *journal) offset(t time.Time) time.Duration { return j.record.Offset(t) }

// trouble puts into the journal what the harness could not do or see.
func (j *journal) trouble(about string, count int64, why string) {
	j.event(record.Event{Kind: record.Trouble, About: about, Count: count, Error: why})
}

// note puts into the journal what is out of the ordinary and spoils nothing.
func (j *journal) note(about string, count int64, what string) {
	j.event(record.Event{Kind: record.Note, About: about, Count: count, Error: what})
}

// plural writes "1 line" and "2 lines".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
