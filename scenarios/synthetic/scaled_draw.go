package synthetic

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/script"
)

// HealthyScaled is the cause of a run with an autoscaler in which nothing is wrong.
const HealthyScaled = "healthy-scaled"

// Causes of runs with an autoscaler, as docs/DIAGNOSES.md has them.
const (
	tooSmall    = "misled-too-small"
	tooBig      = "misled-too-big"
	missingZero = "missing-taken-for-zero"
	deadCounted = "dead-still-counted"
	notReplayed = "decision-not-replayed"
	scaledLate  = "scaled-late"
	overshoot   = "overshoot"
	flapping    = "flapping"
	costly      = "costly-fleet"
)

// deaf is that nobody answers the autoscaler for a while. It is no defect of the metric.
const deaf = "deaf"

// misleading are the defects of the counter that bring causes about.
var misleading = map[string][]string{
	tooSmall: {"not-counted", "conditional-count", "sample-rate-not-sent", "silent-start", "late", "went-silent", "datagrams-lost", "renamed", "wrong-type",
		"bad-lines", "wrapping-count", "flush-interval", "collector-away", deaf},
	tooBig: {"double-instrumented", "counted-twice", "datagrams-duplicated", "other-route-counted", "probes-counted", "total-as-counter", "foreign-lines",
		"late", "flush-interval"},
	missingZero: {"no-metric", "wrong-type", "renamed", "silent-start"},
}

// ofPolicy are the causes that accuse the policy, and no metric.
var ofPolicy = []string{scaledLate, overshoot, flapping, costly}

// ScaledCauses are those that MakeScaled takes, HealthyScaled first and then sorted.
func ScaledCauses() []string {
	names := append(slices.Collect(maps.Keys(misleading)), deadCounted, notReplayed)
	names = append(names, ofPolicy...)
	slices.Sort(names)
	return append([]string{HealthyScaled}, names...)
}

// scaledPlan is which run is simulated, and whether as it is or as it would be with a right metric.
type scaledPlan struct {
	seed, attempt uint64
	cause         string
	way           scaledWay
}

// scaledWay is how the counter comes to the collector.
type scaledWay int

const (
	asItIs   scaledWay = iota
	flawless           // without the defect
	soonest            // without the defect, and each count at once
	latest             // without the defect, and each count as late as is declared
)

// world draws the run.
func (x scaledPlan) world() *world {
	rnd := rand.New(rand.NewPCG(x.seed, 0x5ca1ed<<8|x.attempt<<40|uint64(len(x.cause))))
	p, f := drawParams(rnd), faults{}
	client := scaledClient(rnd)
	if x.cause == flapping { // what it sends at once looks like a peak to who asks of no longer than that
		client = Client{Aggregate: 2 * time.Second, Bytes: 1432}
	}
	p.setClient(client)
	p.scaledLoad(rnd, x.cause)
	p.Instances, p.Get, p.Top, p.Insert = 2+rnd.IntN(3), 1, 0, 9
	p.Workers, p.Interval, p.MaxGap, p.Rate1, p.Failing, p.Unanswered = 1, time.Second, 4*time.Second, 1, 0, 0
	was := p
	deafened := false
	if ways := misleading[x.cause]; len(ways) > 0 {
		if way := oneOf(rnd, ways...); way == deaf {
			deafened = true
		} else {
			f = oneOf(rnd, find(way)...).draw(&p, rnd)
		}
	}
	if f.restarted { // its step would be one more phase
		f = faults{}
		deafened = true
	}
	// What a defect changes of the run itself is not for one that is scaled.
	p.Rate, p.Levels, p.Shape, p.Swing, p.Period, p.Phases, p.Stalls = was.Rate, was.Levels, was.Shape, was.Swing, was.Period, was.Phases, nil
	p.Instances, p.Get, p.Top, p.Insert = was.Instances, was.Get, was.Top, was.Insert
	p.Workers, p.Interval, p.MaxGap, p.Rate1, p.Failing, p.Unanswered = was.Workers, was.Interval, was.MaxGap, was.Rate1, was.Failing, was.Unanswered
	p.Database = "docstore"
	s := drawScaled(rnd, x.cause, p.Rate*0.9)
	if p.Scaled = s; deafened {
		s.Deaf = p.span(rnd, 4*time.Second, 14*time.Second)
		f.about = fmt.Sprintf("nobody answers the autoscaler from %v", s.Deaf)
	}
	if s.Gauge {
		p.Slow = between(rnd, 40*time.Millisecond, 70*time.Millisecond)
		s.Policy.Target = float64(10+rnd.IntN(10)) / 10
	}
	p.drawKill(rnd)
	p.drawProcesses(rand.New(rand.NewPCG(x.seed, 0x50c)))
	p.Recycle = 0
	if x.way != asItIs {
		f = faults{about: f.about}
	}
	switch x.way {
	case soonest:
		p.Client = Client{Bytes: 1432}
	case latest:
		by := p.Declared
		p.Client = Client{Bytes: 1432}
		f.later = func(*worker, call) time.Duration { return by }
	}
	return newWorld(x.seed, p, f, rnd)
}

