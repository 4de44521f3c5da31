package synthetic

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

// Asker opens a record to questions: what an expression comes to at an offset, as an autoscaler
// reads it. Whoever opened it closes it.
type Asker func(h record.History) (answer Answer, closed func(), err error)

// Answer gives the samples of an expression at an offset.
type Answer func(on string, at time.Duration) ([]autoscale.Sample, error)

// Scaled is an autoscaler of a made-up run, and what is true of it.
type Scaled struct {
	Policy autoscale.Policy
	On     string
	Keys   []string // what the check of it promises, as YAML
	Gauge  bool     // it decides by a gauge of the requests in flight
	Early  bool     // it asks before the interval is over for whose end it asks
	Deaf   Span     // nobody answers it
	Kills  []time.Duration
	// Few and Many are the shares of the decisions that want fewer instances, or more, than any
	// metric would bring about that is right.
	Few, Many float64
	// May are the causes that a judge may name in this run, sorted. Must has sets of causes, of
	// each of which it has to name one.
	May  []string
	Must [][]string
}

// may has a cause among those that may be named.
func (s *Scaled) may(causes ...string) {
	s.May = append(s.May, causes...)
	slices.Sort(s.May)
	s.May = slices.Compact(s.May)
}

// change is a change of the fleet that an autoscaler has made.
type change struct {
	at     time.Duration
	wanted int
}

// mostChanges bounds how often a run is simulated: each change of the fleet takes another time.
const mostChanges = 80

// attemptsScaled is how often a run is drawn anew whose defect changed nothing that a judge must see.
const attemptsScaled = 4

// MakeScaled makes up a run with an autoscaler, which is asked what was measured until then. It is
// an error to ask for a cause that is not known, or that the asker cannot answer.
func MakeScaled(seed uint64, cause string, ask Asker) (Made, error) {
	if !slices.Contains(ScaledCauses(), cause) {
		return Made{}, fmt.Errorf("cause %s: no run with an autoscaler can be made up with it (have %v)", cause, ScaledCauses())
	}
	for attempt := range uint64(attemptsScaled) {
		plan := scaledPlan{seed, attempt, cause, asItIs}
		w, decisions, err := plan.settled(ask)
		if err != nil {
			return Made{}, err
		}
		if err := plan.truth(w, decisions, ask); err != nil {
			return Made{}, err
		}
		s := w.p.Scaled
		if struck := slices.ContainsFunc(s.Must, func(set []string) bool { return slices.Contains(set, cause) }); struck || cause == HealthyScaled || attempt == attemptsScaled-1 {
			w.h.Scenario = w.scenario()
			return Made{Seed: seed, Params: w.p, Truth: Truth{Cause: cause, About: w.f.about, Instances: map[string]Amount{}}, Record: w.h}, nil
		}
	}
	panic("no attempt was the last")
}

// settled simulates a run until its fleet does what its autoscaler decides: each time with one
// change more. What came before a change is the same again, for births draw from a chance of their
// own.
func (x scaledPlan) settled(ask Asker) (*world, []autoscale.Decision, error) {
	var changes []change
	for {
		w := x.world()
		w.changes = changes
		w.run()
		all, next, err := w.decideAll(ask)
		switch {
		case err != nil:
			return nil, nil, err
		case next == nil || len(changes) == mostChanges:
			if x.cause == notReplayed {
				all = x.spoil(w, all)
			}
			for _, d := range all {
				w.event(d.At+20*time.Millisecond, record.Decided, func(e *record.Event) { e.Decision = &d })
			}
			slices.SortStableFunc(w.h.Events, func(a, b record.Event) int { return cmp.Compare(a.At, b.At) })
			return w, all, nil
		}
		changes = append(changes, *next)
	}
}

// spoil has the journal tell one of the decisions otherwise than it was made, if the autoscaler
// itself asks as it should.
func (x scaledPlan) spoil(w *world, all []autoscale.Decision) []autoscale.Decision {
	if w.p.Scaled.Early {
		return all
	}
	rnd := rand.New(rand.NewPCG(x.seed, 0x5901))
	d := &all[rnd.IntN(len(all))]
	if rnd.IntN(2) == 0 || len(d.Samples) == 0 {
		w.f.about = fmt.Sprintf("the journal has another number for the decision at %v", d.At)
		d.Wanted++
		return all
	}
	w.f.about = fmt.Sprintf("the journal has another sample for the decision at %v", d.At)
	d.Samples = slices.Clone(d.Samples)
	d.Samples[0].Value *= 1.001
	return all
}

