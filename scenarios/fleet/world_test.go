package fleet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// The simulated run: each instance is replaced in every phase, so that all are within ten
// minutes.
const (
	begin      = 60 * time.Second // of the load
	warmUp     = time.Minute
	phaseLong  = 10 * time.Minute
	interval   = 30 * time.Second // of the collector
	perRequest = 20 * time.Millisecond
	// rate is of one instance, in requests a second: a fleet of 10,000 has 500.
	rate   = 0.05
	swing  = 0.3 // share of the rate
	period = 8 * time.Minute
)

// instance is a simulated web instance.
type instance struct {
	name, container string
	labels          collector.Labels
	pending         int // counted and not sent yet
	stot, ok        int64
}

// world is the fleet, its users, load balancer and database while they are simulated.
type world struct {
	size, phases int
	rnd          *rand.Rand
	out          sink
	now          time.Duration
	alive        []*instance // in the order of their birth
	left, gone   []*instance // since the last poll; between that and the one before
	born         int
	turn         int
	seq          uint64
	carry        float64 // requests that are due, below one
	sessions     int64
	answered     int64
	words        map[string]int64
}

// sink is who is told what happens.
type sink interface {
	event(record.Event)
	request(record.Request, record.Execution)
	lines(in *instance, payload []byte)
	arrive(in *instance)
	leave(in *instance)
	sample(at time.Duration, name string, labels collector.Labels, value float64, stale bool)
}

func (w *world) scenario() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario: fleet\nabout: A simulated fleet.\nstack:\n  web: {instances: %d}\n", w.size)
	fmt.Fprintf(&b, "load: {shape: sine, rate: %.2f/s, swing: %.2f/s, period: %v, mix: {insert: 1}}\nphases:\n",
		float64(w.size)*rate, float64(w.size)*rate*swing, period)
	fmt.Fprintf(&b, "  - phase: warm-up\n    for: %v\n    require: {users: %.2f/s}\n", warmUp, float64(w.size)*rate/2)
	for i := range w.phases {
		fmt.Fprintf(&b, "  - phase: churn %d\n    for: %v\n    do: [{replace: all}]\n", i+1, phaseLong)
	}
	b.WriteString("checks:\n  - continuity: {metric: fullstack.insert, route: insert, max_gap: 2m}\n" +
		"  - conservation: {metric: fullstack.insert, route: insert, client_window: 1s}\n" +
		"  - correlation: {layers: [users, lb, web, db], at_least: 0.9}\n  - identity: {metric: fullstack.insert}\n")
	return []byte(b.String())
}

func (w *world) of(in *instance, kind record.Kind, change func(*record.Event)) {
	e := record.Event{At: w.now, Kind: kind, Instance: in.name, Role: record.Web}
	if change != nil {
		change(&e)
	}
	w.out.event(e)
}

func (w *world) birth() *instance {
	w.born++
	in := &instance{name: fmt.Sprintf("web-%d", w.born), container: fmt.Sprintf("%064x", w.born)}
	in.labels = collector.NewLabels("instance", in.name, "role", "web", "zone", string("abc"[w.born%3]))
	w.out.arrive(in)
	w.alive = append(w.alive, in)
	w.of(in, record.Birth, nil)
	w.of(in, record.Ready, nil)
	w.of(in, record.Serving, nil)
	return in
}

// retire ends the oldest instance: drained, and terminated by a signal on which its client
// sends what it has.
func (w *world) retire() {
	in := w.alive[0]
	w.of(in, record.Draining, nil)
	w.of(in, record.Signalled, func(e *record.Event) { e.Signal = "SIGTERM" })
	w.send(in)
	w.out.leave(in)
	w.of(in, record.Death, func(e *record.Event) { e.Expected = true })
	w.of(in, record.Removed, nil)
	w.alive, w.left = w.alive[1:], append(w.left, in)
}

func (w *world) send(in *instance) {
	if in.pending == 0 {
		return
	}
	line := append(make([]byte, 0, 128), "fullstack.insert:"...)
	line = strconv.AppendInt(line, int64(in.pending), 10)
	line = append(append(line, "|c|c:"...), in.container...)
	in.pending = 0
	w.out.lines(in, line)
}

