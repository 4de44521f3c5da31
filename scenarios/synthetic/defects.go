package synthetic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// defect is one thing that can be wrong. draw draws its size, and changes what it
// needs to be seen.
type defect struct {
	cause string
	draw  func(*Params, *rand.Rand) faults
}

// defects are all of them, by what they are called in docs/DIAGNOSES.md. A cause may
// stand here more than once, when programs come to it in more than one way.
var defects = slices.Concat(exitDefects, countDefects, surplusDefects, clientDefects, wireDefects)

// some draws which instances have a defect: all, or those of some numbers. A new
// instance may have it as well as one that was there from the beginning.
func some(rnd *rand.Rand, all float64) func(*instance) bool {
	if chance(rnd, all) {
		return func(*instance) bool { return true }
	}
	mask := rnd.Uint64() | 1<<rnd.Uint64N(3)
	return func(in *instance) bool { return mask>>(uint(in.number-1)%64)&1 == 1 }
}

// ensure gives the run a phase with the steps of a plot, if no step has the verb.
func (p *Params) ensure(rnd *rand.Rand, plots ...int) {
	verbs := map[int][]string{kills: {"kill"}, terminations: {"terminate", "replace"}, replacements: {"terminate", "replace"}}
	plot := oneOf(rnd, plots...)
	f := newFleet(p.Instances)
	for _, phase := range p.Phases {
		for _, s := range phase.Steps {
			if slices.Contains(verbs[plot], s.Verb) {
				return
			}
			f.follow(s)
		}
	}
	p.Phases = append(p.Phases, Phase{Name: "end of one", Long: 4 * time.Second, Steps: f.plot(plot, 0, 4*time.Second, rnd)})
}

// several has a run with a single instance have two to four, and no moves.
func (p *Params) several(rnd *rand.Rand) {
	p.Instances = 2 + rnd.IntN(3)
	p.Phases = []Phase{{Name: "warm-up", Long: max(p.Long(), 10*time.Second)}}
}

// undrained has all terminations come without draining.
func (p *Params) undrained() {
	for i := range p.Phases {
		for k := range p.Phases[i].Steps {
			if s := &p.Phases[i].Steps[k]; s.Verb == "terminate" {
				s.Abrupt = true
			}
		}
	}
}

// follow plays a step through.
func (f *fleet) follow(s Step) {
	switch s.Verb {
	case "kill", "terminate":
		f.end(s.Object)
	case "launch":
		f.launch(1)
	case "replace":
		n := 1
		if s.Object == "all" {
			n = len(f.alive)
			f.alive = nil
		}
		f.launch(n)
		f.end(s.Object)
	}
}

// hold gives the clients a hold between two times, where they have another.
func (p *Params) hold(rnd *rand.Rand, least, most time.Duration) {
	if h := p.Client.Hold(); h >= least && h <= most {
		return
	}
	c := p.Client
	h := logSpan(rnd, least, most)
	if c.Aggregate > 0 || chance(rnd, 0.7) {
		c.Aggregate, c.Flush = h, 0
	} else {
		c.Flush = h
	}
	p.setClient(c)
}

// exact takes the sampling away: a defect of whose amounts a sampling would hide.
func (p *Params) exact() { p.Rate1 = 1 }

// mostlyExact takes it away from most runs of a defect whose amounts are large.
func (p *Params) mostlyExact(rnd *rand.Rand) {
	if chance(rnd, 0.8) {
		p.exact()
	}
}

// span draws a stretch of the run that is neither its first nor its last second.
func (p *Params) span(rnd *rand.Rand, least, most time.Duration) Span {
	long := logSpan(rnd, least, min(most, p.Long()/3))
	from := loadBegin + between(rnd, 1500*time.Millisecond, p.Long()-long-1500*time.Millisecond)
	return Span{from, from + long}
}

func (s Span) has(t time.Duration) bool { return s.From <= t && t < s.To }

func (s Span) String() string {
	return fmt.Sprintf("%.2fs to %.2fs", s.From.Seconds(), s.To.Seconds())
}
