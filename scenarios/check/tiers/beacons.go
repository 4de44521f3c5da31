package tiers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

var checkBeacons = script.BeaconsSent{}.Kind()

// Beacons holds what pages told the collector against the pages that users got, one by
// one, by the X-Request-Id of each. A browser that is closed may never send its beacon, so
// that the one side is exact and the other a declared share: of 1,000 pages at share 0.9
// there may be 848 beacons and more, but no two of one page, none of a page that nobody
// got, and none from before its page. What the collector said that it took it has; what it
// has somebody sent; and its counter and its timer are as many as came.
//
// A beacon's time is that from the request to the page as its user has it: less than the
// user waited it cannot be, and more than went by until it came neither. The load balancer
// has no times of single requests, so that what is inside is compared with the application's
// timer: see nested.
type Beacons struct{ Promise script.BeaconsSent }

// pageTold is what is known of the beacons of one page.
type pageTold struct {
	row                                int           // in the users' ledger; -1: there is none
	first                              time.Duration // when its user sent the first of them; record.Never: not as far as is known
	sent, acked, unknown, came, counts int64
}

// toldOf is what pages told, sorted.
type toldOf struct {
	pages map[uint64]*pageTold // of those that told, or seem to have

	acked, sent, came, told int64 // pages that users got; beacons written to the wire; that came; pages that told
	phases                  []phaseTold

	twice, foreign, early, lost requestSet
	ungot                       requestSet // of pages that nobody got, though they were sent when that was known
	short, long                 requestSet // told too little, and too much
	shortFits, longFits         int64      // of those, that would fit in another unit
	refused, unreached          requestSet // never taken, as users know
	preflights                  int64      // of the refused, that were never sent
	unanswered                  int64      // of unknown outcome, and they did not come
	times                       []float64  // in seconds, of the pages' first beacons
}

// phaseTold counts pages, and their beacons, by the phase in which the pages were there: so no phase has more beacons than
// pages, where all is well.
type phaseTold struct {
	name              string
	from              time.Duration
	acked, sent, came int64
}

// Judge looks at all pages, or says that there were none.
func (c Beacons) Judge(e *evidence.Index) verdict.Result {
	t := c.sort(e)
	if t.acked == 0 {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "beacons%s: no page was acknowledged, so nothing was compared", c.of())}}
	}
	out := t.findings()
	if f := c.share(e, t); f != nil {
		out = append(out, *f)
	}
	out = append(out, c.counted(e)...)
	if f := c.nested(e, t); f != nil {
		out = append(out, *f)
	}
	if len(out) == 0 {
		out = append(out, c.summary(t))
	}
	return verdict.Result{Findings: out}
}

func (c Beacons) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkBeacons, Outcome: o, Layer: record.LayerUsers, Summary: fmt.Sprintf(format, args...)}
}

// of is " of insert", or nothing where it is about all pages.
func (c Beacons) of() string {
	if c.Promise.Route == "" {
		return ""
	}
	return " of " + c.Promise.Route
}

func (c Beacons) about(route string) bool { return c.Promise.Route == "" || c.Promise.Route == route }

