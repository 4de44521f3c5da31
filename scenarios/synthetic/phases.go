package synthetic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// fleet plays the moves through while they are drawn.
type fleet struct {
	next     int // number of the next instance
	alive    []string
	database bool
}

func newFleet(instances int) *fleet {
	f := &fleet{next: 1}
	f.launch(instances)
	return f
}

func (f *fleet) launch(n int) {
	for range n {
		f.alive = append(f.alive, fmt.Sprintf("web-%d", f.next))
		f.next++
	}
}

func (f *fleet) end(name string) {
	f.alive = slices.DeleteFunc(f.alive, func(n string) bool { return n == name })
}

// most requests of a run, so that thousands of runs are made in minutes.
const mostRequests = 4000

// drawPhases draws a plot: quiet, kills, terminations, replacements, a rolling
// deploy, short lives, freezes.
func drawPhases(rnd *rand.Rand, p *Params) []Phase {
	long := between(rnd, 10*time.Second, 60*time.Second)
	if limit := time.Duration(mostRequests / p.Rate * float64(time.Second)); long > limit {
		long = max(limit, 10*time.Second)
	}
	if p.Rate*long.Seconds() > mostRequests {
		p.slow(mostRequests / long.Seconds())
	}
	if least := 150 / p.Rate; long.Seconds() < least {
		long = min(60*time.Second, time.Duration(least*float64(time.Second)))
	}
	f := newFleet(p.Instances)
	f.database = p.Database != "none"
	n := 2 + rnd.IntN(3)
	plot := rnd.IntN(8)
	phases := []Phase{{Name: "warm-up", Long: share(long, n, rnd)}}
	for i := range n - 1 {
		phase := Phase{Name: fmt.Sprintf("phase %d", i+1), Long: share(long, n, rnd)}
		phase.Steps = f.plot(plot, i, phase.Long, rnd)
		if plot == shortLives {
			phase.Long = between(rnd, 2*time.Second, 4*time.Second).Round(100 * time.Millisecond)
		}
		if plot != freezes {
			phases = append(phases, phase)
			continue
		}
		still := Phase{Name: phase.Name + ", frozen", Steps: phase.Steps[:1], Long: logSpan(rnd, 500*time.Millisecond, 4*time.Second)}
		phase.Steps = phase.Steps[1:]
		phases = append(phases, still, phase)
	}
	return phases
}

// slow lowers the rate.
func (p *Params) slow(rate float64) {
	for i := range p.Levels {
		p.Levels[i].Rate *= rate / p.Rate
	}
	p.Rate = rate
}

// share is about the nth part of long.
func share(long time.Duration, n int, rnd *rand.Rand) time.Duration {
	part := time.Duration(float64(long) / float64(n) * (0.7 + 0.6*rnd.Float64()))
	return max(part, 3*time.Second).Round(100 * time.Millisecond)
}

// The plots.
const (
	quiet = iota
	kills
	terminations
	replacements
	rolling
	shortLives
	mixed
	freezes
)

// plot draws the steps of the ith phase after the first.
func (f *fleet) plot(plot, i int, long time.Duration, rnd *rand.Rand) []Step {
	if plot == mixed {
		plot = kills + rnd.IntN(4)
	}
	name := f.alive[rnd.IntN(len(f.alive))]
	switch plot {
	case kills:
		return f.kill(name, rnd)
	case terminations:
		steps := f.terminate(name)
		steps[0].Abrupt = steps[0].Verb == "terminate" && chance(rnd, 0.3)
		return steps
	case replacements:
		return f.replace(name)
	case rolling:
		if i == 0 && long > time.Duration(len(f.alive))*1500*time.Millisecond {
			n := len(f.alive)
			f.alive = f.alive[:0]
			f.launch(n)
			return []Step{{Verb: "replace", Object: "all"}}
		}
	case shortLives: // the one that was born last ends when the next phase begins
		if i%2 == 0 {
			f.launch(1)
			return []Step{{Verb: "launch", Object: "1"}}
		}
		last := f.alive[len(f.alive)-1]
		if chance(rnd, 0.5) {
			return f.kill(last, rnd)
		}
		return f.terminate(last)
	case freezes:
		on := "freeze"
		if f.database && chance(rnd, 0.3) {
			on, name = "freeze-database", ""
		}
		return []Step{{Verb: "fault", Object: name, Fault: on}, {Verb: "heal", Object: name, Fault: on}}
	}
	return nil
}

// kill kills one, and has another one take its place where it was the last, or by chance.
func (f *fleet) kill(name string, rnd *rand.Rand) []Step {
	steps := []Step{{Verb: "kill", Object: name}}
	if len(f.alive) == 1 {
		f.launch(1)
		steps = []Step{{Verb: "launch", Object: "1"}, {Verb: "kill", Object: name}}
	} else if chance(rnd, 0.5) {
		f.launch(1)
		steps = append(steps, Step{Verb: "launch", Object: "1"})
	}
	f.end(name)
	return steps
}

func (f *fleet) terminate(name string) []Step {
	if len(f.alive) == 1 {
		return f.replace(name)
	}
	f.end(name)
	return []Step{{Verb: "terminate", Object: name}}
}

func (f *fleet) replace(name string) []Step {
	f.launch(1)
	f.end(name)
	return []Step{{Verb: "replace", Object: name}}
}
