package check

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// plan says what happens in a made-up run. The run itself is consistent: what
// users, load balancer, instances and database saw follows from the same
// requests.
type plan struct {
	seed      uint64
	instances int
	rate      float64 // requests per second
	swing     float64 // share of the rate
	phases    []act
	window    time.Duration // of the clients; 0 = 100 ms
	checks    string        // YAML; "" = usual
	stack     string        // more lines of the stack, YAML
	web       string        // more of its web, YAML: ", metrics: {…}"
	database  string
	words     int
	// The defects, each by instance; nil: none.
	counts  func(instance string, nth int, life time.Duration) int64 // how much the nth request adds; default 1
	delay   func(instance string) time.Duration                      // a count leaves this much later
	noFlush bool                                                     // SIGTERM does not flush
	leaky   string                                                   // a version whose SIGTERM does not flush
	holding time.Duration                                            // what clients really buffer, if not window
	metric  func(instance string) string
	rare    float64                             // sample rate as sent on the wire
	stall   func(t time.Duration) time.Duration // how long a process that wants to run at t must wait
	slow    time.Duration                       // mean time of a request beyond 1 ms; 0 = 3 ms
	timers  timerPlan
	scaled  scaledPlan
	agents  agentPlan
}

// act is a phase: its steps happen at its beginning.
type act struct {
	name  string
	steps []string // "kill web-2"
	long  time.Duration
}

const (
	worldBegin = 2500 * time.Millisecond // of the load
	worldPhase = 137 * time.Millisecond  // of the collector's intervals
)

// being is one web instance of the world.
type being struct {
	name, version      string
	birth, serving     time.Duration
	until              time.Duration // takes no new request from here on
	signal             string
	signalled, death   time.Duration
	flushPhase         time.Duration
	nth                int
	arrivals           []arrival
	web, db, get       []arrival // values of the timers, in milliseconds
	open               []change  // of the requests in progress
	acked2xx, attempts []time.Duration
}

// arrival is a line at the collector.
type arrival struct {
	at time.Duration
	n  float64
}

// starve is a step that nobody ordered, and that no journal knows of: "starve web-2", or all.
const starve = "starve"

// starving is how long the steps after it wait, and starved how long it lasts: a kill that
// comes next comes before its end.
const starving, starvedFor = 300 * time.Millisecond, 320 * time.Millisecond

// standing is a time in which an instance stands still.
type standing struct {
	on       string
	from, to time.Duration
}

// still is how long an instance that wants to do something at t must wait.
func (w *world) still(b *being, t time.Duration) time.Duration {
	for _, f := range w.frozen {
		if f.on == b.name && f.from <= t && t < f.to {
			return f.to - t
		}
	}
	return 0
}

// world is the run while it is made.
type world struct {
	p         plan
	rnd       *rand.Rand
	h         record.History
	beings    []*being
	end       time.Duration // of the load
	executed  []time.Duration
	words     map[string]int64
	noAnswer  int
	up        []*being // reused
	frozen    []standing
	version   string                // of those that are launched; "": there are none
	agentEnds map[string][]agentEnd // by instance
}

func (p plan) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario: made-up\nabout: A made-up run.\nstack:\n  web: {instances: %d%s}\n", p.instances, p.web)
	if slices.ContainsFunc(p.phases, func(a act) bool {
		return slices.ContainsFunc(a.steps, func(s string) bool { return strings.HasPrefix(s, "interrupt ") })
	}) {
		b.WriteString("  cloud: yes\n")
	}
	b.WriteString(p.stack)
	fmt.Fprintf(&b, "load: {rate: %.2f/s, mix: {insert: 9, get: 1}}\n%sphases:\n", p.rate, p.scaled.yaml)
	for _, a := range p.phases {
		fmt.Fprintf(&b, "  - phase: %s\n    for: %s\n", a.name, a.long)
		var steps []string
		for _, s := range a.steps {
			verb, object, _ := strings.Cut(s, " ")
			if verb == starve {
				continue
			}
			steps = append(steps, fmt.Sprintf("{%s: %s}", verb, object))
		}
		if len(steps) > 0 {
			fmt.Fprintf(&b, "    do: [%s]\n", strings.Join(steps, ", "))
		}
		if a.name == "warm-up" {
			fmt.Fprintf(&b, "    require: {users: %.2f/s}\n", max(1, p.rate/3))
		}
	}
	checks := p.checks
	if checks == "" {
		checks = "  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}\n"
	}
	return b.String() + "checks:\n" + checks
}

