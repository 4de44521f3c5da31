package check

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// scaledPlan is a made-up run with an autoscaler.
type scaledPlan struct {
	yaml  string                             // the scenario's autoscale
	rate  func(due time.Duration) float64    // requests per second, since the begin of the load
	away  func(t time.Duration) bool         // the collector is not there
	hole  bool                               // and answers all the same, with nothing
	spoil func(h *record.History)            // what is wrong with the series, before anybody asks for them
	last  func(d *autoscale.Decision, k int) // changes the kth decision in the journal
	moves []move
}

// move is what the autoscaler has done.
type move struct {
	at     time.Duration
	wanted int
}

// autoscaled launches and terminates as the autoscaler has decided. Births draw their own
// chance, so that what comes before them stays what it was.
func (w *world) autoscaled() {
	rnd := w.rnd
	for i, m := range w.p.scaled.moves {
		w.rnd = rand.New(rand.NewPCG(w.p.seed, uint64(i)+77))
		t := m.at + 30*time.Millisecond
		for range m.wanted - len(w.alive()) {
			w.born(t)
		}
		for alive := w.alive(); len(alive) > m.wanted; alive = w.alive() {
			w.terminate(alive[len(alive)-1], t)
		}
	}
	w.rnd = rnd
}

// scaledRun plays a run with its autoscaler: again and again, each time with one more of the
// moves that follow from what was measured until then.
func scaledRun(t testing.TB, p plan) record.History {
	t.Helper()
	s, err := script.Parse("made-up.yaml", []byte(p.yaml()), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := s.Autoscale
	for {
		w := p.world()
		if p.scaled.away != nil {
			for i := range w.h.Series {
				x := &w.h.Series[i]
				x.Points = slices.DeleteFunc(slices.Clone(x.Points), func(y record.Point) bool { return p.scaled.away(y.At) })
			}
		}
		if p.scaled.spoil != nil {
			p.scaled.spoil(&w.h)
		}
		decisions, next := decideAll(t, w, a.Policy, a.On, p.scaled)
		if next != nil {
			p.scaled.moves = append(p.scaled.moves, *next)
			continue
		}
		for k, d := range decisions {
			if p.scaled.last != nil {
				p.scaled.last(&d, k)
			}
			tell(&w.h, record.Event{At: d.At + 20*time.Millisecond, Kind: record.Decided, Decision: &d})
		}
		return w.h
	}
}

// decideAll makes the decisions of a run, up to the first that the run does not follow yet.
func decideAll(t testing.TB, w *world, p autoscale.Policy, on string, scaled scaledPlan) ([]autoscale.Decision, *move) {
	t.Helper()
	e := evidence.New(w.h, script.Scenario{})
	defer e.Close()
	store, err := e.Prom()
	if err != nil {
		t.Fatal(err)
	}
	scaler, made := autoscale.New(p), 0
	var all []autoscale.Decision
	last := worldBegin
	for _, at := range w.ticks() {
		if at < last+p.Every || at >= w.end {
			continue
		}
		last = at
		r := w.reading(at)
		switch {
		case scaled.away != nil && scaled.away(at) && !scaled.hole:
			r.Error = "nobody answers"
		default:
			r.Samples = answered(t, store, on, p.Form, w.h.Run.Start.Add(at))
		}
		d := scaler.Decide(at, r)
		all = append(all, d)
		if d.Wanted == d.Had {
			continue
		}
		if made++; made > len(scaled.moves) {
			return nil, &move{at, d.Wanted}
		}
	}
	return all, nil
}

// reading is the fleet at a time.
func (w *world) reading(t time.Duration) (r autoscale.Reading) {
	for _, b := range w.beings {
		switch {
		case b.birth > t || b.until <= t:
			continue
		case b.serving <= t:
			r.Ready = append(r.Ready, b.name)
		default:
			r.Unready = append(r.Unready, b.name)
		}
		r.Had++
	}
	return r
}

func answered(t testing.TB, store *series.Store, on, form string, at time.Time) (out []autoscale.Sample) {
	t.Helper()
	answer, err := store.Query(context.Background(), on, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range answer.Series {
		x := autoscale.Sample{Value: s.Points[0].Value}
		if form == autoscale.Mean {
			x.Instance = s.Labels.Get("instance")
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b autoscale.Sample) int { return record.CompareNames(a.Instance, b.Instance) })
	return out
}

// Loads of which 9 in 10 requests are inserts.

func step(before, after float64, at time.Duration) func(time.Duration) float64 {
	return func(due time.Duration) float64 {
		if due < at {
			return before / 0.9
		}
		return after / 0.9
	}
}

func sine(mean, swing float64, period time.Duration) func(time.Duration) float64 {
	return func(due time.Duration) float64 {
		return (mean + swing*math.Sin(2*math.Pi*due.Seconds()/period.Seconds())) / 0.9
	}
}

// scaledYAML is an autoscaler on the inserts per second, 20 for each instance.
const scaledYAML = `autoscale:
  {min: 2, max: 12, on: %s, per: %s, target: 20, every: 2s, up: {at_most: 4, per: 4s}, down: {after: 6s, at_most: 2, per: 4s}%s}
`

func bySum(more string) string {
	return fmt.Sprintf(scaledYAML, "'sum(rate(fullstack_insert_total[5s]))'", "sum", more)
}

func byMean(more string) string {
	return fmt.Sprintf(scaledYAML, "'rate(fullstack_insert_total[5s])'", "mean", more)
}

// scaledTalk is a run of a minute with an autoscaler.
func scaledTalk(yaml string, rate func(time.Duration) float64, check string) plan {
	return plan{seed: 3, instances: 3, rate: 60, phases: []act{{"all", nil, 60 * time.Second}},
		checks: "  - conservation: {metric: fullstack.insert, route: insert}\n  - scaling: " + check + "\n",
		scaled: scaledPlan{yaml: yaml, rate: rate}}
}
