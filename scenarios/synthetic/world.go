package synthetic

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

const (
	loadBegin = 2500 * time.Millisecond
	forever   = time.Duration(1<<63 - 1)
)

// world is a run while it is made.
type world struct {
	sockets   int // that were opened for one datagram each
	p         Params
	f         faults
	rnd       *rand.Rand
	h         record.History
	instances []*instance
	end       time.Duration // of the load
	ends      []time.Duration
	quiesced  time.Duration
	last      time.Duration // end of the collector's last interval
	phase     time.Duration // of the collector's intervals
	turn      int           // of the load balancer
	frozen    []standing
	away      Span            // the collector is not there
	written   []time.Duration // when the database was updated
	words     map[string]int64
	statuses  map[uint16][]time.Duration
	changes   []change // that an autoscaler has made
}

// standing is a time in which an instance stands still; all do, and the database,
// if none is named.
type standing struct {
	on string
	Span
}

// instance is one web instance.
type instance struct {
	number             int
	name               string
	birth, serving     time.Duration
	client             time.Duration // when its StatsD clients were made
	until              time.Duration // it takes no new request from here on
	signal             string
	signalled, death   time.Duration
	workers            []*worker
	nth                int // executions that count so far
	turn               int
	seen               int   // by a defect that strikes every nth time
	due                int64 // requests that should be counted
	unknown            int64 // requests of the route whose users know no outcome
	failed             int64 // those of them that were answered
	acked              []time.Duration
	sessions, ok2, ko5 []time.Duration
	ko4                []time.Duration
	sent               []datagram
	way                fate
	unsent             time.Duration // when the first count was made that never left; 0: all left
	got                account
}

// worker is a process or thread with a client of its own.
type worker struct {
	*instance
	number           int
	aggregate, flush time.Duration // the phases of its client's timers
	calls            []call
	executions       int
	recycled         []time.Duration // when another process took its place
	rnd              *rand.Rand
}

// killed tells whether the instance got no chance to flush.
func (in *instance) killed() bool { return in.signal == "SIGKILL" }

func newWorld(seed uint64, p Params, f faults, rnd *rand.Rand) *world {
	w := &world{p: p, f: f, rnd: rnd, words: map[string]int64{}, statuses: map[uint16][]time.Duration{}}
	w.phase = time.Duration(rnd.Int64N(int64(p.Interval))).Truncate(time.Microsecond)
	w.h.Run = record.Run{ID: "r1", Scenario: "made-up", File: "made-up.yaml", Seed: seed, Platform: "local", Start: time.Unix(1_700_000_000, 0).UTC(),
		Interval: p.Interval, Database: p.Database, Versions: map[string]string{"throughline": "synthetic"}}
	return w
}

func (w *world) run() {
	w.journal()
	w.load()
	w.probes()
	w.send()
	w.h.Scenario = w.scenario()
	w.balance()
	w.store()
	w.finish()
}

