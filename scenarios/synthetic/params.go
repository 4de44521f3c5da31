package synthetic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"throughline/scenarios/script"
)

// Params are what was drawn for a run, beside its defect.
type Params struct {
	Instances, Workers int
	Rate               float64 // mean, requests per second
	Shape              string  // script.Constant, Sine or Steps
	Swing              float64 // share of the rate
	Period             time.Duration
	Levels             []script.Level
	Insert, Get, Top   int // weights of the routes
	RoundRobin         bool
	Words              int
	Slow               time.Duration // mean time of a request beyond 1 ms
	Missing            float64       // share of gets answered 404
	Failing            float64       // share of inserts answered 4xx or 5xx and not written
	Unanswered         float64       // share of inserts that are written and not answered
	Interval           time.Duration // the collector's
	Client             Client
	Declared           time.Duration // client_window in the scenario
	MaxGap             time.Duration
	Lag                time.Duration // max_lag
	Rate1              float64       // sample rate, declared and sent; 1: none
	Only2xx            bool          // the scenario says status: 2xx
	Probe              time.Duration // between two health probes of an instance
	Timers             bool          // the app has timers
	Nested             bool          // the scenario has a check of the timers
	Others             bool          // the app has counters of its other routes
	Database           string
	Phases             []Phase
	Stalls             []Span // of the whole machine
	Jitter             time.Duration
	Stop               time.Duration // a stop on SIGTERM takes so long at least
	// Sockets is what sends from a socket of its own: perWorker, perSend or
	// perInstance; or untold where the
	// collector cannot tell.
	Sockets  string
	Recycle  int           // a worker is replaced after so many requests, in order; 0: never
	Scaled   *Scaled       // nil: nobody scales
	LameDuck time.Duration // an instance that was not drained still serves for so long after SIGTERM
}

// What has a socket of its own.
const (
	perWorker   = "worker"
	perSend     = "send"
	perInstance = "instance" // opened before its workers were forked
	untold      = "untold"
)

// Client is how an instance's StatsD clients send, one in each worker.
type Client struct {
	// Aggregate is how long counts are added up before they go on; 0: each call
	// makes a line.
	Aggregate time.Duration
	// Flush is how long lines wait for company in a datagram; 0: each goes alone.
	Flush time.Duration
	Bytes int // of a datagram
	// TimersToo: timers wait for Aggregate as well, their values packed in a line.
	TimersToo bool
}

// Hold is the longest that a count stays in the client.
func (c Client) Hold() time.Duration { return c.Aggregate + c.Flush }

// Span is a stretch of time.
type Span struct{ From, To time.Duration }

// Phase is a phase of the scenario.
type Phase struct {
	Name  string
	Steps []Step
	Long  time.Duration
}

// Step is a step of the scenario.
type Step struct {
	Verb, Object string // "kill", "web-2"
	Fault        string // of a fault and its heal
	Abrupt       bool   // a termination without draining
	For          time.Duration
}

// Long is how long all phases last.
func (p Params) Long() time.Duration {
	var sum time.Duration
	for _, phase := range p.Phases {
		sum += phase.Long
	}
	return sum
}

