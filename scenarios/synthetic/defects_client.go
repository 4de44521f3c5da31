package synthetic

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"throughline/scenarios/script"
)

// clientDefects are wrong between the application's call and the datagram.
var clientDefects = []defect{
	{"silent-start", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		long, has := logSpan(rnd, 300*time.Millisecond, 5*time.Second), some(rnd, 0.7)
		return faults{about: fmt.Sprintf("nothing is sent in the first %v of an instance's service", long),
			keep: func(x *worker, calls []call) []call {
				from := max(x.serving, loadBegin) + long
				return without(calls, func(k call) bool { return has(x.instance) && k.at < from })
			}}
	}},
	{"went-silent", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		has := some(rnd, 0.4)
		least := loadBegin + p.Long()/4
		when := between(rnd, least, loadBegin+p.Long()-1500*time.Millisecond)
		together := chance(rnd, 0.4)
		spread := rnd.Uint64()
		return faults{about: fmt.Sprintf("a client's socket is gone from %.2fs on, of all at the same time: %v", when.Seconds(), together),
			leaves: func(x *worker, k call, t time.Duration) leaving {
				from := when
				if !together { // an error strikes each when it comes
					from = least + time.Duration((spread>>(x.instance.number%8*8)&0xff)*uint64(loadBegin+p.Long()-1500*time.Millisecond-least)/256)
				}
				t = min(t, x.closed(t))
				return leaving{at: t, never: has(x.instance) && t >= from || x.killed() && t >= x.death}
			}}
	}},
	{"silent-worker", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.Workers = 2 + rnd.IntN(7)
		has := some(rnd, 0.8)
		return faults{about: fmt.Sprintf("one of %d workers sends nothing", p.Workers),
			keep: func(x *worker, calls []call) []call {
				if has(x.instance) && x.number == 0 {
					return nil
				}
				return calls
			}}
	}},
	{"late", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		by := logSpan(rnd, p.Lag+500*time.Millisecond, 8*time.Second)
		all := chance(rnd, 0.5)
		return faults{about: fmt.Sprintf("counts wait %v before they are sent; timers too: %v", by, all), punctual: p.Lag,
			later: func(x *worker, k call) time.Duration {
				if all || k.metric == inserts {
					return by
				}
				return 0
			},
			also: func(w *world) []string {
				for _, in := range w.instances {
					if in.killed() {
						return []string{"client-buffer-larger-than-declared"}
					}
				}
				return nil
			}}
	}},
	{"flush-interval", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.Interval, p.MaxGap = time.Second, time.Duration(1+rnd.IntN(2))*time.Second
		real := Client{Aggregate: time.Duration(2+rnd.IntN(4)) * time.Second, Bytes: 1432, TimersToo: chance(rnd, 0.5)}
		p.Declared = declared(100*time.Millisecond, 0)
		return faults{about: fmt.Sprintf("clients flush every %v only, and %v is declared", real.Aggregate, p.Declared), punctual: min(p.Lag, p.MaxGap),
			client: func(*instance) Client { return real }, also: undeclared(p, real)}
	}},
	{"wrapping-count", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.hold(rnd, time.Second, 10*time.Second)
		wrap, batches := oneOf(rnd, 16, 32, 64, 256), 0
		inWindow := func() float64 {
			share := float64(p.Insert) / float64(p.Insert+p.Get+p.Top)
			return p.Rate * share * p.Client.Hold().Seconds() / float64(p.Instances*p.Workers)
		}
		for wrap > 16 && inWindow() < float64(wrap) {
			wrap /= 2
		}
		for inWindow() < float64(wrap) && (p.Workers > 1 || p.Rate*p.Long().Seconds() < mostRequests) {
			if p.Workers = max(1, p.Workers-1); p.Workers == 1 {
				p.slow(p.Rate * 1.5)
			}
		}
		c, jitter := p.Client, p.Jitter
		return faults{about: fmt.Sprintf("a client's count of a window wraps at %d", wrap),
			keep: func(x *worker, calls []call) []call {
				kept := wrapped(x, c, jitter, calls, wrap)
				batches += (len(calls) - len(kept)) / wrap
				return kept
			},
			// One batch alone is a stretch of one metric that is missing.
			also: func(*world) []string {
				if batches == 1 {
					return []string{"burst"}
				}
				return nil
			}}
	}},
	{"worker-turnover", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		p.hold(rnd, 300*time.Millisecond, 5*time.Second)
		each := p.Rate * p.Long().Seconds() / float64(p.Instances*p.Workers)
		after := max(10, int(each/logBetween(rnd, 1.5, 12)))
		return faults{about: fmt.Sprintf("a worker is replaced after %d requests, and what its client holds is lost", after),
			recycle: after,
			// What is lost is of all metrics, at most a window at a time. A window that
			// is short beside the collector's interval leaves no more trace than a lost
			// datagram.
			also: func(w *world) []string {
				if w.p.Client.Hold() < w.p.Interval/2 {
					return []string{"datagrams-lost"}
				}
				return nil
			},
			leaves: func(x *worker, k call, t time.Duration) leaving {
				i, _ := slices.BinarySearch(x.recycled, k.at)
				if i < len(x.recycled) && x.recycled[i] < t {
					return leaving{never: true}
				}
				return leaving{at: t}
			}}
	}},
	{"client-queue-full", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		if p.Shape == script.Constant {
			p.Shape = script.Sine
			p.load(rnd)
		}
		if p.Shape == script.Sine {
			p.Swing = max(p.Swing, 0.4)
		}
		beat := logSpan(rnd, 50*time.Millisecond, time.Second)
		perBeat := p.Rate * beat.Seconds() / float64(p.Instances*p.Workers)
		if perBeat < 2 {
			beat, perBeat = time.Duration(float64(beat)*2/perBeat), 2
		}
		room := max(1, int(perBeat*(0.8+0.6*rnd.Float64())+0.5))
		shared, seen := p.Timers && chance(rnd, 0.5), cells{}
		if shared {
			room *= 3
		}
		return faults{about: fmt.Sprintf("a client's queue takes %d calls in %v and drops the others; of timers too: %v", room, beat, shared),
			keep: func(x *worker, calls []call) []call {
				seen.add(x, calls, p.Interval, 1, 0)
				kept := queued(calls, beat, room, shared)
				seen.add(x, kept, p.Interval, 0, 1)
				return kept
			},
			also: func(*world) []string {
				var also []string
				if shared { // all metrics lose their share at the peaks: a queue, or a socket
					also = append(also, "datagrams-lost")
				}
				if !seen.peaks() { // nobody can see that it is a queue
					also = append(also, "not-counted")
				}
				return also
			}}
	}},
}