// finish closes the journal. Its tally is what was written.
func (w *world) finish() {
	for i := range w.h.Events {
		if e := &w.h.Events[i]; e.Kind == record.FaultEnd && e.Fault == "restart-collector" {
			for _, in := range w.instances {
				e.Count += int64(in.way.lost)
			}
		}
	}
	w.event(w.quiesced, record.Quiesced, nil)
	tally := record.Tally{Requests: int64(len(w.h.Requests)), Executions: int64(len(w.h.Executions))}
	for _, s := range w.h.Series {
		tally.Points += int64(len(s.Points))
	}
	w.event(w.quiesced+10*time.Millisecond, record.RunEnd, func(e *record.Event) { e.Tally = &tally })
	for i := range w.h.Requests { // as finely as files have it
		r := &w.h.Requests[i]
		r.Due, r.Sent, r.Done = r.Due.Truncate(time.Microsecond), r.Sent.Truncate(time.Microsecond), r.Done.Truncate(time.Microsecond)
	}
	for i := range w.h.Executions {
		w.h.Executions[i].At = w.h.Executions[i].At.Truncate(time.Microsecond)
	}
	slices.SortStableFunc(w.h.Events, func(a, b record.Event) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(w.h.Executions, func(a, b record.Execution) int { return cmp.Compare(a.At, b.At) })
}

func (w *world) event(at time.Duration, kind record.Kind, change func(*record.Event)) {
	e := record.Event{At: at, Kind: kind}
	if change != nil {
		change(&e)
	}
	w.h.Events = append(w.h.Events, e)
}

func (w *world) of(name string, at time.Duration, kind record.Kind, change func(*record.Event)) {
	w.event(at, kind, func(e *record.Event) {
		if e.Instance = name; name != "" {
			e.Role = record.Web
		}
		if change != nil {
			change(e)
		}
	})
}

func (w *world) born(at time.Duration) *instance {
	in := &instance{number: len(w.instances) + 1, birth: at, until: forever, signalled: record.Never, death: forever}
	in.name = fmt.Sprintf("web-%d", in.number)
	in.client = at + between(w.rnd, 50*time.Millisecond, 150*time.Millisecond)
	ready := in.client + between(w.rnd, 50*time.Millisecond, 200*time.Millisecond)
	in.serving = ready + between(w.rnd, time.Millisecond, 200*time.Millisecond)
	for n := range w.p.Workers {
		x := &worker{instance: in, number: n, rnd: rand.New(rand.NewPCG(w.rnd.Uint64(), 0))}
		x.aggregate = in.client + between(w.rnd, 0, 20*time.Millisecond)*time.Duration(n)
		x.flush = x.aggregate + between(w.rnd, 0, 2*time.Millisecond)
		in.workers = append(in.workers, x)
	}
	w.instances = append(w.instances, in)
	w.of(in.name, at, record.Birth, nil)
	w.of(in.name, ready, record.Ready, nil)
	w.of(in.name, in.serving, record.Serving, nil)
	return in
}

// journal plays the phases.
func (w *world) journal() {
	w.event(0, record.RunBegin, func(e *record.Event) { e.Run = &w.h.Run })
	for range w.p.Instances {
		w.born(between(w.rnd, 500*time.Millisecond, 900*time.Millisecond))
	}
	w.event(loadBegin, record.LoadBegin, nil)
	at := loadBegin
	for i := range w.p.Phases {
		phase := &w.p.Phases[i]
		name := func(e *record.Event) { e.Phase = phase.Name }
		w.event(at, record.PhaseBegin, name)
		t := at
		for k := range phase.Steps {
			if phase.Steps[k] == killAny { // whom, scale finds
				continue
			}
			step := func(e *record.Event) { e.Phase, e.Step = phase.Name, phase.Steps[k].String() }
			w.event(t, record.StepBegin, step)
			t = w.step(phase.Steps[k], t)
			w.event(t, record.StepEnd, step)
		}
		at = max(at+phase.Long, t)
		w.event(at, record.PhaseEnd, name)
	}
	w.end = at
	w.scale()
}

// String is the step as the journal has it.
func (s Step) String() string {
	switch {
	case s.Verb == "fault" && s.Object != "":
		return s.Verb + " " + s.Fault + " on " + s.Object
	case s.Fault != "":
		return s.Verb + " " + s.Fault
	case s.Abrupt:
		return s.Verb + " " + s.Object + " without draining"
	}
	return s.Verb + " " + s.Object
}

// step does one thing to the stack and gives the time at which it was done.
func (w *world) step(s Step, t time.Duration) time.Duration {
	switch s.Verb {
	case "launch":
		return w.born(t+5*time.Millisecond).serving + time.Millisecond
	case "kill":
		return w.kill(w.named(s.Object), t)
	case "terminate":
		if s.Abrupt {
			return w.stop(w.named(s.Object), t)
		}
		return w.terminate(w.named(s.Object), t)
	case "replace":
		for _, in := range w.alive() {
			if s.Object == "all" || in.name == s.Object {
				t = w.terminate(in, w.step(Step{Verb: "launch"}, t)) + 20*time.Millisecond
			}
		}
	case "fault":
		if s.For > 0 {
			return w.restart(s, t)
		}
		w.of(s.Object, t, record.FaultBegin, func(e *record.Event) { e.Fault = s.Fault })
		w.frozen = append(w.frozen, standing{s.Object, Span{t, forever}})
		return t + 3*time.Millisecond
	case "heal":
		w.frozen[len(w.frozen)-1].To = t
		w.of(s.Object, t, record.FaultEnd, func(e *record.Event) { e.Fault, e.Count = s.Fault, 1 })
		return t + 3*time.Millisecond
	}
	return t
}

// restart has the collector go away for a while. How many datagrams that cost is
// known in the end.
func (w *world) restart(s Step, t time.Duration) time.Duration {
	w.away = Span{t + 2*time.Millisecond, t + s.For + between(w.rnd, 5*time.Millisecond, 30*time.Millisecond)}
	w.event(t, record.FaultBegin, func(e *record.Event) { e.Fault = s.Fault })
	w.event(w.away.To+time.Millisecond, record.FaultEnd, func(e *record.Event) { e.Fault = s.Fault })
	return w.away.To + 2*time.Millisecond
}

func (w *world) kill(in *instance, t time.Duration) time.Duration {
	in.signal, in.signalled = "SIGKILL", t+between(w.rnd, 20*time.Microsecond, 5*time.Millisecond)
	in.death = in.signalled + between(w.rnd, time.Millisecond, 9*time.Millisecond)
	in.until = in.signalled
	w.of(in.name, in.signalled, record.Signalled, func(e *record.Event) { e.Signal = "SIGKILL" })
	w.of(in.name, in.death, record.Death, func(e *record.Event) { e.Signal, e.Code, e.Expected = "SIGKILL", -1, true })
	down := in.death + between(w.rnd, 200*time.Millisecond, 400*time.Millisecond)
	w.of(in.name, down, record.Down, nil)
	w.of(in.name, down+2*time.Millisecond, record.Removed, nil)
	return down + 5*time.Millisecond
}

func (w *world) terminate(in *instance, t time.Duration) time.Duration {
	in.until, in.signal, in.signalled = t, "SIGTERM", w.idle(t)+between(w.rnd, 0, 50*time.Millisecond)
	in.death = w.awake(in.signalled + w.p.Stop + between(w.rnd, 0, 60*time.Millisecond))
	w.of(in.name, t, record.Draining, nil)
	w.of(in.name, in.signalled, record.Signalled, func(e *record.Event) { e.Signal = "SIGTERM" })
	w.of(in.name, in.death, record.Death, func(e *record.Event) { e.Expected = true })
	w.of(in.name, in.death+20*time.Millisecond, record.Removed, nil)
	return in.death + 30*time.Millisecond
}

// stop terminates an instance that still gets requests for a while.
func (w *world) stop(in *instance, t time.Duration) time.Duration {
	in.signal, in.signalled = "SIGTERM", t+20*time.Microsecond
	in.until = in.signalled + w.p.LameDuck
	in.death = w.awake(w.idle(in.until) + w.p.Stop + between(w.rnd, 0, 60*time.Millisecond))
	w.of(in.name, in.signalled, record.Signalled, func(e *record.Event) { e.Signal = "SIGTERM" })
	w.of(in.name, in.death, record.Death, func(e *record.Event) { e.Expected = true })
	w.of(in.name, in.death+3*time.Millisecond, record.Removed, nil)
	return in.death + 5*time.Millisecond
}

// idle is when an instance that gets nothing from t on has answered all.
func (w *world) idle(t time.Duration) time.Duration {
	idle := t + 20*time.Millisecond + 40*w.p.Slow
	for _, s := range w.p.Stalls {
		if s.From <= idle && t < s.To {
			idle = s.To + 20*time.Millisecond + 40*w.p.Slow
		}
	}
	return idle
}

func (w *world) alive() []*instance {
	var out []*instance
	for _, in := range w.instances {
		if in.until == forever {
			out = append(out, in)
		}
	}
	return out
}

func (w *world) named(name string) *instance {
	for _, in := range w.instances {
		if in.name == name {
			return in
		}
	}
	panic("the scenario names " + name + ", which was never launched")
}

// still is how long an instance that wants to do something at t must wait.
func (w *world) still(name string, t time.Duration) time.Duration {
	var wait time.Duration
	for _, f := range w.frozen {
		if f.on == name && f.From <= t && t < f.To {
			wait = max(wait, f.To-t)
		}
	}
	return max(wait, w.stalled(t))
}

// awake is when a process ends in order that would at t: not while the machine stands still, nor
// within the time that it takes to flush before.
func (w *world) awake(t time.Duration) time.Duration {
	const flush = 20 * time.Millisecond
	for moved := true; moved; {
		moved = false
		for _, s := range w.p.Stalls {
			if s.From <= t && t-flush < s.To {
				t, moved = s.To+flush, true
			}
		}
	}
	return t
}

// stalled is how long anybody on the machine must wait.
func (w *world) stalled(t time.Duration) time.Duration {
	var wait time.Duration
	for _, s := range w.p.Stalls {
		if s.From <= t && t < s.To {
			wait = max(wait, s.To-t)
		}
	}
	return wait
}

// ticks are the collector's interval ends. One that goes away closes its interval
// first.
func (w *world) ticks() []time.Duration {
	if w.ends == nil {
		for t := w.phase; t <= w.last; t += w.p.Interval {
			if t-w.p.Interval < w.away.From || t >= w.away.To {
				w.ends = append(w.ends, t)
			}
		}
	}
	return w.ends
}

// labels are those of an instance's series: the collector gives name and zone, and
// the client sends its zone too.
func (in *instance) labels() collector.Labels {
	zone := string("abc"[(in.number-1)%3])
	return collector.NewLabels("instance", in.name, "role", "web", "zone", zone, "exported_zone", zone)
}
