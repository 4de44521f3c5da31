// Package signals has the rules about what instances send, each metric by itself:
// whether it goes on without gaps, is one series of the right instance, keeps within
// what can be true, survives a shutdown, follows the users' load, and makes alerts and
// expressions say what they should.
//
// How the ledgers of neighbouring tiers add up is not asked here but in tiers.
// scenarios/check has the rules in its table.
package signals

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkContinuity = "continuity"

// deadGrace is how many intervals after its death an instance may still have
// points: its last datagrams belong to the interval that was running, and the
// collector learns of the death in the next.
const deadGrace = 2

// Continuity looks at cells, a series in an interval. A cell is expected when there are
// requests whose counts the client must have sent by its end, and not before; it is
// present when measurements arrived that may have been theirs. A value carried forward
// is not present.
type Continuity struct {
	Promise script.Continuity
	Window  time.Duration // how long the client buffers
	Rate    float64       // the sample rate, where a conservation check says it
}

// gap is a run of expected cells that are missing.
type gap struct {
	from, to time.Duration // the first request whose count is missing, and the next point
	missing  int64         // cells
	requests int64         // that were due in them
}

// trail is how the cells of one instance went: how many were looked at, and the gaps.
type trail struct {
	cells verdict.Cells
	gaps  []gap
}

// Judge looks at all instances, or says why it cannot.
func (c Continuity) Judge(e *evidence.Index) verdict.Result {
	var r verdict.Result
	worst := time.Duration(0)
	instances := 0
	lives, trips := c.lookedAt(e)
	trails := make([]trail, len(lives))
	var b *account.Books // made for the first gap
	for i, l := range lives {
		trails[i] = c.follow(e, l, trips[l.Instance])
	}
	for i, l := range lives {
		t := trails[i]
		r.Cells.LookedAt += t.cells.LookedAt
		r.Cells.Missing += t.cells.Missing
		if t.cells.LookedAt > 0 {
			instances++
		}
		for _, g := range t.gaps {
			if g.requests < enough(c.Rate) {
				continue // sampling may have left out all of them
			}
			held := e.AgentLate(l.Instance) // by an agent, as declared, in any gap
			excused, away, unasked := e.AgentGaps(l.Instance, c.Window-held, g.from, g.to)
			silent := g.to - g.from - e.Still(l.Instance, g.from, g.to) - max(excused, held)
			worst = max(worst, silent)
			if silent > c.Promise.MaxGap {
				f := c.gapFound(e, l, g, silent)
				if f.Outcome == verdict.Fail && unasked > 0 && silent-unasked <= c.Promise.MaxGap {
					f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
					f.Summary += fmt.Sprintf("; of it, its agent took %s longer to end, and another one to come, than the scenario asks for", words.Seconds(unasked))
				} else if f.Outcome == verdict.Fail && away > 0 && silent-away <= c.Promise.MaxGap {
					f.Cause = verdict.CauseAgentAway
					f.Summary += fmt.Sprintf("; no agent ran for %s of it: what %s said then, nobody took", words.Seconds(away), l.Instance)
				} else if f.Outcome == verdict.Fail && c.Promise.Role == "" {
					if b == nil {
						made := c.books(e)
						b = &made
					}
					d := c.causeOf(g, i, trails, e, b)
					f.Cause, f.RunnerUp, f.Possible = d.Cause, d.RunnerUp, d.Possible
				}
				r.Findings = append(r.Findings, f)
			}
		}
		r.Findings = append(r.Findings, c.deadSpeaks(e, l)...)
		if found := c.resets(e, l); len(found) > 0 {
			if b == nil && c.Promise.Role == "" {
				made := c.books(e)
				b = &made
			}
			r.Findings = append(r.Findings, alternating(e, b, i, found)...)
		}
	}
	r.Findings = append(r.Findings, c.summary(r, instances, worst))
	r.Sums = true
	return r
}