// make makes the run.
func (p plan) make() record.History { return p.world().h }

func (p plan) world() *world {
	if p.window == 0 {
		p.window = 100 * time.Millisecond
	}
	if p.holding == 0 {
		p.holding = p.window
	}
	if p.database == "" {
		p.database = "docstore"
	}
	if p.slow == 0 {
		p.slow = 3 * time.Millisecond
	}
	if p.words == 0 {
		p.words = 50
	}
	if p.rare == 0 {
		p.rare = 1
	}
	w := &world{p: p, rnd: rand.New(rand.NewPCG(p.seed, 1)), words: map[string]int64{}}
	w.h.Run = record.Run{ID: "r1", Scenario: "made-up", Seed: p.seed, Start: time.Unix(1_700_000_000, 0).UTC(), Interval: time.Second, Database: p.database}
	w.h.Scenario = []byte(p.yaml())
	w.agentEnds = map[string][]agentEnd{}
	w.journal()
	w.load()
	w.agentLives()
	w.collect()
	w.balance()
	w.store()
	w.hopsOf()
	slices.SortStableFunc(w.h.Events, func(a, b record.Event) int { return cmp.Compare(a.At, b.At) })
	return w
}

func (w *world) event(at time.Duration, kind record.Kind, change func(*record.Event)) {
	e := record.Event{At: at, Kind: kind}
	if change != nil {
		change(&e)
	}
	w.h.Events = append(w.h.Events, e)
}

func (w *world) of(b *being, at time.Duration, kind record.Kind, change ...func(*record.Event)) {
	w.event(at, kind, func(e *record.Event) {
		e.Instance, e.Role = b.name, record.Web
		for _, c := range change {
			c(e)
		}
	})
}

func (w *world) born(at time.Duration) {
	b := &being{name: fmt.Sprintf("web-%d", len(w.beings)+1), birth: at, serving: at + 400*time.Millisecond, until: evidence.Forever,
		signalled: record.Never, death: evidence.Forever, flushPhase: time.Duration(w.rnd.Int64N(int64(w.p.holding)))}
	b.version = w.version
	w.beings = append(w.beings, b)
	w.of(b, at, record.Birth, func(e *record.Event) { e.Version = b.version })
	w.of(b, at+300*time.Millisecond, record.Ready)
	w.of(b, b.serving, record.Serving)
}

// journal plays the phases.
func (w *world) journal() {
	w.event(0, record.RunBegin, func(e *record.Event) { e.Run = &w.h.Run })
	if strings.Contains(string(w.h.Scenario), "{deploy: ") {
		w.version = "v1"
	}
	for range w.p.instances {
		w.born(500 * time.Millisecond)
	}
	w.event(worldBegin, record.LoadBegin, nil)
	at := worldBegin
	for _, a := range w.p.phases {
		name := func(e *record.Event) { e.Phase = a.name }
		w.event(at, record.PhaseBegin, name)
		t := at
		for _, s := range a.steps {
			if strings.HasPrefix(s, starve) {
				t = w.step(s, t)
				continue
			}
			step := func(e *record.Event) { e.Phase, e.Step = a.name, s }
			w.event(t, record.StepBegin, step)
			t = w.step(s, t)
			w.event(t, record.StepEnd, step)
		}
		at += a.long
		w.event(at, record.PhaseEnd, name)
	}
	w.end = at
	w.autoscaled()
	w.event(at+200*time.Millisecond, record.LoadEnd, nil)
	w.event(at+time.Second, record.Quiesced, nil)
	w.event(at+4*time.Second, record.RunEnd, nil)
}

