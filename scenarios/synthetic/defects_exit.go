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
		p.mostlyExact(rnd)
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
		p.mostlyExact(rnd)
		p.undrained()
		p.LameDuck = logSpan(rnd, 100*time.Millisecond, 2*time.Second)
		return faults{about: fmt.Sprintf("SIGTERM closes the clients at once, and requests are served for %v more", p.LameDuck),
			leaves: func(x *worker, k call, t time.Duration) leaving {
				if x.signal == "SIGTERM" && t >= x.signalled {
					return leaving{at: max(k.at, x.signalled), never: k.at >= x.signalled}
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
		return faults{about: fmt.Sprintf("the clients hold %v, and %v is declared", real.Hold(), p.Declared), punctual: min(p.Lag, p.MaxGap),
			client: func(*instance) Client { return real }, also: undeclared(p, real)}
	}},
	{"last-window-twice", func(p *Params, rnd *rand.Rand) faults {
		p.ensure(rnd, terminations, replacements)
		p.mostlyExact(rnd)
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
		if p.Workers == 1 && chance(rnd, 0.7) {
			p.Workers = 2 + rnd.IntN(2)
		}
		return stillHeld(p, rnd)
	}},
}

// stillHeld are clients that flush only when they are called. What they hold when
// the calls end stays with them: it is not lost, and nobody sees it.
func stillHeld(p *Params, rnd *rand.Rand) faults {
	period := logSpan(rnd, 50*time.Millisecond, 5*time.Second)
	calls := p.Rate / float64(p.Instances*p.Workers)
	if p.Timers {
		calls *= 3
	}
	size, bySize, one := max(4, int(calls*period.Seconds())), chance(rnd, 0.5), chance(rnd, 0.3)
	var longest time.Duration
	full := func(first, at time.Duration, n int) bool { return at-first >= period }
	about := fmt.Sprintf("clients flush when a call comes after %v", period)
	if bySize {
		full = func(_, _ time.Duration, n int) bool { return n >= size }
		about = fmt.Sprintf("clients flush every %d calls only", size)
	}
	return faults{about: fmt.Sprintf("%s, and keep what comes after the last flush; one worker alone: %v", about, one),
		client:  func(*instance) Client { return Client{Flush: time.Millisecond, Bytes: 8192} },
		declare: func() time.Duration { return longest + time.Millisecond },
		keep: func(x *worker, calls []call) []call {
			if one && x.number != 0 {
				return calls
			}
			return holdLast(x, calls, &longest, full)
		}}
}

// holdLast gives each call the time of the flush that takes it along, and leaves out
// those that no flush does but the one of an orderly end.
func holdLast(x *worker, calls []call, longest *time.Duration, full func(first, at time.Duration, n int) bool) []call {
	var out []call
	from := 0
	flush := func(to int, at time.Duration) {
		*longest = max(*longest, at-calls[from].at)
		for _, k := range calls[from:to] {
			k.at = at
			out = append(out, k)
		}
		from = to
	}
	for i := range calls {
		if full(calls[from].at, calls[i].at, i-from+1) {
			flush(i+1, calls[i].at)
		}
	}
	if x.signal == "SIGTERM" && from < len(calls) {
		flush(len(calls), x.closed(calls[len(calls)-1].at)-2*time.Millisecond)
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