func (c Continuity) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkContinuity, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// gapFound reports a gap in which the instance was silent for so long. One that the collector
// or the machine made says nothing about the instance, and neither does one that is over what
// is allowed by no more than they were late themselves.
func (c Continuity) gapFound(e *evidence.Index, l record.Lifetime, g gap, silent time.Duration) verdict.Finding {
	f := c.finding(verdict.Fail, l.Instance, "%s of %s has a gap of %s from %s to %s: %s missing, max_gap is %s", c.Promise.Metric, l.Instance,
		words.Seconds(g.to-g.from), words.Seconds(g.from), words.Seconds(g.to), words.Times(g.missing, "cell"), c.Promise.MaxGap)
	f.From, f.To = g.from.Seconds(), g.to.Seconds()
	late := e.Waits(l.Instance, g.from-time.Second, g.to+time.Second)
	switch {
	case e.DroppedOf(l.Instance, c.Promise.Metric):
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: they may have been lost there"
	case late > account.TooLate(c.Promise.MaxGap) || silent-c.Promise.MaxGap <= late:
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += ", but the load generator or the collector was late itself then"
	}
	return f
}

func (c Continuity) summary(r verdict.Result, instances int, worst time.Duration) verdict.Finding {
	if r.Cells.LookedAt == 0 && c.Promise.Role != "" {
		return c.finding(verdict.Inconclusive, "", "continuity of %s: no cell was expected, because no instance of %s was there for longer than an interval and its client's window", c.Promise.Metric, c.Promise.Role)
	}
	if r.Cells.LookedAt == 0 {
		return c.finding(verdict.Inconclusive, "", "continuity of %s: no cell was expected, because no instance acknowledged requests of %s that had to be counted within an interval", c.Promise.Metric, c.Promise.Route)
	}
	f := c.finding(verdict.Pass, "", "continuity of %s: %s of %s looked at, %s missing, the longest gap %s of at most %s", c.Promise.Metric,
		words.Times(r.Cells.LookedAt, "cell"), words.Times(int64(instances), "instance"), words.Number(r.Cells.Missing), words.Seconds(worst), c.Promise.MaxGap)
	for _, found := range r.Findings {
		if f.Outcome == verdict.Pass || found.Outcome == verdict.Fail {
			f.Outcome = found.Outcome
		}
	}
	return f
}

// lookedAt are the instances to follow, and what each had to count.
func (c Continuity) lookedAt(e *evidence.Index) ([]record.Lifetime, map[string][]roundTrip) {
	if c.Promise.Role == "" {
		return e.LivesFor(c.Promise.Route), roundTrips(e, c.Promise.Route)
	}
	lives, work := e.LivesOf(c.Promise.Role), map[string][]roundTrip{}
	for _, l := range lives {
		work[l.Instance] = workOf(e, l)
	}
	return lives, work
}

// follow goes through the intervals of one instance. At the end of each it asks for the
// requests whose counts must have left the client since the last: those acknowledged
// before all that it may still hold. The count of each is in one of the points since the
// request was sent, for an application may count long before its user has the answer. With
// a window of 100 ms and intervals of a second, a request from 9.95 s to 10.02 s is due at
// 11 s, in the point of 10 s or that of 11 s.
func (c Continuity) follow(e *evidence.Index, l record.Lifetime, asked []roundTrip) trail {
	last := e.HeldSince(l.Instance, max(e.LastTick(), e.End), c.Window) // what is held when the record ends is not missing,
	if at := e.CutAt(l, c.Promise.Metric, c.Promise.Route); at != record.Never {
		last = e.HeldSince(l.Instance, at, c.Window) // nor what its end may have taken
	}
	asked = asked[:doneUpTo(asked, last)]
	asked = asked[doneUpTo(asked, e.FirstScrape(l.Instance)):] // before that nobody asked
	if len(asked) == 0 {
		return trail{}
	}
	present := presentAt(e.Counts(l.Instance, c.Promise.Metric))
	var t trail
	var open *gap
	points := 0
	for end := firstTick(e, asked[0].Done); len(asked) > 0; end += e.Interval {
		before := points
		for points < len(present) && present[points] <= end+e.Interval/2 { // points may be off the grid
			points++
		}
		if points > before && open != nil {
			open.to = end
			t.gaps = append(t.gaps, *open)
			open = nil
		}
		n := doneUpTo(asked, e.HeldSince(l.Instance, end, c.Window))
		due := asked[:n]
		if asked = asked[n:]; len(due) == 0 {
			continue
		}
		t.cells.LookedAt++
		if points > 0 {
			due = slices.DeleteFunc(slices.Clone(due), func(r roundTrip) bool { return r.Sent < present[points-1] })
		}
		if len(due) == 0 {
			continue
		}
		t.cells.Missing++
		if open == nil {
			open = &gap{from: due[0].Done}
		}
		open.to = end
		open.missing++
		open.requests += int64(len(due))
	}
	if open != nil {
		t.gaps = append(t.gaps, c.closed(*open, present))
	}
	return t
}

