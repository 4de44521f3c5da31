package honesty

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// workersSeries is how many workers an httpd has, by its scoreboard.
const workersSeries = record.ApachePrefix + "workers"

// limitingHTTPD is the proof of the limit of an httpd: while it was in force, its scoreboard had no more workers, and its log
// has no more requests at once. One of them must show it: the scoreboard by being read, or, where who asks for it waits
// with all others, the log by as many requests at once as there may be.
func limitingHTTPD() faultProof {
	p := striking[script.LimitHTTPD]()
	p.effect = func(m *moves, t taken, move script.BeginFault) []string {
		did := m.struck(t, move)
		if did == nil || len(m.e.History.Passages) == 0 {
			return did
		}
		until := m.healBegan(m.fault(record.FaultEnd, move.Fault.Name(), t.begin))
		limit := int64(move.Fault.(script.LimitHTTPD).Workers)
		// What was asked for just before it was healed may be answered after.
		read, asked := 0, until-2*m.e.History.Run.Interval
		for _, s := range m.scoreboards(move.Instance) {
			at, most, times := s.most(t.end, asked)
			if most > limit {
				m.fails(t.step, s.instance, at, "the httpd of %s had %s at %s", s.instance, words.Times(most, "worker"), words.Seconds(at))
				return nil
			}
			read += times
		}
		most := int64(0)
		peaks := m.atOnce(move.Instance, t.end, until)
		for _, instance := range slices.SortedFunc(maps.Keys(peaks), record.CompareNames) {
			busy := peaks[instance]
			if busy.n > limit {
				m.fails(t.step, instance, busy.at, "%s were on the httpd of %s at once at %s", words.Times(busy.n, "request"), instance, words.Seconds(busy.at))
				return nil
			}
			most = max(most, busy.n)
		}
		if read == 0 && most < limit {
			m.fails(t.step, move.Instance, t.end, "nobody could read its scoreboard, and its log has %s at once at most, of %s that it may have", words.Times(most, "request"), words.Number(limit))
			return nil
		}
		return append(did, fmt.Sprintf("%s at once, and never more", words.Times(most, "request")))
	}
	return p
}

// scoreboard is how many workers one httpd had.
type scoreboard struct {
	instance string
	workers  map[time.Duration]int64 // busy and idle together, by when it was asked
}

// scoreboards are those of the httpd before an instance, or with "" of all.
func (m *moves) scoreboards(of string) (all []scoreboard) {
	by := map[string]map[time.Duration]int64{}
	for _, s := range m.e.Polled[workersSeries] {
		instance := s.Labels.Get("instance")
		if of != "" && instance != of {
			continue
		}
		if by[instance] == nil {
			by[instance] = map[time.Duration]int64{}
		}
		for _, p := range s.Points {
			if !p.Stale && p.Observed > 0 {
				by[instance][p.At] += int64(p.Value)
			}
		}
	}
	for instance, workers := range by {
		all = append(all, scoreboard{instance, workers})
	}
	slices.SortFunc(all, func(a, b scoreboard) int { return record.CompareNames(a.instance, b.instance) })
	return all
}

// most is the most workers that there were between from and to, when first, and how often it was read.
func (s scoreboard) most(from, to time.Duration) (at time.Duration, n int64, times int) {
	for when, workers := range s.workers {
		if when < from || when > to {
			continue
		}
		if times++; workers > n || workers == n && when < at {
			at, n = when, workers
		}
	}
	return at, n, times
}

// peak is the most requests that were on an httpd at once, and when.
type peak struct {
	n  int64
	at time.Duration
}

// atOnce is the peak of each httpd, or of that before an instance, by its log: of requests that it took up and ended
// between from and to. Ends and beginnings are of one clock, and a worker takes up nothing before it has logged
// what it had.
func (m *moves) atOnce(of string, from, to time.Duration) map[string]peak {
	type change struct {
		at time.Duration
		by int64
	}
	by := map[string][]change{}
	for i := range m.e.History.Passages {
		x := &m.e.History.Passages[i]
		begun := x.At - x.Took
		if of != "" && x.Instance != of || begun < from || x.At > to {
			continue
		}
		by[x.Instance] = append(by[x.Instance], change{begun, 1}, change{x.At, -1})
	}
	peaks := map[string]peak{}
	for instance, changes := range by {
		slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
		var now int64
		for _, c := range changes {
			if now += c.by; now > peaks[instance].n {
				peaks[instance] = peak{now, c.at}
			}
		}
	}
	return peaks
}