// String tells all in some lines.
func (p Params) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "load: %.1f/s %s swing %.2f period %v, routes insert:%d get:%d toplist:%d, %d words, requests of 1ms + %v\n",
		p.Rate, p.Shape, p.Swing, p.Period, p.Insert, p.Get, p.Top, p.Words, p.Slow)
	fmt.Fprintf(&b, "answers: %.3f of gets 404, %.3f of inserts fail, %.3f of inserts unanswered; probes every %v\n", p.Missing, p.Failing, p.Unanswered, p.Probe)
	fmt.Fprintf(&b, "web: %d instances of %d workers, round robin %v, a stop takes %v; timers %v (checked %v), other counters %v\n",
		p.Instances, p.Workers, p.RoundRobin, p.Stop, p.Timers, p.Timers && p.Nested, p.Others)
	fmt.Fprintf(&b, "client: aggregates %v, flushes %v, %d bytes, timers aggregated %v, jitter %v, rate %v; declared %v\n",
		p.Client.Aggregate, p.Client.Flush, p.Client.Bytes, p.Client.TimersToo, p.Jitter, p.Rate1, p.Declared)
	fmt.Fprintf(&b, "sockets: %s, workers replaced after %d requests\n", p.Sockets, p.Recycle)
	fmt.Fprintf(&b, "collector: interval %v; max_gap %v, max_lag %v, only 2xx %v, database %s; stalls %v\n", p.Interval, p.MaxGap, p.Lag, p.Only2xx, p.Database, p.Stalls)
	for _, phase := range p.Phases {
		fmt.Fprintf(&b, "phase %s: %v %v\n", phase.Name, phase.Long, phase.Steps)
	}
	return b.String()
}

// between draws evenly.
func between(rnd *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rnd.Int64N(int64(most-least)+1))
}

// logBetween draws evenly on the logarithmic scale.
func logBetween(rnd *rand.Rand, least, most float64) float64 {
	return least * math.Pow(most/least, rnd.Float64())
}

// logSpan draws a time evenly on the logarithmic scale.
func logSpan(rnd *rand.Rand, least, most time.Duration) time.Duration {
	return time.Duration(logBetween(rnd, float64(least), float64(most))).Round(time.Millisecond)
}

func chance(rnd *rand.Rand, share float64) bool { return rnd.Float64() < share }

