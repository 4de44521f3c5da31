package evidence

import (
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// handover is a reload of the load balancer that the journal tells of.
type handover struct {
	last  time.Duration // the last poll of the old worker
	first time.Duration // the first of the new one
	// until is when the old worker had surely handed over. A poll that fell
	// into the reload bears the time at which it was asked, and was answered later.
	until time.Duration
}

// replacesBalancer tells whether a fault puts another process into the place of the load balancer's, which counts from zero.
func replacesBalancer(fault string) bool {
	return script.IsFault[script.ReloadLB](fault) || script.IsFault[script.KillLB](fault)
}

// stitch lets HAProxy's counters go on over the reloads that were asked for: a
// new worker counts from zero. Where nobody has asked for it a fall stays one,
// for resets to find.
func (e *Index) stitch() {
	for _, ev := range e.History.Events {
		if ev.Kind != record.FaultBegin || !replacesBalancer(ev.Fault) {
			continue
		}
		if r, ok := e.reloadAt(ev.At); ok {
			e.reloads = append(e.reloads, r)
		}
	}
	if len(e.reloads) == 0 {
		return
	}
	for name, all := range e.Polled {
		if !e.Tiers.Of(record.LayerLB).Holds(name) {
			continue
		}
		for i, s := range all {
			if s.Meta.Type == collector.Counter {
				all[i] = e.stitched(s)
			}
		}
	}
}

// reloadAt finds the polls around a reload that began at begin: the first at
// which a counter has fallen, if it comes before the fault has ended or soon
// after, is the first of the new worker, and the one before the old one's last.
func (e *Index) reloadAt(begin time.Duration) (handover, bool) {
	ended, until := begin, begin
	for _, ev := range e.History.Events {
		if ev.Kind == record.FaultEnd && replacesBalancer(ev.Fault) && ev.At >= begin {
			ended, until = ev.At, ev.At+Settle*e.Interval
			break
		}
	}
	found := handover{first: Forever}
	for name, all := range e.Polled {
		if !e.Tiers.Of(record.LayerLB).Holds(name) {
			continue
		}
		for _, s := range all {
			for k := 1; k < len(s.Points); k++ {
				before, p := s.Points[k-1], s.Points[k]
				if s.Meta.Type == collector.Counter && p.HasNumber() && before.HasNumber() && p.Value < before.Value && p.At > begin && p.At <= until && p.At < found.first {
					found = handover{last: before.At, first: p.At}
				}
			}
		}
	}
	found.until = max(found.first, ended)
	return found, found.first != Forever
}

// stitched adds to a series what it had before each reload. The last numbers of
// a server that was removed before do not begin anew: they are not the worker's
// but remembered.
func (e *Index) stitched(s *record.Series) *record.Series {
	out := *s
	out.Points = slices.Clone(s.Points)
	for _, r := range e.reloads {
		if e.removedBy(s.Labels.Get("instance"), r.first) {
			continue
		}
		var base float64
		for k, p := range s.Points {
			switch {
			case p.At < r.first && p.HasNumber():
				base = p.Value
			case p.At >= r.first:
				out.Points[k].Value += base
			}
		}
	}
	return &out
}

func (e *Index) removedBy(instance string, t time.Duration) bool {
	return slices.ContainsFunc(e.EventsOf(instance), func(ev *record.Event) bool { return ev.Kind == record.Removed && ev.At < t })
}

// NotPolled is how many requests the old worker of a reload may have had in
// hand after it was last asked: those that were under way between its last poll
// and the end of the reload. With an instance, those that it answered, and
// those of which nobody knows who did.
func (e *Index) NotPolled(instance string) int64 {
	if e.unpolled == nil {
		e.indexUnpolled()
	}
	if instance != "" {
		return e.unpolled[instance] + e.unpolled[""]
	}
	var n int64
	for _, of := range e.unpolled {
		n += of
	}
	return n
}

func (e *Index) indexUnpolled() {
	e.unpolled = map[string]int64{}
	for _, r := range e.reloads {
		for i := range e.History.Requests {
			if q := &e.History.Requests[i]; q.Done > r.last && q.Sent < r.until {
				e.unpolled[q.Instance] += max(1, int64(q.Attempts))
			}
		}
	}
}