// sort puts every page, beacon and arrival where it belongs.
func (c Beacons) sort(e *evidence.Index) *toldOf {
	t := &toldOf{pages: map[uint64]*pageTold{}, phases: phasesOf(e)}
	for i := range e.History.Requests {
		if r := &e.History.Requests[i]; c.about(r.Route) && r.Outcome == record.Acked {
			t.acked++
			t.phase(r.Done).acked++
		}
	}
	for i := range e.History.Beacons {
		if b := &e.History.Beacons[i]; c.about(b.Route) {
			t.beacon(e, b)
		}
	}
	for i := range e.History.Arrivals {
		if a := &e.History.Arrivals[i]; c.about(a.Route) {
			c.arrival(e, a, t)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(t.pages)) {
		p := t.pages[seq]
		if p.row < 0 {
			continue
		}
		r := &e.History.Requests[p.row]
		// Who acknowledged it has it: the collector counts before it answers.
		if lost := p.acked - p.came; lost > 0 {
			t.lost.add(lost, r.Done, func() string { return idOf(e, seq) })
		}
		if p.counts > 0 && r.Outcome == record.Acked {
			t.told++
		}
		t.unanswered += max(0, p.unknown-max(0, p.came-p.acked))
	}
	slices.Sort(t.times)
	return t
}

// page is where a page's beacons are counted.
func (t *toldOf) page(e *evidence.Index, seq uint64) *pageTold {
	p := t.pages[seq]
	if p == nil {
		p = &pageTold{row: -1, first: record.Never}
		if row, ok := e.RowOf(&record.Execution{Seq: seq}); ok {
			p.row = row
		}
		t.pages[seq] = p
	}
	return p
}

// beacon is one in the users' ledger.
func (t *toldOf) beacon(e *evidence.Index, b *record.Beacon) {
	p := t.page(e, b.Seq)
	name := func() string { return idOf(e, b.Seq) }
	if p.first == record.Never || b.Sent < p.first {
		p.first = b.Sent
	}
	if b.Attempts > 0 {
		t.sent++
		p.sent++
		t.phaseOf(e, p, b.Sent).sent++
	}
	switch {
	case b.Outcome == record.Acked:
		p.acked++
	case b.Outcome == record.Unknown:
		p.unknown++
	case strings.HasPrefix(b.Err, record.PreflightRefused):
		t.preflights++
		t.refused.add(1, b.Done, name)
	case b.Status > 0:
		t.refused.add(1, b.Done, name)
	default:
		t.unreached.add(1, b.Done, name)
	}
}

// arrival is one that the collector took.
func (c Beacons) arrival(e *evidence.Index, a *record.Arrival, t *toldOf) {
	t.came++
	if a.Foreign {
		t.phase(a.At).came++
		t.foreign.add(1, a.At, func() string { return fmt.Sprintf("%q", a.PageID) })
		return
	}
	p := t.page(e, a.Seq)
	name := func() string { return idOf(e, a.Seq) }
	t.phaseOf(e, p, a.At).came++
	p.came++
	switch {
	case p.row < 0, e.History.Requests[max(0, p.row)].Route != a.Route, p.came > p.acked+p.unknown:
		t.foreign.add(1, a.At, name) // of no page, or of another one, or not what its user sent
		return
	}
	p.counts++
	r := &e.History.Requests[p.row]
	if p.counts > 1 {
		t.twice.add(1, a.At, name)
		return
	}
	switch {
	case a.At+e.Apart() < r.Done, p.first != record.Never && p.first < r.Done:
		t.early.add(1, a.At, name)
		return
	case r.Outcome != record.Acked:
		t.ungot.add(1, a.At, name)
		return
	}
	t.times = append(t.times, a.Latency.Seconds())
	c.told(e, a, r, t)
}

// phasesOf are the phases that began, and the time before them.
func phasesOf(e *evidence.Index) []phaseTold {
	var out []phaseTold
	for i, p := range e.Scenario.Phases {
		if from, _, _ := e.Phase(i); from != record.Never {
			out = append(out, phaseTold{name: p.Name, from: from})
		}
	}
	if len(out) == 0 {
		out = append(out, phaseTold{})
	}
	return out
}

// phaseOf is the phase of a page, to which its beacons belong; of one that there never was, that of a time.
func (t *toldOf) phaseOf(e *evidence.Index, p *pageTold, otherwise time.Duration) *phaseTold {
	if p.row < 0 {
		return t.phase(otherwise)
	}
	return t.phase(e.History.Requests[p.row].Done)
}

// phase is the one that a time is in; what comes before the first or after the last belongs to that.
func (t *toldOf) phase(at time.Duration) *phaseTold {
	i := len(t.phases) - 1
	for i > 0 && at < t.phases[i].from {
		i--
	}
	return &t.phases[i]
}

// findings are those of single beacons.
func (t *toldOf) findings() []verdict.Finding {
	var out []verdict.Finding
	add := func(of requestSet, cause, format string) *verdict.Finding {
		if of.n == 0 {
			return nil
		}
		f := Beacons{}.finding(verdict.Fail, format, words.Times(of.n, "beacon"), strings.Join(of.names, ", "))
		f.Extra, f.Cause, f.From, f.To = of.n, cause, of.from.Seconds(), of.to.Seconds()
		out = append(out, f)
		return &out[len(out)-1]
	}
	add(t.twice, verdict.CauseBeaconTwice, "%s came of pages that had told already: %s")
	add(t.foreign, verdict.CauseBeaconForeign, "%s came that no page of this run sent: %s")
	add(t.ungot, "", "%s came of pages that nobody got: %s")
	add(t.early, verdict.CauseBeaconEarly, "%s told before their users had the page: %s")
	if f := add(t.lost, "", "%s missing that the collector had said it took: %s"); f != nil {
		f.Lost, f.Extra = f.Extra, 0
	}
	if f := add(t.short, verdict.CauseBeaconEarly, "%s told less than their users waited: %s"); f != nil {
		f.Extra = 0
		if t.shortFits == t.short.n {
			f.Cause = verdict.CauseWrongUnit
			f.Summary += "; multiplied by 1,000 they would fit: they are in another unit than milliseconds"
		}
	}
	if f := add(t.long, verdict.CauseNotNested, "%s told more than went by until they came: %s"); f != nil {
		f.Extra = 0
		if t.longFits == t.long.n {
			f.Cause = verdict.CauseWrongUnit
			f.Summary += "; divided by 1,000 they would fit: they are in another unit than milliseconds"
		}
	}
	return out
}

// oneInAMillion is the chance of a false alarm of a share that is kept.
const oneInAMillion = 1e-6

// share compares the pages that told with the promised share; nil: there are enough. Beacons that found no collector, or had no
// answer of it, say nothing where the machine kept users and collector waiting for longer than half of what a user waits.
func (c Beacons) share(e *evidence.Index, t *toldOf) *verdict.Finding {
	least, _ := account.SampledRange(t.acked, t.acked, c.Promise.Share, 2*oneInAMillion)
	if t.told >= least {
		return nil
	}
	f := c.finding(verdict.Fail, "too few pages%s told of themselves: %s of %s did (%s), and of a share of %v there would be %s at least", c.of(), words.Number(t.told),
		words.Times(t.acked, "page"), percentOf(t.told, t.acked), c.Promise.Share, words.Number(least))
	f.Lost = least - t.told
	switch {
	case t.refused.n >= f.Lost:
		f.Lost, f.Cause = t.refused.n, verdict.CauseBeaconRefused
		f.From, f.To = t.refused.from.Seconds(), t.refused.to.Seconds()
		if t.preflights > 0 {
			f.Summary += fmt.Sprintf("; the collector refused the preflight of %s, which browsers then never send", words.Times(t.preflights, "beacon"))
		}
		if answered := t.refused.n - t.preflights; answered > 0 {
			f.Summary += fmt.Sprintf("; it refused %s that came", words.Times(answered, "beacon"))
		}
	case t.unreached.n > 0:
		f.From, f.To = t.unreached.from.Seconds(), t.unreached.to.Seconds()
		f.Summary += fmt.Sprintf("; %s found no collector", words.Times(t.unreached.n, "beacon"))
	}
	if stall, flush := e.Delays(e.Begin, e.End); t.told+t.unreached.n+t.unanswered >= least && max(stall, flush) > account.TooLate(e.Scenario.Load.Timeout) {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += ", but the load generator or the collector was late itself"
	}
	return &f
}

func percentOf(part, whole int64) string {
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(max(1, whole)))
}

// summary tells what was compared.
func (c Beacons) summary(t *toldOf) verdict.Finding {
	var phases []string
	for _, p := range t.phases {
		phases = append(phases, fmt.Sprintf("%s %s, %s, %s", p.name, words.Number(p.acked), words.Number(p.sent), words.Number(p.came)))
	}
	text := fmt.Sprintf("beacons%s hold: %s, %s sent and %s came, each once, after its page, and with its user's time; %s of the pages told, and %v promised (pages, sent, came: %s)",
		c.of(), words.Times(t.acked, "page"), words.Number(t.sent), words.Number(t.came), percentOf(t.told, t.acked), c.Promise.Share, strings.Join(phases, "; "))
	if n := t.unreached.n; n > 0 {
		text += fmt.Sprintf("; %s found no collector", words.Times(n, "beacon"))
	}
	if n := t.refused.n; n > 0 {
		text += fmt.Sprintf("; the collector refused %s", words.Times(n, "beacon"))
	}
	times := account.SpectrumOfTimes(t.times)
	if len(t.times) > 0 {
		text += fmt.Sprintf("; they tell of p50 %s, p99 %s", millis(times.About(0.5)), millis(times.About(0.99)))
	}
	return c.finding(verdict.Pass, "%s", text)
}