// step does one thing to the stack and gives the time at which it was done.
func (w *world) step(s string, t time.Duration) time.Duration {
	verb, object, _ := strings.Cut(s, " ")
	alive := w.alive()
	if strings.HasPrefix(object, "agent-") {
		return w.agentStep(verb, object, t)
	}
	switch verb {
	case "launch":
		w.born(t + 10*time.Millisecond)
		return t + 500*time.Millisecond
	case "kill":
		return w.kill(w.named(object), t)
	case "terminate":
		return w.terminate(w.named(object), t)
	case "interrupt": // "web-1, notice: 2s"
		name, notice, _ := strings.Cut(object, ", notice: ")
		return w.interrupt(w.named(name), t, notice)
	case "replace":
		for _, b := range alive {
			if object == "all" || b.name == object {
				t = w.terminate(b, w.step("launch 1", t)) + 20*time.Millisecond
			}
		}
		return t
	case "deploy", "rollback": // "v2, canary: 1"
		version, canary, some := strings.Cut(object, ", canary: ")
		was, most := w.version, len(alive)
		if some {
			fmt.Sscan(canary, &most)
		}
		w.version = version
		for _, b := range alive {
			if b.version != version && most > 0 {
				most--
				t = w.terminate(b, w.step("launch 1", t)) + 20*time.Millisecond
			}
		}
		if some {
			w.version = was
		}
		return t
	case "limit": // "web-2, cpus: 0.05"
		name, cpus, _ := strings.Cut(object, ", cpus: ")
		w.of(w.named(name), t+2*time.Millisecond, record.Limited, func(e *record.Event) { fmt.Sscan(cpus, &e.CPUs) })
		return t + 3*time.Millisecond
	case "fault": // "freeze, on: web-2"
		name, on, _ := strings.Cut(object, ", on: ")
		w.of(w.named(on), t, record.FaultBegin, func(e *record.Event) { e.Fault = name })
		w.frozen = append(w.frozen, standing{on, t, evidence.Forever})
		return t + 3*time.Millisecond
	case starve:
		for _, b := range alive {
			if object == "all" || b.name == object {
				w.frozen = append(w.frozen, standing{b.name, t, t + starvedFor})
			}
		}
		return t + starving
	case "heal":
		f := &w.frozen[len(w.frozen)-1]
		f.to = t
		w.of(w.named(f.on), t, record.FaultEnd, func(e *record.Event) { e.Fault, e.Count = object, 1 })
		return t + 3*time.Millisecond
	case "scale":
		var want int
		fmt.Sscan(object, &want)
		for range want - len(alive) {
			t = w.step("launch 1", t)
		}
		for k := len(alive); k > want; k-- {
			t = w.terminate(alive[k-1], t) + 20*time.Millisecond
		}
		return t
	}
	panic("unknown step " + s)
}

func (w *world) kill(b *being, t time.Duration) time.Duration {
	b.signal, b.signalled, b.death = "SIGKILL", t+5*time.Millisecond, t+8*time.Millisecond
	b.until = b.signalled
	w.of(b, b.signalled, record.Signalled, func(e *record.Event) { e.Signal = "SIGKILL" })
	w.of(b, b.death, record.Death, func(e *record.Event) { e.Signal, e.Code, e.Expected = "SIGKILL", -1, true })
	w.of(b, b.death+300*time.Millisecond, record.Down)
	return b.death + 310*time.Millisecond
}

func (w *world) terminate(b *being, t time.Duration) time.Duration {
	b.until, b.signal, b.signalled, b.death = t, "SIGTERM", t+100*time.Millisecond, t+180*time.Millisecond
	w.of(b, t, record.Draining)
	w.of(b, b.signalled, record.Signalled, func(e *record.Event) { e.Signal = "SIGTERM" })
	w.of(b, b.death, record.Death, func(e *record.Event) { e.Expected = true })
	w.of(b, b.death+20*time.Millisecond, record.Removed)
	return b.death + 30*time.Millisecond
}

// interrupt takes an instance away that asks for notices every half second.
func (w *world) interrupt(b *being, t time.Duration, notice string) time.Duration {
	long, err := time.ParseDuration(notice)
	if err != nil {
		panic(err)
	}
	about := func(e *record.Event) { e.About = record.AboutNotice }
	w.of(b, b.birth+250*time.Millisecond, record.Asked, about)
	w.of(b, t+10*time.Millisecond, record.Noticed, func(e *record.Event) { e.Deadline = e.At + long })
	w.of(b, t+400*time.Millisecond, record.Told, about)
	b.until, b.signal, b.signalled = t+20*time.Millisecond, "SIGTERM", t+10*time.Millisecond+long
	b.death = b.signalled + 80*time.Millisecond
	w.of(b, b.until, record.Draining)
	w.of(b, b.signalled, record.Signalled, func(e *record.Event) { e.Signal = "SIGTERM" })
	w.of(b, b.death, record.Death, func(e *record.Event) { e.Expected = true })
	w.of(b, b.death+20*time.Millisecond, record.Removed)
	return b.death + 30*time.Millisecond
}

func (w *world) alive() []*being {
	var out []*being
	for _, b := range w.beings {
		if b.until == evidence.Forever {
			out = append(out, b)
		}
	}
	return out
}

func (w *world) named(name string) *being {
	for _, b := range w.beings {
		if b.name == name {
			return b
		}
	}
	panic("no " + name)
}