// scaledClient draws a client whose counts are never so old that a question of some seconds is about another time.
func scaledClient(rnd *rand.Rand) Client {
	switch hold := oneOf(rnd, 0, 40*time.Millisecond, 100*time.Millisecond, 500*time.Millisecond, time.Second, 2*time.Second); {
	case hold == 0:
		return Client{Bytes: 512}
	case chance(rnd, 0.3):
		return Client{Flush: hold, Bytes: 1432}
	default:
		return Client{Aggregate: hold, Bytes: 1432}
	}
}

// The step that kills somebody, and the phase that it begins.
var killAny = Step{Verb: "kill", Object: "any"}

const afterKill = "after"

// drawKill has somebody killed in some of the runs.
func (p *Params) drawKill(rnd *rand.Rand) {
	if !chance(rnd, 0.3) {
		return
	}
	long := p.Long()
	before := between(rnd, long/4, long*3/4).Round(100 * time.Millisecond)
	p.Phases = []Phase{{Name: "all", Long: before}, {Name: afterKill, Long: long - before, Steps: []Step{killAny}}}
	p.Scaled.Kills = []time.Duration{loadBegin + before}
}

// scaledLoad draws what an autoscaler follows: a load that swings, a step, a crowd, a night.
func (p *Params) scaledLoad(rnd *rand.Rand, cause string) {
	long := between(rnd, 35*time.Second, 60*time.Second).Round(100 * time.Millisecond)
	p.Phases = []Phase{{Name: "all", Long: long}}
	p.Stalls = nil
	p.Rate = 40 + 30*rnd.Float64()
	p.Swing, p.Period, p.Levels = 0, 0, nil
	at := (long / 4).Round(100 * time.Millisecond)
	level := func(share float64, long time.Duration) {
		p.Levels = append(p.Levels, script.Level{Rate: p.Rate * share, For: long})
	}
	shapes := []int{0, 1, 2, 3}
	switch cause {
	case scaledLate:
		shapes = []int{1}
	case deadCounted, costly:
		shapes = []int{2, 3}
	case flapping:
		shapes = []int{1, 2, 3}
	case overshoot:
		shapes = []int{0, 1, 2}
	}
	switch oneOf(rnd, shapes...) {
	case 0:
		p.Shape, p.Swing, p.Period = script.Sine, 0.3+0.4*rnd.Float64(), between(rnd, 15*time.Second, 30*time.Second)
		return
	case 1:
		level(0.5, at)
		level(1.2+0.6*rnd.Float64(), long)
	case 2:
		level(0.6, at)
		level(1.5+rnd.Float64(), at)
		level(0.6, long)
	case 3:
		for _, share := range []float64{1.6, 1.2, 0.8} {
			level(share, at)
		}
		level(0.4, long)
	}
	p.Shape = script.Steps
}

