package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/script"
)

// hindrance is a time in which the network of a hop let nothing pass, or let it pass late: to one instance or, if none is
// named, to all.
type hindrance struct {
	hop      script.Hop
	instance string
	cut      bool
	Stretch
	// settled is when what it held back had been worked off.
	settled time.Duration
}

// indexHindrances finds them.
func (e *Index) indexHindrances() {
	cuts := script.IsFault[script.CutNetwork]
	hinders := func(fault string) bool {
		return cuts(fault) || script.IsFault[script.SlowNetwork](fault) || script.IsFault[script.ThrottleNetwork](fault)
	}
	for _, f := range e.FaultSpans(hinders) {
		h := hindrance{hop: script.Hop(f.End.Hop), instance: f.End.Instance, cut: cuts(f.End.Fault), Stretch: f.Stretch, settled: f.To}
		if h.hop != script.WebDB {
			h.settled = e.workedOff(h.To)
		}
		e.hindrances = append(e.hindrances, h)
	}
}

// workedOff is until when requests were held up by those that came before them, where a network let all pass at t that it had
// held back: as long as those that were sent meanwhile took longer than an interval. Of a cut of 4 s that ended at 10 s, 600
// requests came to the load balancer at once, and who sent one at 11 s waited for his answer until 12.5 s.
func (e *Index) workedOff(t time.Duration) time.Duration {
	var long []Stretch
	for i := range e.History.Requests {
		if r := &e.History.Requests[i]; r.Done > t && r.Done-r.Sent > e.Interval {
			long = append(long, Stretch{r.Sent, r.Done})
		}
	}
	slices.SortFunc(long, func(a, b Stretch) int { return CompareTimes(a.From, b.From) })
	for _, r := range long {
		if r.From > t {
			break
		}
		t = max(t, r.To)
	}
	return t
}

// CutOff tells whether the network was cut, in some part of the time between from and to, so that an instance could acknowledge
// nothing to the users: on whichever hop, what it did came to nobody, or could not be done.
func (e *Index) CutOff(instance string, from, to time.Duration) bool {
	return e.hindered(instance, from, to, func(h hindrance) bool { return h.cut })
}

// OnItsWay tells whether a request that its user sent at from, and that an instance had answered at to, may have been on its
// way for most of that time: the network between the two let it, or its answer, pass late, or so many others that it waited
// behind them.
func (e *Index) OnItsWay(instance string, from, to time.Duration) bool {
	return slices.ContainsFunc(e.hindrances, func(h hindrance) bool {
		return h.hop != script.WebDB && (h.instance == "" || h.instance == instance) && h.settled > from && h.From < to
	})
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
