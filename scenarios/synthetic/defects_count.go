package synthetic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// right is what a counter gets that is right.
func right(e execution) int {
	if e.route == insert && e.ok() {
		return 1
	}
	return 0
}

// half is the greatest share of counts that sampling is known to lose: what lacks as
// much evenly, at all instances alike, may be sampled.
const half = 0.5

// countDefects miss requests in the application.
var countDefects = []defect{
	{"not-counted", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		n := 2 + int(logBetween(rnd, 1, 50))
		random := chance(rnd, 0.5)
		has := some(rnd, 0.8)
		return faults{about: fmt.Sprintf("one insert in %d is not counted; at random: %v", n, random),
			count: func(x *worker, e execution) int {
				k := right(e)
				if k == 0 || !has(x.instance) {
					return k
				}
				if x.instance.seen++; random && chance(x.rnd, 1/float64(n)) || !random && x.instance.seen%n == 0 {
					return 0
				}
				return k
			},
			// A path that is missed and a condition that is met are the same thing
			// where the share is the same everywhere; so is sampling where half is gone.
			also: func(*world) []string {
				if n == 2 {
					return []string{"conditional-count", "sample-rate-not-sent"}
				}
				return []string{"conditional-count"}
			}}
	}},
	{"conditional-count", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		first, differs := 2+rnd.IntN(3), chance(rnd, 0.7)
		if p.Instances == 1 && differs {
			p.several(rnd)
		}
		share := func(in *instance) float64 {
			if differs {
				return 1 / float64(2+(first+in.number)%3)
			}
			return 1 / float64(first)
		}
		return faults{about: fmt.Sprintf("an insert is counted on a condition, about one in %d; in others otherwise: %v", first, differs),
			count: func(x *worker, e execution) int {
				if right(e) == 1 && chance(x.rnd, share(x.instance)) {
					return 1
				}
				return 0
			},
			also: func(w *world) []string {
				if differs && w.sharesDiffer() {
					return nil
				}
				// One share everywhere: it may be a sample rate as well.
				if first == 2 {
					return []string{"sample-rate-not-sent", "not-counted"}
				}
				return []string{"sample-rate-not-sent"}
			}}
	}},
	{"conditional-count", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		if p.Instances == 1 {
			p.several(rnd)
		}
		misses := 0.2 + 0.4*rnd.Float64()
		step := 0.1 + 0.1*rnd.Float64()
		return faults{about: fmt.Sprintf("only hits of a cache are counted, %.2f and more by %.2f from instance to instance", misses, step),
			count: func(x *worker, e execution) int {
				if right(e) == 1 && chance(x.rnd, min(0.95, misses+step*float64((x.instance.number-1)%4))) {
					return 1
				}
				return 0
			},
			also: func(w *world) []string {
				if w.sharesDiffer() {
					return nil
				}
				return []string{"not-counted"}
			}}
	}},
	{"sample-rate-not-sent", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		rate := oneOf(rnd, 0.05, 0.1, 0.1, 0.2, 0.25, 1/3.0, 0.5)
		return faults{about: fmt.Sprintf("the client samples at %.3g and does not say so", rate), sampled: rate,
			also: func(w *world) []string {
				if rate == half {
					return []string{"not-counted", "conditional-count"}
				}
				return nil
			}}
	}},
	{"first-sample-lost", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		n := 1 + rnd.IntN(3)
		return faults{about: fmt.Sprintf("the first %d inserts of an instance are not counted", n),
			count: func(x *worker, e execution) int {
				if k := right(e); k == 0 {
					return 0
				}
				if x.instance.seen++; x.instance.seen <= n {
					return 0
				}
				return 1
			}}
	}},
	{"first-sample-lost", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.Timers = true
		if p.Client.Aggregate == 0 {
			p.Client.Aggregate = logSpan(rnd, 40*time.Millisecond, 5*time.Second)
			p.setClient(p.Client)
		}
		c, jitter := p.Client, p.Jitter
		return faults{about: "the first value of the counter that a client sends is taken for where it begins",
			keep: func(x *worker, calls []call) []call {
				first := time.Duration(0)
				return without(calls, func(k call) bool {
					if k.metric != inserts {
						return false
					}
					window := x.tick(c.Aggregate, x.aggregate, jitter, k.at)
					if first == 0 {
						first = window
					}
					return window == first
				})
			},
			// What is lost of a window is what was counted in the first seconds.
			also: func(*world) []string { return []string{"silent-start"} }}
	}},
	{"burst", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		s := p.span(rnd, 300*time.Millisecond, 4*time.Second)
		has := some(rnd, 0.3)
		share := oneOf(rnd, 1, 1, 0.7)
		return faults{about: fmt.Sprintf("inserts from %v are not counted, %.1f of them", s, share),
			count: func(x *worker, e execution) int {
				if right(e) == 1 && has(x.instance) && s.has(e.at) && chance(x.rnd, share) {
					return 0
				}
				return right(e)
			}}
	}},
	{"no-metric", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		has, all := some(rnd, 0.3), chance(rnd, 0.5)
		return faults{about: fmt.Sprintf("nothing is ever sent of the counter; nor of anything else: %v", all),
			keep: func(x *worker, calls []call) []call {
				if !has(x.instance) {
					return calls
				}
				return without(calls, func(k call) bool { return all || k.metric == inserts })
			}}
	}},
	{"renamed", func(p *Params, rnd *rand.Rand) faults {
		has := some(rnd, 0.7)
		return faults{about: "the counter's name has the instance's in it",
			change: func(x *worker, k *call) bool {
				if has(x.instance) {
					k.metric = renamedInserts
				}
				return true
			}}
	}},
	{"wrong-type", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		has, after := some(rnd, 0.7), oneOf(rnd, 0, 0, 20, 100)
		return faults{about: fmt.Sprintf("the total is sent as a gauge, after %d inserts", after),
			change: func(x *worker, k *call) bool {
				if x.instance.seen++; has(x.instance) && x.instance.seen > after {
					k.metric, k.n = gaugedInserts, float64(x.instance.seen)
				}
				return true
			}}
	}},
	{"bad-lines", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		n, has := 2+int(logBetween(rnd, 1, 60)), some(rnd, 0.7)
		return faults{about: fmt.Sprintf("one line in %d of the counter makes no sense", n),
			change: func(x *worker, k *call) bool {
				x.instance.seen++
				k.bad = has(x.instance) && x.instance.seen%n == 0
				return true
			}}
	}},
}

// sharesDiffer tells whether the instances' counted shares differ by more than chance
// explains: Pearson's chi-squared, beyond three standard deviations of its own.
func (w *world) sharesDiffer() bool {
	var due, counted float64
	for _, in := range w.instances {
		due, counted = due+float64(in.due), counted+in.got.counted
	}
	share := counted / max(1, due)
	sum, free := 0.0, -1.0
	for _, in := range w.instances {
		if in.due == 0 {
			continue
		}
		off := in.got.counted - share*float64(in.due)
		sum += off * off / max(1e-9, float64(in.due)*share*(1-share))
		free++
	}
	return free > 0 && sum > free+3*math.Sqrt(2*free)
}

// without leaves calls out.
func without(calls []call, gone func(call) bool) []call {
	out := calls[:0]
	for _, k := range calls {
		if !gone(k) {
			out = append(out, k)
		}
	}
	return out
}