// wanted is how many requests a second users send: more and less by turns, or no curve
// could follow another.
func (w *world) wanted() float64 {
	return float64(w.size) * rate * (1 + swing*math.Sin(2*math.Pi*(w.now-begin).Seconds()/period.Seconds()))
}

// serve sends what users want in a second, one instance after the other.
func (w *world) serve() {
	w.carry += w.wanted()
	n := int(w.carry)
	w.carry -= float64(n)
	for i := range n {
		in := w.alive[w.turn%len(w.alive)]
		w.turn++
		at := w.now - time.Second + time.Duration(i)*900*time.Millisecond/time.Duration(n)
		word := fmt.Sprintf("word%d", w.rnd.IntN(1000))
		r := record.Request{Seq: w.seq, Due: at, Sent: at + 100*time.Microsecond, Done: at + perRequest, Route: "insert", Word: word,
			Attempts: 1, Outcome: record.Acked, Status: 200, Instance: in.name}
		w.out.request(r, record.Execution{At: r.Done, Seq: w.seq, Server: in.name, Status: 200, Answered: true, Termination: "--"})
		w.seq++
		w.words[word]++
		in.pending++
		in.stot++
		in.ok++
		w.sessions++
		w.answered++
	}
	for _, in := range w.alive {
		w.send(in)
	}
}

var (
	front = collector.NewLabels("proxy", "fe_main")
	back  = collector.NewLabels("proxy", "be_web")
)

// poll gives what load balancer and database count at an interval's end.
func (w *world) poll() {
	zero := func(labels collector.Labels, names ...string) {
		for _, name := range names {
			w.out.sample(w.now, name, labels, 0, false)
		}
	}
	total, answered := float64(w.sessions), float64(w.answered)
	w.out.sample(w.now, "haproxy_frontend_req_tot", front, total, false)
	w.out.sample(w.now, "haproxy_frontend_hrsp_2xx", front, answered, false)
	zero(front, "haproxy_frontend_hrsp_1xx", "haproxy_frontend_hrsp_3xx", "haproxy_frontend_hrsp_4xx", "haproxy_frontend_hrsp_5xx", "haproxy_frontend_hrsp_other")
	for _, name := range []string{"stot", "lbtot", "req_tot"} {
		w.out.sample(w.now, "haproxy_backend_"+name, back, total, false)
	}
	zero(back, "haproxy_backend_wretr", "haproxy_backend_wredis", "haproxy_backend_eresp", "haproxy_backend_econ", "haproxy_backend_hrsp_5xx")
	w.out.sample(w.now, "mongodb_opcounters_total", collector.NewLabels("type", "update"), answered, false)
	for _, in := range slices.Concat(w.alive, w.left) {
		w.balanced(in, false)
	}
	for _, in := range w.gone {
		w.balanced(in, true)
	}
	w.left, w.gone = w.gone[:0], w.left
}

func (w *world) balanced(in *instance, stale bool) {
	labels := collector.NewLabels("proxy", "be_web", "server", in.name, "instance", in.name)
	w.out.sample(w.now, "haproxy_server_hrsp_2xx", labels, float64(in.ok), stale)
	w.out.sample(w.now, "haproxy_server_stot", labels, float64(in.stot), stale)
	w.out.sample(w.now, "haproxy_server_hrsp_5xx", labels, 0, stale)
	w.out.sample(w.now, "haproxy_server_wretr", labels, 0, stale)
}

// documents are the database's at a time.
func (w *world) documents(at time.Duration) record.Documents {
	d := record.Documents{At: at}
	for word, n := range w.words {
		d.Words = append(d.Words, record.WordCount{Word: word, Count: n})
	}
	slices.SortFunc(d.Words, func(a, b record.WordCount) int { return strings.Compare(a.Word, b.Word) })
	return d
}

// from is where all datagrams come from: a proxy of the machine's.
var from = netip.MustParseAddrPort("127.0.0.1:40000")
