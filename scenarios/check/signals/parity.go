package signals

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkParity = "parity"

// Parity holds metrics that count the same thing against the first of them, instance by instance. In the end they are
// equal, but for what a SIGKILL may have taken of one and not of the other: what the other counted from the client's window
// before the kill on, and what was in flight, for one may count a request as it comes and the other as it is done. On the
// way one may be behind by client window, interval and max_lag.
//
// web-4 has 540 in a timer and 512 in a counter, and was not killed: 28 are counted once only. If 30 of the 540 came in the
// 100 ms before its SIGKILL or later, nothing is wrong.
type Parity struct {
	Promise script.Parity
	Rates   []float64 // the sample rates, where conservation checks say them
}

// side is one of two counts of an instance.
type side struct {
	metric script.Metric
	rate   float64
	curve  evidence.Curve
	total  int64
}

// pair is two counts of an instance.
type pair struct {
	life     record.Lifetime
	few, all side          // which has less in the end, and which has more
	lag      time.Duration // by which one may be behind
	bound    int64         // what a kill may have taken
	lost     int64         // what the one has less
	open     int64         // what may still be on its way as the record ends
}

// Judge looks at all instances, or says why it cannot.
func (c Parity) Judge(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	var instances, compared, bound int64
	for _, m := range c.Promise.Of {
		if !slices.ContainsFunc(e.Lives, func(l record.Lifetime) bool { return len(e.Counts(l.Instance, m)) > 0 }) {
			return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "parity of %s: %s is no counter and no timer of any instance, so nothing was compared", c.all(), m)}}
		}
	}
	flights := e.Flights(0)
	for _, l := range e.Lives {
		first := c.sideOf(e, l, 0)
		some := false
		for k := range c.Promise.Of[1:] {
			other := c.sideOf(e, l, k+1)
			if first.total == 0 && other.total == 0 {
				continue
			}
			some = true
			p := c.pairOf(e, l, flights, first, other)
			if f := c.differ(e, p); f != nil {
				out = append(out, *f)
			} else if f := c.behind(e, p); f != nil {
				out = append(out, *f)
			} else {
				bound += p.bound
			}
			compared += first.total
		}
		if some {
			instances++
		}
	}
	switch {
	case instances == 0:
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "parity of %s: no instance of the run counted anything, so nothing was compared", c.all())}}
	case len(out) == 0:
		f := c.finding(verdict.Pass, "", "parity of %s: they agree at each of %s, %s counted; %s", c.all(), words.Times(instances, "instance"), words.Number(compared/int64(len(c.Promise.Of)-1)), hidden(bound))
		f.Bound = bound
		out = append(out, f)
	}
	return verdict.Result{Findings: out}
}

// hidden tells what could hide in the bounds.
func hidden(bound int64) string {
	if bound == 0 {
		return "the bounds have no width"
	}
	return fmt.Sprintf("up to %s in what kills may have taken could hide", words.Number(bound))
}

