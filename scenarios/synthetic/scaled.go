package synthetic

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Asker opens a record to questions: what an expression comes to at an offset, as an autoscaler
// reads it. Whoever opened it closes it.
type Asker func(h record.History) (answer func(on string, at time.Duration) ([]autoscale.Sample, error), closed func(), err error)

// Scaled is an autoscaler of a made-up run.
type Scaled struct {
	Policy autoscale.Policy
	On     string
	Keys   string // what the check of it promises, as YAML
	// Strayed is the share of the decisions that want fewer instances (Few) or more (Many) than
	// those of a run that is the same but for its defect.
	Few, Many float64
}

// HealthyScaled is the cause of a run with an autoscaler in which nothing is wrong.
const HealthyScaled = "healthy-scaled"

// The causes that runs with an autoscaler are made up with, as docs/DIAGNOSES.md has them, and the
// defects of the counter that bring them about.
var misleading = map[string][]string{
	"misled-too-small":       {"not-counted", "sample-rate-not-sent", "silent-start", "late"},
	"misled-too-big":         {"double-instrumented"},
	"missing-taken-for-zero": {"no-metric"},
}

// ScaledCauses are those that MakeScaled takes, HealthyScaled first and then sorted.
func ScaledCauses() []string {
	var names []string
	for name := range misleading {
		names = append(names, name)
	}
	slices.Sort(names)
	return append([]string{HealthyScaled}, names...)
}

// change is a change of the fleet that an autoscaler has made.
type change struct {
	at     time.Duration
	wanted int
}

// mostChanges bounds how often a run is simulated: each change of the fleet takes another time.
const mostChanges = 80

// MakeScaled makes up a run with an autoscaler, which is asked what was measured until then. It is
// an error to ask for a cause that is not known, or that the asker cannot answer.
func MakeScaled(seed uint64, cause string, ask Asker) (Made, error) {
	if !slices.Contains(ScaledCauses(), cause) {
		return Made{}, fmt.Errorf("cause %s: no run with an autoscaler can be made up with it (have %v)", cause, ScaledCauses())
	}
	w, wrong, err := settled(seed, cause, true, ask)
	if err != nil {
		return Made{}, err
	}
	truth := Truth{Cause: cause, About: w.f.about, Instances: map[string]Amount{}}
	if cause != HealthyScaled {
		_, right, err := settled(seed, cause, false, ask)
		if err != nil {
			return Made{}, err
		}
		w.p.Scaled.compare(wrong, right)
		for name, share := range map[string]float64{"misled-too-small": w.p.Scaled.Few, "misled-too-big": w.p.Scaled.Many} {
			if share > 0 && name != cause {
				truth.Also = append(truth.Also, name)
			}
		}
		slices.Sort(truth.Also)
	}
	return Made{Seed: seed, Params: w.p, Truth: truth, Record: w.h}, nil
}

// compare sums up which decisions differ from those of the run without the defect.
func (s *Scaled) compare(wrong, right []autoscale.Decision) {
	few, many := 0, 0
	for k, d := range wrong[:min(len(wrong), len(right))] {
		switch cmp.Compare(d.Wanted, right[k].Wanted) {
		case -1:
			few++
		case 1:
			many++
		}
	}
	s.Few, s.Many = float64(few)/float64(len(wrong)), float64(many)/float64(len(wrong))
}

// settled simulates a run until its fleet does what its autoscaler decides: each time with one
// change more. What came before a change is the same again, for births draw from a chance of their
// own.
func settled(seed uint64, cause string, defect bool, ask Asker) (*world, []autoscale.Decision, error) {
	var changes []change
	for {
		w := scaledWorld(seed, cause, defect)
		w.changes = changes
		w.run()
		all, next, err := w.decideAll(ask)
		switch {
		case err != nil:
			return nil, nil, err
		case next == nil || len(changes) == mostChanges:
			for _, d := range all {
				w.event(d.At+20*time.Millisecond, record.Decided, func(e *record.Event) { e.Decision = &d })
			}
			slices.SortStableFunc(w.h.Events, func(a, b record.Event) int { return cmp.Compare(a.At, b.At) })
			return w, all, nil
		}
		changes = append(changes, *next)
	}
}

