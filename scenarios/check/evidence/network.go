package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// hindrance is a time in which the network of a hop let nothing pass, or let it pass late: to one instance or, if none is
// named, to all.
type hindrance struct {
	hop      script.Hop
	instance string
	cut      bool
	Stretch
}

// indexHindrances finds them. Of each fault one is under way at a time.
func (e *Index) indexHindrances() {
	began := map[string]time.Duration{}
	for _, ev := range e.History.Events {
		cut := script.IsFault[script.CutNetwork](ev.Fault)
		if !cut && !script.IsFault[script.SlowNetwork](ev.Fault) && !script.IsFault[script.ThrottleNetwork](ev.Fault) {
			continue
		}
		at, under := began[ev.Fault]
		switch {
		case ev.Kind == record.FaultBegin:
			began[ev.Fault] = ev.At
		case ev.Kind == record.FaultEnd && under:
			e.hindrances = append(e.hindrances, hindrance{script.Hop(ev.Hop), ev.Instance, cut, Stretch{at, ev.At}})
			delete(began, ev.Fault)
		}
	}
}

// CutOff tells whether the network was cut, in some part of the time between from and to, so that an instance could acknowledge
// nothing to the users: on whichever hop, what it did came to nobody, or could not be done.
func (e *Index) CutOff(instance string, from, to time.Duration) bool {
	return e.hindered(instance, from, to, func(h hindrance) bool { return h.cut })
}

// OnItsWay tells whether a request that its user sent at from, and that an instance had answered at to, may have been on its
// way for most of that time: the network between the two let it, or its answer, pass late.
func (e *Index) OnItsWay(instance string, from, to time.Duration) bool {
	return e.hindered(instance, from, to, func(h hindrance) bool { return h.hop != script.WebDB })
}

// BeforeBalancer tells whether a request that its user sent at from and gave up at to may have come to the load balancer later,
// and so to an instance that was not there at to: the network between the two let it pass late.
func (e *Index) BeforeBalancer(from, to time.Duration) bool {
	return e.hindered("", from, to, func(h hindrance) bool { return h.hop == script.UsersLB })
}

func (e *Index) hindered(instance string, from, to time.Duration, of func(hindrance) bool) bool {
	return slices.ContainsFunc(e.hindrances, func(h hindrance) bool {
		return of(h) && (h.instance == "" || h.instance == instance) && h.To > from && h.From < to
	})
}