func (c Parity) finding(o verdict.Outcome, instance, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkParity, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// all names the metrics.
func (c Parity) all() string {
	text := ""
	for k, m := range c.Promise.Of {
		if k > 0 {
			text += " and "
		}
		text += string(m)
	}
	return text
}

func (c Parity) sideOf(e *evidence.Index, l record.Lifetime, k int) side {
	s := side{metric: c.Promise.Of[k], rate: 1, curve: evidence.SumOf(e.Counts(l.Instance, c.Promise.Of[k]))}
	if k < len(c.Rates) {
		s.rate = c.Rates[k]
	}
	s.total = max(0, evidence.Whole(s.curve.Last()))
	return s
}

// pairOf lays out two counts of an instance. Of one that goes on counting when the users are done, the last counts may still
// be on their way as the record ends.
func (c Parity) pairOf(e *evidence.Index, l record.Lifetime, flights evidence.Flights, one, other side) pair {
	p := pair{life: l, few: one, all: other}
	if one.total > other.total {
		p.few, p.all = other, one
	}
	stall, flush := e.Delays(max(l.Birth, 0), e.LastTick())
	p.lag = c.Promise.ClientWindow + c.Promise.MaxLag + e.Interval + max(stall, flush)
	if at := e.KilledAt(l); at != record.Never {
		since := e.HeldSince(l.Instance, at, c.Promise.ClientWindow)
		if late := e.Stall(at-time.Second, at+time.Second); late >= evidence.LeastStall {
			since -= late
		}
		p.bound = max(0, evidence.Whole(p.all.curve.Since(since))) + flights.Most(l.Instance, since, at)
	}
	p.lost = p.all.total - p.few.total
	rested := e.End + c.Promise.ClientWindow + e.Interval + max(stall, flush)
	if last := e.LastTick(); (l.Death == record.Never || l.Death > last-deadGrace*e.Interval) && p.all.curve.Since(rested) > 0 {
		p.open = max(0, evidence.Whole(p.all.curve.Since(e.HeldSince(l.Instance, last, p.lag))))
	}
	return p
}

// differ is about two counts that are not the same in the end; nil: they are, as far as anybody can tell.
func (c Parity) differ(e *evidence.Index, p pair) *verdict.Finding {
	if p.lost <= p.bound+p.open || c.chance(e, p) {
		return nil
	}
	since := p.since(e)
	f := c.finding(verdict.Fail, p.life.Instance, "%s counted %s by %s and %s by %s: %s in the one and not in the other%s, since %s%s", p.life.Instance,
		words.Number(p.few.total), p.few.metric, words.Number(p.all.total), p.all.metric, words.Times(p.lost, "count"), p.allowed(), words.Seconds(since), after(e, p.life, since))
	f.Lost, f.Bound, f.Cause = p.lost, p.bound+p.open, verdict.CauseCountsDiffer
	f.From, f.To = since.Seconds(), max(since, e.LastTick()).Seconds()
	if p.life.Death != record.Never {
		f.To = max(since, p.life.Death).Seconds()
	}
	if e.DroppedOf(p.life.Instance, p.few.metric) {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: they may have been lost there"
	}
	return &f
}

func (p pair) allowed() string {
	if p.bound == 0 {
		return ""
	}
	return fmt.Sprintf(" (its SIGKILL explains at most %s)", words.Number(p.bound))
}

// since is from when on the one never caught up with the other again: the begin of the interval in which the first count came
// that it lacks for good.
func (p pair) since(e *evidence.Index) time.Duration {
	at := slices.Concat(p.all.curve.At, p.few.curve.At)
	slices.Sort(at)
	at = slices.Compact(at)
	first := len(at) - 1
	for k, t := range slices.Backward(at) {
		if p.all.curve.UpTo(t)-p.few.curve.UpTo(t) < 0.5 {
			break
		}
		first = k
	}
	return max(at[first]-e.Interval, p.life.Birth, 0)
}

// behind is about a count that comes too late beside the other one.
func (c Parity) behind(e *evidence.Index, p pair) *verdict.Finding {
	if p.few.rate < 1 || p.all.rate < 1 {
		return nil // by chance either is ahead
	}
	end := e.LastTick()
	if at := e.KilledAt(p.life); at != record.Never {
		end = at - p.lag // what a kill takes is behind for good
	}
	for _, s := range []struct{ ahead, late side }{{p.all, p.few}, {p.few, p.all}} {
		for k, t := range s.ahead.curve.At {
			then := t + p.lag + e.Still(p.life.Instance, t, t+p.lag)
			if then > end {
				break
			}
			if n := evidence.Whole(s.ahead.curve.N[k] - s.late.curve.UpTo(then)); n > 0 && s.late.curve.Last() >= s.ahead.curve.N[k]-0.5 {
				f := c.finding(verdict.Fail, p.life.Instance, "%s agrees in the end, but %s lacked %s at %s that %s had at %s: max_lag is %s", p.life.Instance,
					s.late.metric, words.Times(n, "count"), words.Seconds(then), s.ahead.metric, words.Seconds(t), c.Promise.MaxLag)
				f.From, f.To, f.Cause = t.Seconds(), then.Seconds(), verdict.CauseCountsDiffer
				return &f
			}
		}
	}
	return nil
}

// chance tells whether sampling can have made the two totals of one number of things.
func (c Parity) chance(e *evidence.Index, p pair) bool {
	if p.few.rate >= 1 && p.all.rate >= 1 {
		return false
	}
	alpha := (1 - c.Promise.Confidence) / float64(2*max(1, len(e.Lives)))
	_, most := p.few.things(alpha)
	least, _ := p.all.things(alpha)
	return least-p.bound-p.open <= most
}

// things is how many there can have been of what a side counted.
func (s side) things(alpha float64) (least, most int64) {
	if s.rate >= 1 {
		return s.total, s.total
	}
	kept := evidence.Whole(float64(s.total) * s.rate)
	reach := int(float64(kept+30)/s.rate) * 4
	least = kept + int64(sort.Search(reach, func(n int) bool {
		_, greatest := account.SampledRange(kept+int64(n), kept+int64(n), s.rate, alpha)
		return greatest >= kept
	}))
	most = kept + int64(sort.Search(reach, func(n int) bool {
		fewest, _ := account.SampledRange(kept+int64(n), kept+int64(n), s.rate, alpha)
		return fewest > kept
	})) - 1
	return least, most
}

// after tells which event of the instance came right before two counts went apart.
func after(e *evidence.Index, l record.Lifetime, since time.Duration) string {
	died := l.Death
	if l.Signalled != record.Never {
		died = record.Never // of what it got
	}
	events := []struct {
		at   time.Duration
		text string
	}{{l.Birth, "its birth"}, {l.Draining, "it was drained"}, {l.Signalled, "it " + ending(l)}, {died, "its death"}}
	text, nearest := "", time.Duration(-1)
	for _, ev := range events {
		if ev.at != record.Never && ev.at > nearest && ev.at <= since+e.Interval && ev.at >= since-2*e.Interval {
			text, nearest = fmt.Sprintf(", after %s at %s", ev.text, words.Seconds(ev.at)), ev.at
		}
	}
	return text
}
