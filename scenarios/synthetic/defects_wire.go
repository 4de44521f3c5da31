package synthetic

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// wireDefects strike datagrams on their way to the collector.
var wireDefects = []defect{
	{"datagrams-lost", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		rate, has := logBetween(rnd, 0.01, 0.4), some(rnd, 0.6)
		return faults{about: fmt.Sprintf("%.3f of all datagrams are lost", rate),
			datagrams: func(in *instance, d *datagram) int {
				if has(in) && chance(in.workers[0].rnd, rate) {
					return 0
				}
				return 1
			}}
	}},
	{"datagrams-lost", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		s, has := p.span(rnd, 300*time.Millisecond, 4*time.Second), func(in *instance) bool { return in.number == 1 }
		if p.Instances == 1 {
			p.several(rnd)
			s = p.span(rnd, 300*time.Millisecond, 4*time.Second)
		}
		return faults{about: fmt.Sprintf("all datagrams of web-1 from %v are lost", s),
			datagrams: func(in *instance, d *datagram) int {
				if has(in) && s.has(d.at) {
					return 0
				}
				return 1
			},
			// Where its end is in the stretch, nobody can tell whether it was its end.
			also: func(w *world) []string {
				for _, in := range w.instances {
					if has(in) && in.signal == "SIGTERM" && s.has(in.death) {
						return []string{"lost-on-exit", "went-silent"}
					}
				}
				return nil
			}}
	}},
	{"datagrams-duplicated", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		rate, has := oneOf(rnd, logBetween(rnd, 0.02, 0.5), 1), some(rnd, 0.6)
		return faults{about: fmt.Sprintf("%.3f of all datagrams arrive twice", rate),
			datagrams: func(in *instance, d *datagram) int {
				if has(in) && chance(in.workers[0].rnd, rate) {
					return 2
				}
				return 1
			}}
	}},
	{"truncated-datagrams", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.hold(rnd, 40*time.Millisecond, 5*time.Second)
		room, has, told := 1+rnd.IntN(4), some(rnd, 0.7), chance(rnd, 0.5)
		return faults{about: fmt.Sprintf("datagrams are cut in their %d. line; the collector sees it: %v", room+1, told),
			datagrams: func(in *instance, d *datagram) int {
				if has(in) && len(d.lines) > room {
					d.lines = d.lines[:room+1]
					d.lines[room].cut = true
					if told {
						in.got.cut = append(in.got.cut, d.at)
					}
				}
				return 1
			}}
	}},
	{"collector-away", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.Stalls = nil
		away := logSpan(rnd, 500*time.Millisecond, 5*time.Second)
		p.Phases = append(p.Phases, Phase{Name: "without a collector", Long: away + 4*time.Second,
			Steps: []Step{{Verb: "fault", Fault: "restart-collector", For: away}}})
		return faults{about: fmt.Sprintf("the collector is restarted, and away for %v", away), restarted: true}
	}},
	{"collector-away", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		s := p.span(rnd, 500*time.Millisecond, 5*time.Second)
		return faults{about: fmt.Sprintf("the collector is away from %v", s),
			datagrams: func(_ *instance, d *datagram) int {
				if s.has(d.at) {
					return 0
				}
				return 1
			}}
	}},
}