// load sends the requests, and lets the instances count.
func (w *world) load() {
	zipf := rand.NewZipf(w.rnd, 1.3, 3, uint64(w.p.words-1))
	var due time.Duration
	for seq := uint64(0); ; seq++ {
		rate := w.p.rate * (1 + w.p.swing*math.Sin(2*math.Pi*due.Seconds()/8))
		if w.p.scaled.rate != nil {
			rate = w.p.scaled.rate(due)
		}
		due += time.Duration(w.rnd.ExpFloat64() / rate * float64(time.Second))
		at := worldBegin + due
		if at >= w.end {
			return
		}
		sent := at + time.Duration(w.rnd.Int64N(int64(300*time.Microsecond)))
		if w.p.stall != nil {
			sent += w.p.stall(at)
		}
		r := record.Request{Seq: seq, Due: at, Sent: sent, Route: "insert", Word: fmt.Sprintf("word%d", zipf.Uint64()), Attempts: 1}
		if w.rnd.IntN(10) == 0 {
			r.Route = "get"
		}
		r.Done = r.Sent + time.Millisecond + time.Duration(w.rnd.ExpFloat64()*float64(w.p.slow))
		w.serve(&r)
		w.h.Requests = append(w.h.Requests, r)
	}
}

func (w *world) serve(r *record.Request) {
	up := w.up[:0]
	defer func() { w.up = up }()
	for _, b := range w.beings {
		if b.serving <= r.Sent && r.Sent < b.until {
			up = append(up, b)
		}
	}
	if len(up) == 0 {
		r.Outcome, r.Status = record.Refused, 503
		w.log(r, record.Execution{Status: 503, Termination: "SC"})
		return
	}
	b := up[w.rnd.IntN(len(up))]
	executed := r.Sent + (r.Done-r.Sent)/2
	still := w.still(b, executed)
	executed, r.Done = executed+still, r.Done+still
	b.attempts = append(b.attempts, r.Sent)
	if b.signal != "SIGKILL" || executed < b.signalled {
		w.execute(b, r, executed)
	}
	if b.signal == "SIGKILL" && r.Done >= b.signalled {
		r.Err = "connection reset by peer" // and Outcome stays unknown
		w.noAnswer++
		w.log(r, record.Execution{Server: b.name, Status: 502, Termination: "SH"})
		return
	}
	r.Outcome, r.Status, r.Instance = record.Acked, 200, b.name
	w.log(r, record.Execution{Server: b.name, Status: 200, Answered: true, Termination: "--"})
	b.acked2xx = append(b.acked2xx, r.Done)
}

// log is the load balancer's line about a request.
func (w *world) log(r *record.Request, x record.Execution) {
	x.At, x.Seq = r.Done, r.Seq
	w.h.Executions = append(w.h.Executions, x)
}

// execute counts a request, and sends the count with the client's next flush.
func (w *world) execute(b *being, r *record.Request, at time.Duration) {
	w.time(b, r, at)
	if r.Route != "insert" {
		return
	}
	w.executed = append(w.executed, at)
	w.words[r.Word]++
	b.nth++
	n := int64(1)
	if w.p.counts != nil {
		n = w.p.counts(b.name, b.nth, at-b.birth)
	}
	if n == 0 {
		return
	}
	leaves := at
	if w.p.delay != nil {
		leaves += w.p.delay(b.name)
	}
	flushed, ok := w.flushed(b, leaves)
	if !ok {
		return
	}
	b.arrivals = append(b.arrivals, arrival{flushed, float64(n) / w.p.rare})
}

// flushed is when what is measured at a time leaves the client; false: never.
func (w *world) flushed(b *being, at time.Duration) (time.Duration, bool) {
	period := w.period()
	flushed := b.flushPhase%period + ((at-b.flushPhase%period)/period+1)*period
	if w.p.stall != nil {
		flushed += w.p.stall(flushed)
	}
	flushed += w.still(b, flushed)
	if flushed >= b.death {
		return b.death, b.signal != "SIGKILL" && !w.p.noFlush && (b.version == "" || b.version != w.p.leaky)
	}
	return flushed, true
}

// period is how often the clients flush.
func (w *world) period() time.Duration { return max(w.p.holding*8/10, time.Millisecond) }

// ticks are the collector's interval ends.
func (w *world) ticks() []time.Duration {
	var out []time.Duration
	for t := worldPhase; t <= w.end+3500*time.Millisecond; t += time.Second {
		out = append(out, t)
	}
	return out
}

