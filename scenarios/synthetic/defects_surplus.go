package synthetic

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// surplusDefects count too much.
var surplusDefects = []defect{
	{"counted-twice", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		n, has, random := 2+int(logBetween(rnd, 1, 50)), some(rnd, 0.8), chance(rnd, 0.5)
		return faults{about: fmt.Sprintf("one insert in %d is counted twice; at random: %v", n, random),
			count: func(x *worker, e execution) int {
				k := right(e)
				if k == 0 || !has(x.instance) {
					return k
				}
				if x.instance.seen++; random && chance(x.rnd, 1/float64(n)) || !random && x.instance.seen%n == 0 {
					return 2
				}
				return k
			}}
	}},
	{"double-instrumented", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		times, has := oneOf(rnd, 2, 2, 2, 3), some(rnd, 0.8)
		return faults{about: fmt.Sprintf("each insert counts %d", times),
			count: func(x *worker, e execution) int {
				if has(x.instance) {
					return times * right(e)
				}
				return right(e)
			}}
	}},
	{"sample-rate-not-applied", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		rate, has := oneOf(rnd, 0.1, 0.2, 0.25, 0.5), some(rnd, 0.8)
		return faults{about: fmt.Sprintf("every insert is sent, with the rate %v", rate),
			change: func(x *worker, k *call) bool {
				if has(x.instance) {
					k.rate = rate
				}
				return true
			}}
	}},
	{"total-as-counter", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		has := some(rnd, 0.8)
		return faults{about: "each insert adds the total so far",
			change: func(x *worker, k *call) bool {
				if x.instance.seen++; has(x.instance) {
					k.n = float64(x.instance.seen)
				}
				return true
			}}
	}},
	{"foreign-lines", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		s, has, rate := p.span(rnd, 2*time.Second, 20*time.Second), some(rnd, 0.3), logBetween(rnd, 1, 40)
		if chance(rnd, 0.5) {
			s = Span{loadBegin - time.Second, loadBegin + p.Long()}
		}
		return faults{about: fmt.Sprintf("somebody else sends the counter to the instance's address, %.1f/s from %v", rate, s),
			foreign: func(w *world, in *instance) []time.Duration {
				if !has(in) {
					return nil
				}
				var out []time.Duration
				for t := max(s.From, in.birth); t < min(s.To, in.death); t += time.Duration(float64(time.Second) / rate) {
					out = append(out, t)
				}
				return out
			}}
	}},
	{"failures-counted", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.Only2xx, p.Failing = true, logBetween(rnd, 0.01, 0.3)
		return faults{about: fmt.Sprintf("inserts that fail, %.3f of all, are counted too", p.Failing),
			count: func(x *worker, e execution) int {
				if e.route == insert {
					return 1
				}
				return 0
			}}
	}},
	{"other-route-counted", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		if p.Get == 0 {
			p.Get = 1 + rnd.IntN(9)
		}
		other := get
		if p.Top > 0 && chance(rnd, 0.5) {
			other = top
		}
		has := some(rnd, 0.9)
		return faults{about: fmt.Sprintf("the counter counts the route %s as well", other),
			count: func(x *worker, e execution) int {
				if e.route == other && e.ok() && has(x.instance) {
					return 1
				}
				return right(e)
			}}
	}},
	{"probes-counted", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		has := some(rnd, 0.9)
		return faults{about: fmt.Sprintf("probes of health, every %v, are counted too", p.Probe),
			count: func(x *worker, e execution) int {
				if e.route == health && has(x.instance) {
					return 1
				}
				return right(e)
			}}
	}},
	{"burst", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		s, has, times := p.span(rnd, 300*time.Millisecond, 4*time.Second), some(rnd, 0.3), 2+rnd.IntN(3)
		return faults{about: fmt.Sprintf("inserts from %v count %d each", s, times),
			count: func(x *worker, e execution) int {
				if has(x.instance) && s.has(e.at) {
					return times * right(e)
				}
				return right(e)
			}}
	}},
}