// drawScaled draws an autoscaler for a mean rate of inserts.
func drawScaled(rnd *rand.Rand, cause string, rate float64) *Scaled {
	reach := oneOf(rnd, 3, 4, 5, 5, 5, 8, 10)
	s := &Scaled{}
	p := autoscale.Policy{Min: 1 + rnd.IntN(2), Max: 12, Form: autoscale.Sum, Target: float64(int(rate / (2.5 + 3*rnd.Float64()))),
		Tolerance: oneOf(rnd, 0, 0.05, 0.1, 0.1, 0.2),
		Every:     oneOf(rnd, time.Second, 2*time.Second, 3*time.Second), Missing: oneOf(rnd, autoscale.Hold, autoscale.Zero, autoscale.Ignore)}
	if chance(rnd, 0.4) || cause == missingZero {
		p.Form = autoscale.Mean
	}
	if cause == missingZero {
		p.Missing = autoscale.Zero
	}
	p.Up = autoscale.Pace{AtMost: []autoscale.Bound{{Count: 1 + rnd.IntN(4)}, {Percent: 100}}, Per: oneOf(rnd, 2*time.Second, 4*time.Second)}
	p.Down = autoscale.Pace{AtMost: []autoscale.Bound{{Count: 1 + rnd.IntN(3)}}, Per: 4 * time.Second, After: oneOf(rnd, 0, 4*time.Second, 8*time.Second)}
	switch cause {
	case scaledLate:
		reach = oneOf(rnd, 5, 10, 15)
		p.Up = autoscale.Pace{AtMost: []autoscale.Bound{{Count: 1}}, Per: oneOf(rnd, 4*time.Second, 8*time.Second), After: oneOf(rnd, 0, 4*time.Second)}
	case overshoot:
		// What an instance had at most while there were few, times how many there are now.
		p.Form, p.Max = autoscale.Mean, 24
		s.On = fmt.Sprintf("max_over_time(rate(fullstack_insert_total[%ds])[%ds:1s])", oneOf(rnd, 3, 5), 5+rnd.IntN(8))
		p.Every, p.Up = time.Second, autoscale.Pace{AtMost: []autoscale.Bound{{Count: 6}}, Per: 2 * time.Second}
	case flapping:
		reach, p.Every, p.Tolerance, p.Form = oneOf(rnd, 3, 4), oneOf(rnd, time.Second, 3*time.Second), oneOf(rnd, 0, 0.05), autoscale.Sum
		p.Up = autoscale.Pace{AtMost: []autoscale.Bound{{Count: 4}}, Per: 2 * time.Second}
		p.Down = p.Up
	case costly:
		// The most of a while keeps the fleet large for as long.
		p.Form, s.On = autoscale.Sum, fmt.Sprintf("max_over_time(sum(rate(fullstack_insert_total[3s]))[%ds:1s])", 12+rnd.IntN(14))
		p.Down = autoscale.Pace{AtMost: []autoscale.Bound{{Count: 4}}, Per: 2 * time.Second}
	case notReplayed:
		s.Early = chance(rnd, 0.3)
	case deadCounted:
		p.Form, s.Gauge = autoscale.Sum, true
		s.On = fmt.Sprintf("sum(%s_over_time(fullstack_inflight[%ds]))", oneOf(rnd, "max", "max", "last"), 15+rnd.IntN(20))
		p.Down.After = oneOf(rnd, 0, 4*time.Second)
	}
	switch {
	case s.On != "":
	case p.Form == autoscale.Mean:
		s.On = fmt.Sprintf("sum by (instance) (rate(fullstack_insert_total[%ds]))", reach)
	default:
		s.On = fmt.Sprintf("sum(rate(fullstack_insert_total[%ds]))", reach)
	}
	s.Policy = p
	return s
}

// inflight makes an instance's gauge of the requests in flight, which it sends a moment before each interval end of
// the load.
func (w *world) inflight(in *instance) {
	const before = 30 * time.Millisecond
	var flights []Span
	for _, r := range w.h.Requests {
		if r.Instance == in.name {
			flights = append(flights, Span{r.Sent + time.Millisecond, r.Done - time.Millisecond})
		}
	}
	a := &in.got
	var got []arrival
	for _, t := range w.ticks() {
		at := t - before
		if at < in.serving || at >= in.death || at > w.end+w.p.Interval {
			continue
		}
		n := 0
		for _, f := range flights {
			if f.has(at) {
				n++
			}
		}
		got = append(got, arrival{at, float64(n), 1})
		a.sources = append(a.sources, arrived{at, -1})
		for _, to := range []*[]time.Duration{&a.datagrams, &a.lines, &a.accepted, &a.values} {
			*to = append(*to, at)
		}
	}
	w.gauge(in, "fullstack.inflight", got)
}