// scaledWorld draws the run of a seed, with its defect or without.
func scaledWorld(seed uint64, cause string, defect bool) *world {
	rnd := rand.New(rand.NewPCG(seed, 0x5ca1ed<<8|uint64(len(cause))))
	p, f := drawParams(rnd), faults{}
	if ways := misleading[cause]; len(ways) > 0 {
		p.setClient(Client{Aggregate: 40 * time.Millisecond, Bytes: 1432})
		f = oneOf(rnd, find(oneOf(rnd, ways...))...).draw(&p, rnd)
	}
	if !defect {
		about := f.about
		f = faults{about: about}
	}
	p.Workers, p.Interval, p.MaxGap = 1, time.Second, 2*time.Second
	p.Rate1, p.Recycle, p.Database = 1, 0, "docstore"
	p.Get, p.Top, p.Insert = 1, 0, 9
	p.Failing, p.Unanswered = 0, 0
	p.Instances = 2 + rnd.IntN(3)
	p.scaledLoad(rnd)
	p.Scaled = drawScaled(rnd, cause, p.Rate*0.9)
	p.drawProcesses(rand.New(rand.NewPCG(seed, 0x50c)))
	p.Recycle = 0
	return newWorld(seed, p, f, rnd)
}

// scaledLoad draws what an autoscaler follows: a load that swings, a step, a crowd, a night.
func (p *Params) scaledLoad(rnd *rand.Rand) {
	long := between(rnd, 35*time.Second, 55*time.Second).Round(100 * time.Millisecond)
	p.Phases = []Phase{{Name: "all", Long: long}}
	p.Stalls = nil
	p.Rate = 40 + 30*rnd.Float64()
	p.Swing, p.Period, p.Levels = 0, 0, nil
	at := (long / 4).Round(100 * time.Millisecond)
	level := func(share float64, long time.Duration) {
		p.Levels = append(p.Levels, script.Level{Rate: p.Rate * share, For: long})
	}
	switch rnd.IntN(4) {
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
	s := &Scaled{On: "sum(rate(fullstack_insert_total[5s]))"}
	p := autoscale.Policy{Min: 1 + rnd.IntN(2), Max: 12, Form: autoscale.Sum, Target: float64(int(rate / (2.5 + 3*rnd.Float64()))), Tolerance: 0.1,
		Every: oneOf(rnd, time.Second, 2*time.Second, 3*time.Second), Missing: oneOf(rnd, autoscale.Hold, autoscale.Zero, autoscale.Ignore)}
	if chance(rnd, 0.4) || cause == "missing-taken-for-zero" {
		p.Form, s.On = autoscale.Mean, "sum by (instance) (rate(fullstack_insert_total[5s]))"
	}
	if cause == "missing-taken-for-zero" {
		p.Missing = autoscale.Zero
	} else if cause != HealthyScaled {
		p.Missing = autoscale.Hold
	}
	p.Up = autoscale.Pace{AtMost: []autoscale.Bound{{Count: 1 + rnd.IntN(4)}, {Percent: 100}}, Per: oneOf(rnd, 2*time.Second, 4*time.Second)}
	p.Down = autoscale.Pace{AtMost: []autoscale.Bound{{Count: 1 + rnd.IntN(3)}}, Per: 4 * time.Second, After: oneOf(rnd, 0, 4*time.Second, 8*time.Second)}
	s.Policy, s.Keys = p, "still: yes"
	return s
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
	return fmt.Sprintf("autoscale: {min: %d, max: %d, on: '%s', per: %s, target: %v, every: %v, missing: %s, up: %s, down: %s}\n",
		p.Min, p.Max, s.On, p.Form, p.Target, p.Every, p.Missing, bounds(p.Up), bounds(p.Down))
}

// scale makes the changes of an autoscaler, a moment after each was decided.
func (w *world) scale() {
	own := w.rnd
	for i, c := range w.changes {
		w.rnd = rand.New(rand.NewPCG(w.h.Run.Seed, 0xb1a7+uint64(i)))
		t := c.at + 30*time.Millisecond
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
		if !s.Policy.Outside(r.Had) {
			if r.Samples, err = answer(s.On, at); err != nil {
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