// wrapped leaves out as many counts of each window as a counter of few bits does.
func wrapped(x *worker, c Client, jitter time.Duration, calls []call, wrap int) []call {
	inWindow := map[time.Duration]int{}
	window := func(k call) time.Duration {
		if c.Aggregate > 0 {
			return x.tick(c.Aggregate, x.aggregate, jitter, k.at)
		}
		return x.tick(c.Flush, x.flush, jitter, k.at)
	}
	for _, k := range calls {
		if k.metric == inserts {
			inWindow[window(k)]++
		}
	}
	for w, n := range inWindow {
		inWindow[w] = n / wrap * wrap
	}
	return without(slices.Clone(calls), func(k call) bool {
		if k.metric != inserts || inWindow[window(k)] == 0 {
			return false
		}
		inWindow[window(k)]--
		return true
	})
}

// queued leaves out what a queue has no room for that is emptied on the beat.
func queued(calls []call, beat time.Duration, room int, shared bool) []call {
	now, used := time.Duration(-1), 0
	return without(slices.Clone(calls), func(k call) bool {
		if !shared && k.metric.timer() {
			return false
		}
		if b := k.at / beat; b != now {
			now, used = b, 0
		}
		used++
		return used > room
	})
}

// cell is an instance in an interval, and cells what was counted in each, and kept.
type cell struct {
	instance int
	interval time.Duration
}

type cells map[cell][2]float64

func (c cells) add(x *worker, calls []call, interval time.Duration, counted, kept float64) {
	for _, k := range calls {
		if k.metric == inserts {
			at := cell{x.instance.number, k.at / interval}
			c[at] = [2]float64{c[at][0] + counted, c[at][1] + kept}
		}
	}
}

// peaks tells whether the busier half of the cells lost a greater share than the other,
// by more than chance does (two and a half standard deviations).
func (c cells) peaks() bool {
	// Cells as busy as each other keep an order of their own: the same run falls into
	// the same halves each time.
	order := slices.SortedFunc(maps.Keys(c), func(a, b cell) int {
		return cmp.Or(cmp.Compare(c[a][0], c[b][0]), cmp.Compare(a.interval, b.interval), cmp.Compare(a.instance, b.instance))
	})
	var n, lost [2]float64
	for i, at := range order {
		x, half := c[at], i*2/len(order)
		n[half], lost[half] = n[half]+x[0], lost[half]+x[0]-x[1]
	}
	share := (lost[0] + lost[1]) / max(1, n[0]+n[1])
	sigma := math.Sqrt(share * (1 - share) * (1/max(1, n[0]) + 1/max(1, n[1])))
	return lost[1]/max(1, n[1])-lost[0]/max(1, n[0]) > 2.5*sigma
}