// closed ends a gap after the last expected cell at the next point, if one
// came.
func (c Continuity) closed(g gap, present []time.Duration) gap {
	if n := evidence.CountUpTo(present, g.to); n < int64(len(present)) {
		g.to = present[n]
	}
	return g
}

// presentAt gives the interval ends at which measurements had arrived, in order.
func presentAt(series []*record.Series) []time.Duration {
	var at []time.Duration
	for _, s := range series {
		for _, p := range s.Points {
			if p.Measured() {
				at = append(at, p.At)
			}
		}
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// deadSpeaks finds points of an instance after its death: whoever carries its
// last value on makes a dead instance look alive.
func (c Continuity) deadSpeaks(e *evidence.Index, l record.Lifetime) []verdict.Finding {
	if l.Death == record.Never {
		return nil
	}
	var names []string
	var points int64
	var last time.Duration
	for _, s := range e.Pushed[l.Instance] {
		if n, p := pointsOfDead(e, l, s); n > 0 {
			names, points, last = append(names, s.Name), points+n, max(last, p.At)
		}
	}
	if points == 0 {
		return nil
	}
	slices.Sort(names)
	f := c.finding(verdict.Fail, l.Instance, "%s died at %s and still has %s until %s (%s): nothing may come from the dead", l.Instance, words.Seconds(l.Death),
		words.Times(points, "point"), words.Seconds(last), words.Some(slices.Compact(names)))
	f.From, f.To, f.Cause = l.Death.Seconds(), last.Seconds(), verdict.CauseFrozen
	return []verdict.Finding{f}
}

// pointsOfDead counts the points that a series has after the death of its instance, and
// gives the last. As late as this machine was, the collector may have heard of the death.
func pointsOfDead(e *evidence.Index, l record.Lifetime, s *record.Series) (n int64, last record.Point) {
	quiet := e.Quiet(l)
	for _, p := range s.Points {
		if p.Stale || p.At <= quiet+deadGrace*e.Interval {
			continue
		}
		stall, flush := e.Delays(quiet, p.At)
		if p.At > quiet+deadGrace*e.Interval+max(stall, flush) {
			n++
			last = p
		}
	}
	return n, last
}

// alternating puts one finding in the place of many falls, where a count comes back after them.
func alternating(e *evidence.Index, b *account.Books, i int, falls []verdict.Finding) []verdict.Finding {
	if b == nil || i < 0 {
		return falls
	}
	d := b.Accounts[i].Alternates(e)
	if d.Cause == "" {
		return falls
	}
	f := falls[0]
	f.Cause, f.From, f.To = d.Cause, d.From.Seconds(), d.To.Seconds()
	f.Summary = fmt.Sprintf("of %s: %s", f.Instance, d.Why)
	return []verdict.Finding{f}
}

// resets finds counters that fall. Names of instances are not used twice, so
// that no birth can explain it.
func (c Continuity) resets(e *evidence.Index, l record.Lifetime) []verdict.Finding {
	var out []verdict.Finding
	for _, s := range e.Counts(l.Instance, c.Promise.Metric) {
		var last float64
		for _, p := range s.Points {
			if p.Stale {
				continue
			}
			if p.Value < last {
				f := c.finding(verdict.Fail, l.Instance, "%s of %s falls from %s to %s at %s without a birth: the counter was reset", s.Name, l.Instance,
					words.Number(evidence.Whole(last)), words.Number(evidence.Whole(p.Value)), words.Seconds(p.At))
				f.From, f.To, f.Cause = p.At.Seconds(), p.At.Seconds(), verdict.CauseReset
				out = append(out, f)
			}
			last = p.Value
		}
	}
	return out
}