func oneOf[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

// drawParams draws a healthy run.
func drawParams(rnd *rand.Rand) Params {
	p := Params{
		Instances: 1 + rnd.IntN(6), Workers: 1, RoundRobin: chance(rnd, 0.7),
		Rate: logBetween(rnd, 4, 500), Shape: oneOf(rnd, script.Constant, script.Sine, script.Steps),
		Insert: 9, Get: 1, Words: 20 + rnd.IntN(80), Slow: logSpan(rnd, time.Millisecond, 30*time.Millisecond),
		Interval: time.Second, Rate1: 1, MaxGap: 2 * time.Second, Lag: 2 * time.Second,
		Only2xx: chance(rnd, 0.5), Timers: chance(rnd, 0.9), Others: chance(rnd, 0.8), Database: oneOf(rnd, "docstore", "docstore", "none"),
		Probe: logSpan(rnd, 200*time.Millisecond, 2*time.Second), Jitter: time.Millisecond,
		Stop: logSpan(rnd, 30*time.Millisecond, 200*time.Millisecond), LameDuck: logSpan(rnd, 5*time.Millisecond, 300*time.Millisecond),
	}
	if chance(rnd, 0.4) {
		p.Workers = 2 + rnd.IntN(2)
	}
	if chance(rnd, 0.2) {
		p.Jitter = logSpan(rnd, 2*time.Millisecond, 20*time.Millisecond)
	}
	switch rnd.IntN(4) {
	case 0:
		p.Get = 0
	case 1:
		p.Insert, p.Get = 1+rnd.IntN(9), 1+rnd.IntN(9)
	}
	if p.Get > 0 && chance(rnd, 0.3) {
		p.Top = 1 + rnd.IntN(3)
	}
	if chance(rnd, 0.15) {
		p.Interval = oneOf(rnd, 2*time.Second, 10*time.Second)
		p.MaxGap = max(p.MaxGap, 2*p.Interval)
	}
	if chance(rnd, 0.3) {
		p.Missing = 0.5 * rnd.Float64()
	}
	if chance(rnd, 0.15) {
		p.Failing = 0.1 * rnd.Float64()
	}
	if chance(rnd, 0.1) {
		p.Unanswered = 0.01 * rnd.Float64()
	}
	if chance(rnd, 0.15) {
		p.Stop = logSpan(rnd, time.Second, 4*time.Second)
	}
	if chance(rnd, 0.08) {
		p.Rate1 = oneOf(rnd, 0.1, 0.2, 0.25, 0.5)
	}
	p.Nested = chance(rnd, 0.5)
	p.load(rnd)
	p.setClient(drawClient(rnd))
	p.Phases = drawPhases(rnd, &p)
	p.drawStalls(rnd)
	return p
}

// drawProcesses draws what the collector sees of an instance's processes. It has its own
// random numbers.
func (p *Params) drawProcesses(rnd *rand.Rand) {
	switch n := rnd.IntN(20); {
	case n < 15:
		p.Sockets = perWorker
	case n < 16:
		p.Sockets = perInstance
	case n < 18:
		p.Sockets = perSend
	default:
		p.Sockets = untold
	}
	if each := p.Rate * p.Long().Seconds() / float64(p.Instances*p.Workers); chance(rnd, 0.08) && each > 40 {
		p.Recycle = max(20, int(each/logBetween(rnd, 1.2, 12)))
	}
}

// load draws the shape, and a rate that the length of the run goes with.
func (p *Params) load(rnd *rand.Rand) {
	switch p.Shape {
	case script.Sine:
		p.Swing, p.Period = 0.2+0.6*rnd.Float64(), between(rnd, 3*time.Second, 12*time.Second)
	case script.Steps:
		for range 2 + rnd.IntN(3) {
			p.Levels = append(p.Levels, script.Level{Rate: p.Rate * (0.3 + 1.4*rnd.Float64()), For: between(rnd, 2*time.Second, 5*time.Second).Round(100 * time.Millisecond)})
		}
	}
}

// setClient gives the clients what they do, and has the scenario declare it.
func (p *Params) setClient(c Client) {
	p.Client = c
	p.Declared = declared(c.Hold(), p.Jitter)
}

// declared is what an honest scenario says of a client: what it holds at most,
// with some milliseconds for the scheduler, rounded up.
func declared(hold, jitter time.Duration) time.Duration {
	hold += 2*jitter*4 + 5*time.Millisecond
	step := 100 * time.Millisecond
	if hold <= 100*time.Millisecond {
		step = 10 * time.Millisecond
	}
	return (hold + step - 1) / step * step
}

// drawClient draws one of the clients there are: of Datadog for Go, Python, Ruby and
// Java, and those that send each call by itself.
func drawClient(rnd *rand.Rand) Client {
	hold := oneOf(rnd, 40*time.Millisecond, 100*time.Millisecond, time.Second, 2*time.Second, 5*time.Second, 10*time.Second)
	if chance(rnd, 0.35) {
		hold = logSpan(rnd, 10*time.Millisecond, 10*time.Second)
	}
	bytes := oneOf(rnd, 512, 1432, 1432, 8192)
	switch rnd.IntN(5) {
	case 0: // each call is a datagram
		return Client{Bytes: 512}
	case 1: // lines are buffered, nothing is added up
		return Client{Flush: min(hold, 5*time.Second), Bytes: bytes}
	case 2: // all is aggregated
		return Client{Aggregate: hold, Flush: oneOf(rnd, 0, hold/10), Bytes: bytes, TimersToo: true}
	}
	return Client{Aggregate: hold, Flush: oneOf(rnd, 0, 40*time.Millisecond, 100*time.Millisecond), Bytes: bytes}
}

// drawStalls has the machine stand still for a while, now and then.
func (p *Params) drawStalls(rnd *rand.Rand) {
	if !chance(rnd, 0.1) {
		return
	}
	for range 1 + rnd.IntN(3) {
		from := loadBegin + between(rnd, time.Second, p.Long()-time.Second)
		p.Stalls = append(p.Stalls, Span{from, from + logSpan(rnd, 30*time.Millisecond, 900*time.Millisecond)})
	}
}