// yaml is the autoscaler as a scenario has it.
func (s *Scaled) yaml() string {
	p := s.Policy
	bounds := func(x autoscale.Pace) string {
		text := fmt.Sprintf("[%d", x.AtMost[0].Count)
		if len(x.AtMost) > 1 {
			text += fmt.Sprintf(", %d%%", x.AtMost[1].Percent)
		}
		return fmt.Sprintf("{at_most: %s], per: %v, after: %v}", text, x.Per, x.After)
	}
	return fmt.Sprintf("autoscale: {min: %d, max: %d, on: '%s', per: %s, target: %v, tolerance: %v, every: %v, missing: %s, up: %s, down: %s}\n",
		p.Min, p.Max, s.On, p.Form, p.Target, p.Tolerance, p.Every, p.Missing, bounds(p.Up), bounds(p.Down))
}

// scale makes the changes of an autoscaler, a moment after each was decided, and the kills between
// them.
func (w *world) scale() {
	if w.p.Scaled == nil {
		return
	}
	own, kills := w.rnd, w.p.Scaled.Kills
	for i, c := range append(slices.Clone(w.changes), change{at: forever}) {
		for len(kills) > 0 && kills[0] <= c.at {
			w.rnd = rand.New(rand.NewPCG(w.h.Run.Seed, 0x6b111+uint64(len(kills))))
			w.killAny(kills[0])
			kills = kills[1:]
		}
		w.rnd = rand.New(rand.NewPCG(w.h.Run.Seed, 0xb1a7+uint64(i)))
		t := c.at + 30*time.Millisecond
		if c.at == forever {
			break
		}
		for range c.wanted - len(w.alive()) {
			w.born(t)
		}
		for alive := w.alive(); len(alive) > c.wanted; alive = w.alive() {
			last := alive[len(alive)-1]
			w.terminate(last, max(t, last.serving+time.Millisecond))
		}
	}
	w.rnd = own
}

// killAny is the step that kills somebody.
func (w *world) killAny(t time.Duration) {
	var serving []*instance
	for _, in := range w.alive() {
		if in.serving <= t {
			serving = append(serving, in)
		}
	}
	victim := oneOf(w.rnd, serving...)
	step := func(e *record.Event) { e.Phase, e.Step = afterKill, killAny.String() }
	w.event(t, record.StepBegin, step)
	end := w.kill(victim, t)
	w.of(victim.name, end, record.StepEnd, step)
}

// decideAll decides at the interval ends of the load, up to the first decision that the fleet does
// not follow yet.
func (w *world) decideAll(ask Asker) (all []autoscale.Decision, next *change, err error) {
	answer, closed, err := ask(w.h)
	if err != nil {
		return nil, nil, err
	}
	defer closed()
	s := w.p.Scaled
	scaler, made, last := autoscale.New(s.Policy), 0, loadBegin
	for _, at := range w.ticks() {
		at = at.Truncate(time.Microsecond)
		if at < last+s.Policy.Every || at >= loadBegin+w.p.Long() {
			continue
		}
		last = at
		r := w.reading(at)
		switch asked := at; {
		case s.Policy.Outside(r.Had):
		case s.Deaf.has(at):
			r.Error = "connection refused"
		default:
			if s.Early {
				asked -= w.p.Interval
			}
			if r.Samples, err = answer(s.On, asked); err != nil {
				return nil, nil, err
			}
		}
		d := scaler.Decide(at, r)
		all = append(all, d)
		if d.Wanted == d.Had {
			continue
		}
		if made++; made > len(w.changes) {
			return all, &change{at, d.Wanted}, nil
		}
	}
	return all, nil, nil
}

// reading is the fleet at a time.
func (w *world) reading(t time.Duration) (r autoscale.Reading) {
	for _, in := range w.instances {
		switch {
		case in.birth > t || in.until <= t:
			continue
		case in.serving <= t:
			r.Ready = append(r.Ready, in.name)
		default:
			r.Unready = append(r.Unready, in.name)
		}
		r.Had++
	}
	return r
}
