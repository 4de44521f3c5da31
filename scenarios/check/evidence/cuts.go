package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// cut is a time in which the network of a hop was cut, to one instance or, if none is named, to all.
type cut struct {
	instance string
	Stretch
}

// indexCuts finds cuts of any hop, of which one is under way at a time. Whichever hop it was, what an instance acknowledged
// did not come to the users, or could not be done.
func (e *Index) indexCuts() {
	began := record.Never
	for _, ev := range e.History.Events {
		switch {
		case !script.IsFault[script.CutNetwork](ev.Fault):
		case ev.Kind == record.FaultBegin:
			began = ev.At
		case ev.Kind == record.FaultEnd && began != record.Never:
			e.cuts = append(e.cuts, cut{ev.Instance, Stretch{began, ev.At}})
			began = record.Never
		}
	}
}

// CutOff tells whether the network was cut, in some part of the time between from and to, so that an instance could acknowledge
// nothing to the users.
func (e *Index) CutOff(instance string, from, to time.Duration) bool {
	return slices.ContainsFunc(e.cuts, func(c cut) bool {
		return (c.instance == "" || c.instance == instance) && c.To > from && c.From < to
	})
}
