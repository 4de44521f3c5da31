package synthetic

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// exitDefects lose or double what a client holds when its process goes.
var exitDefects = []defect{
	{"lost-on-exit", func(p *Params, rnd *rand.Rand) faults {
		p.ensure(rnd, terminations, replacements)
		p.hold(rnd, 300*time.Millisecond, 10*time.Second)
		open := p.Client.Aggregate > 0 && p.Client.Flush > 0 && chance(rnd, 0.3)
		c := p.Client
		return faults{about: fmt.Sprintf("SIGTERM does not flush the clients; open window only: %v", open),
			exit: func(x *worker, k call, _ time.Duration) int {
				if open && !c.aggregates(k.metric) {
					return 1
				}
				return 0
			}}
	}},
	{"lost-on-exit", func(p *Params, rnd *rand.Rand) faults {
		p.ensure(rnd, terminations, replacements)
		early := logSpan(rnd, 100*time.Millisecond, 2*time.Second)
		return faults{about: fmt.Sprintf("the clients are closed %v before the last request of a terminated instance", early),
			leaves: func(x *worker, k call, t time.Duration) leaving {
				if closed := x.until - early; x.signal == "SIGTERM" && t >= closed {
					return leaving{at: max(k.at, closed), never: k.at >= closed}
				}
				return leaving{at: t}
			}}
	}},
	{"client-buffer-larger-than-declared", func(p *Params, rnd *rand.Rand) faults {
		p.ensure(rnd, kills)
		p.exact()
		c := p.Client
		real := Client{Aggregate: logSpan(rnd, 500*time.Millisecond, 8*time.Second), Bytes: c.Bytes}
		p.Declared = declared(0, p.Jitter)
		if chance(rnd, 0.5) {
			p.Declared = declared(real.Hold()/time.Duration(3+rnd.IntN(20)), p.Jitter)
		}
		return faults{about: fmt.Sprintf("the clients hold %v, and %v is declared", real.Hold(), p.Declared), timed: true,
			client: func(*instance) Client { return real }, also: undeclared(p, real)}
	}},
	{"last-window-twice", func(p *Params, rnd *rand.Rand) faults {
		p.ensure(rnd, terminations, replacements)
		p.hold(rnd, 500*time.Millisecond, 10*time.Second)
		all := chance(rnd, 0.5)
		return faults{about: fmt.Sprintf("what is held at SIGTERM is sent twice; timers too: %v", all),
			exit: func(x *worker, k call, _ time.Duration) int {
				if all || k.metric == inserts {
					return 2
				}
				return 1
			}}
	}},
	{"still-held", func(p *Params, rnd *rand.Rand) faults {
		p.exact()
		if p.Workers == 1 {
			p.Workers = 2 + rnd.IntN(2)
		}
		p.hold(rnd, 50*time.Millisecond, 5*time.Second)
		if chance(rnd, 0.5) {
			return lazy(p, rnd)
		}
		return bySize(p, rnd)
	}},
}

// lazy clients look at their clock only when they are called: the last calls before
// a pause, and before the end of the run, stay with them.
func lazy(p *Params, rnd *rand.Rand) faults {
	period := p.Client.Hold()
	const waits = 400 * time.Millisecond // a call comes in this time, mostly; else it is longer
	p.Declared = declared(period+waits, p.Jitter)
	return faults{about: fmt.Sprintf("clients flush when they are called and %v have passed, and the last calls wait for the next", period),
		client: func(*instance) Client { return Client{Flush: time.Millisecond, Bytes: 8192} },
		keep: func(x *worker, calls []call) []call {
			return holdLast(x, calls, func(first, at time.Duration, n int) bool { return at-first >= period })
		}}
}

// bySize clients flush when a number of calls is there, and at an orderly end.
func bySize(p *Params, rnd *rand.Rand) faults {
	size := 10 + rnd.IntN(60)
	return faults{about: fmt.Sprintf("clients flush every %d calls only, and what is less than that stays with them", size),
		client: func(*instance) Client { return Client{Flush: time.Millisecond, Bytes: 8192} },
		keep: func(x *worker, calls []call) []call {
			return holdLast(x, calls, func(_, _ time.Duration, n int) bool { return n >= size })
		}}
}

// holdLast gives each call the time of the flush that takes it along, and leaves out
// those that no flush does. Nobody sees an instance that is gone: what a living one
// holds is not lost.
func holdLast(x *worker, calls []call, full func(first, at time.Duration, n int) bool) []call {
	var out []call
	from := 0
	for i := range calls {
		if full(calls[from].at, calls[i].at, i-from+1) {
			for _, k := range calls[from : i+1] {
				k.at = calls[i].at
				out = append(out, k)
			}
			from = i + 1
		}
	}
	if x.signal == "SIGTERM" {
		for _, k := range calls[from:] {
			k.at = x.closed(k.at) - time.Millisecond
			out = append(out, k)
		}
	}
	return out
}

// undeclared are the words for a client that holds longer than the scenario says.
// It is one defect, and what shows of it depends on the run: counts that come too
// late, in a rhythm, or are lost in a kill.
func undeclared(p *Params, real Client) func(*world) []string {
	return func(w *world) []string {
		var also []string
		if real.Hold() > p.Declared+p.Lag {
			also = append(also, "late")
		}
		if real.Hold() > p.Declared+p.MaxGap/2 {
			also = append(also, "flush-interval")
		}
		for _, in := range w.instances {
			if in.killed() {
				return append(also, "client-buffer-larger-than-declared")
			}
		}
		return also
	}
}