// collect makes the series of the web layer.
func (w *world) collect() {
	for _, b := range w.beings {
		b.arrivals = w.throughAgent(b, b.arrivals)
		b.web, b.db, b.get = w.throughAgent(b, b.web), w.throughAgent(b, b.db), w.throughAgent(b, b.get)
		slices.SortStableFunc(b.arrivals, func(x, y arrival) int { return cmp.Compare(x.at, y.at) })
		metric := "fullstack.insert"
		if w.p.metric != nil {
			metric = w.p.metric(b.name)
		}
		name := strings.ReplaceAll(metric, ".", "_")
		s := record.Series{Name: name + "_total", Labels: b.labels(), Meta: collector.Meta{Type: collector.Counter, Sent: metric}}
		raw := record.Series{Name: name + "_sampled_total", Labels: s.Labels, Meta: s.Meta}
		var sum, lines float64
		i := 0
		for _, t := range w.ticks() {
			var seen uint64
			for i < len(b.arrivals) && b.arrivals[i].at <= t {
				sum += b.arrivals[i].n
				lines += math.Round(b.arrivals[i].n * w.p.rare)
				seen++
				i++
			}
			if t-time.Second > b.death {
				s.Points = append(s.Points, record.Point{At: t, Stale: true})
				break
			}
			if seen > 0 || len(s.Points) > 0 {
				s.Points = append(s.Points, record.Point{At: t, Value: sum, Observed: seen})
				raw.Points = append(raw.Points, record.Point{At: t, Value: lines, Observed: seen})
			}
		}
		if len(s.Points) > 0 && sum > 0 {
			w.h.Series = append(w.h.Series, s)
			if w.p.rare < 1 {
				w.h.Series = append(w.h.Series, raw)
			}
		}
		w.timed(b)
		w.inFlight(b)
		w.figures(b)
	}
}

// polled makes a series that counts the times, as read at every interval end.
func (w *world) polled(name string, at []time.Duration, labels ...string) {
	slices.Sort(at)
	s := record.Series{Name: name, Labels: collector.NewLabels(labels...), Meta: collector.Meta{Type: collector.Counter}}
	for _, t := range w.ticks() {
		s.Points = append(s.Points, record.Point{At: t, Value: float64(evidence.CountUpTo(at, t)), Observed: 1})
	}
	w.h.Series = append(w.h.Series, s)
}

// balance makes HAProxy's statistics.
func (w *world) balance() {
	var all, answered []time.Duration
	by := map[string][]time.Duration{}
	for i := range w.h.Requests {
		r := &w.h.Requests[i]
		all = append(all, r.Sent)
		if r.Status != 0 {
			answered = append(answered, r.Done)
			class := fmt.Sprintf("%dxx", r.Status/100)
			by[class] = append(by[class], r.Done)
		}
	}
	front, back := []string{"proxy", "fe_main"}, []string{"proxy", "be_web"}
	w.polled("haproxy_frontend_req_tot", all, front...)
	for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
		w.polled("haproxy_frontend_hrsp_"+class, by[class], front...)
	}
	for _, field := range []string{"stot", "lbtot"} {
		w.polled("haproxy_backend_"+field, all, back...)
	}
	w.polled("haproxy_backend_req_tot", answered, back...)
	for _, field := range []string{"wretr", "wredis", "eresp"} {
		w.polled("haproxy_backend_"+field, nil, back...)
	}
	for _, field := range []string{"econ", "hrsp_5xx"} { // of requests for which no server was there
		w.polled("haproxy_backend_"+field, by["5xx"], back...)
	}
	for _, b := range w.beings {
		labels := []string{"proxy", "be_web", "server", b.name, "instance", b.name}
		w.polled("haproxy_server_hrsp_2xx", b.acked2xx, labels...)
		w.polled("haproxy_server_stot", b.attempts, labels...)
		w.polled("haproxy_server_hrsp_5xx", nil, labels...)
		w.polled("haproxy_server_wretr", nil, labels...)
	}
}

// store makes the database's documents and statistics.
func (w *world) store() {
	if w.p.database == "none" {
		return
	}
	w.polled("mongodb_opcounters_total", w.executed, "type", "update")
	before := record.Documents{At: worldBegin - time.Second, Words: []record.WordCount{{Word: "word0", Count: 7}}}
	after := record.Documents{At: w.end + 3*time.Second}
	w.words["word0"] += 7
	for word, n := range w.words {
		after.Words = append(after.Words, record.WordCount{Word: word, Count: n})
	}
	slices.SortFunc(after.Words, func(a, b record.WordCount) int { return strings.Compare(a.Word, b.Word) })
	w.h.Before, w.h.After = &before, &after
}
