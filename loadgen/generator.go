// Package loadgen is the users: it sends requests to the load balancer at
// the times a schedule wants them, whatever the stack does, and keeps the
// users' ledger, one row per request.
//
// It is an open loop: requests are due at times that depend on nothing but
// the shape, and latency counts from there. It neither retries requests nor
// follows redirects, and it judges nothing but its own schedule: whether the
// ledger agrees with others is not its business. The attack itself is
// vegeta's; this package adds the exact schedule, what each request is, and
// the truth about what went over the wire.
//
// The run of a scenario and the command "throughline load" call it.
package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Config says what to send, when and where. Target, Shape, Routes and Run
// must be set; the zero value of the others stands for the default given.
type Config struct {
	Target string // the load balancer: http://127.0.0.1:8080
	// Dial is the host:port that is connected to, whatever the name in Target resolves to; "": that of Target.
	Dial string
	// Connect makes connections, as net.Dialer.DialContext does, which it is by default.
	Connect func(ctx context.Context, network, addr string) (net.Conn, error)
	// ServedBy is the response header that names the instance that answered; "": X-Served-By.
	ServedBy string
	// Foreign: nobody knows how the load balancer is configured, so that a 503 that names no instance proves nothing: the
	// request may have been executed. See Refused.
	Foreign bool
	Shape   Shape // when requests are due
	Routes  []Route
	// Mix gives routes their weights, by name: {insert: 9, get: 1}. A route
	// that is not in it is never requested. Empty: all routes alike.
	Mix   map[string]int
	Words int     // how many different words there are; 1,000; at most 1,000,000
	Skew  float64 // exponent of Zipf's law for how often each comes up, above 0; 1.1
	// Seed fixes the route and word of every request: the same seed (with
	// the same Routes, Mix, Words and Skew) deals the same requests.
	Seed uint64
	// Run is the run's id. Request n carries "X-Request-Id: <Run>-n"; see Part.RequestID.
	// Letters, digits, dots, dashes and underscores.
	Run string
	// Part is what of the load this generator sends; all of it by default.
	Part Part

	Timeout time.Duration // for one request, from sending to the last byte of the answer; 5 s
	// MaxInFlight is how many requests may be in flight; 10,000. Requests
	// due beyond that wait, and are late.
	MaxInFlight int

	// LatenessP99 and LatenessMax bound the lateness (sent − due) that 99 %
	// of the requests, and all requests, must keep for the schedule to count
	// as kept; 100 ms and 1 s. See Summary.Missed.
	LatenessP99, LatenessMax time.Duration

	// Beacons is what users tell of the pages that they got; nil: nothing.
	Beacons *Beacons

	// Clock is what the clock of the schedule shows at an instant of this process'; nil: that
	// instant. It must not be behind by more at one instant than at another but for a
	// little: a time that would come before an earlier one of the same request is set to that.
	Clock func(time.Time) time.Time
	// Start is offset 0 of the shape, by Clock; zero: when Run is called.
	Start time.Time
}

const (
	defaultServedBy    = "X-Served-By"
	defaultWords       = 1000
	maxWords           = 1_000_000
	defaultSkew        = 1.1
	defaultTimeout     = 5 * time.Second
	defaultMaxInFlight = 10_000
	defaultLatenessP99 = 100 * time.Millisecond
	defaultLatenessMax = time.Second
)

var runID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (c Config) withDefaults() Config {
	orDefault(&c.ServedBy, defaultServedBy)
	orDefault(&c.Words, defaultWords)
	orDefault(&c.Skew, defaultSkew)
	orDefault(&c.Timeout, defaultTimeout)
	orDefault(&c.MaxInFlight, defaultMaxInFlight)
	orDefault(&c.LatenessP99, defaultLatenessP99)
	orDefault(&c.LatenessMax, max(defaultLatenessMax, c.LatenessP99))
	if c.Connect == nil {
		c.Connect = (&net.Dialer{Timeout: c.Timeout}).DialContext
	}
	if c.Clock == nil {
		c.Clock = func(t time.Time) time.Time { return t }
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) check() error {
	switch {
	case c.Shape == nil:
		return errors.New("shape: none given")
	case !runID.MatchString(c.Run):
		return fmt.Errorf("run id %q: want 1 to 64 letters, digits, dots, dashes and underscores", c.Run)
	case c.Words < 1 || c.Words > maxWords:
		return fmt.Errorf("words: %d: want 1 to %d", c.Words, maxWords)
	case !(c.Skew > 0 && c.Skew <= 10):
		return fmt.Errorf("skew: %v: want above 0, at most 10", c.Skew)
	case c.Timeout < 0:
		return fmt.Errorf("timeout: %v: want above 0", c.Timeout)
	case c.MaxInFlight < 0:
		return fmt.Errorf("max in flight: %d: want above 0", c.MaxInFlight)
	case c.LatenessP99 < 0:
		return fmt.Errorf("lateness p99: %v: want above 0", c.LatenessP99)
	case c.LatenessMax < c.LatenessP99:
		return fmt.Errorf("lateness max: %v: want at least the lateness p99 of %v", c.LatenessMax, c.LatenessP99)
	}
	return errors.Join(c.Part.check(), c.Beacons.check())
}

// Generator sends one run of load.
type Generator struct {
	config Config
	plan   *plan
	ending *ending
	book   atomic.Pointer[book] // nil until Run
}

// New checks the configuration, all of it, and sends nothing.
func New(c Config) (*Generator, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	p, err := newPlan(c)
	if err != nil {
		return nil, err
	}
	return &Generator{config: c, plan: p, ending: newEnding()}, nil
}

// Config is what it was made of, with all defaults.
func (g *Generator) Config() Config { return g.config }

// Request is what request number seq of the whole load is: the name of its route, and what {word} is in it.
func (g *Generator) Request(seq uint64) (route, word string) {
	t := g.plan.target(seq)
	return t.route.Name, t.word
}

// End has nothing sent that is due later than t, by Config.Clock, as if the context of Run
// ended then; the first end counts. It may be called at any time from any goroutine.
func (g *Generator) End(t time.Time) { g.ending.set(t) }

// Run sends what is due until ctx ends, or what End says has come, waits for the requests in flight,
// which takes Config.Timeout at most, and returns. Requests that were due
// when ctx ended, but had not been sent, are sent if that can be done within
// Config.LatenessP99; the others are counted in Summary.Unsent.
//
// So are beacons waited for, of which Beacons.Emit is told before Run returns.
//
// emit is called for each request sent, exactly once, from the goroutine that
// called Run, in the order in which outcomes become known. Requests whose row
// waits for emit still count as in flight for Config.MaxInFlight, so emit
// should not block for long.
//
// The end of ctx is no error. A Generator runs once; a second call is an error.
func (g *Generator) Run(ctx context.Context, emit func(Row)) (Summary, error) {
	c := g.config
	orDefault(&c.Start, c.Clock(time.Now()))
	c.Shape = c.Part.Deal(c.Shape)
	b := &book{foreign: c.Foreign, start: c.Start, clock: c.Clock, shape: c.Shape, part: c.Part, bound: c.LatenessP99, onward: map[uint64]*exchange{}}
	if !g.book.CompareAndSwap(nil, b) {
		return Summary{}, errors.New("load generator: has run before; make a new one for each run")
	}
	transport := newTransport(c)
	defer transport.CloseIdleConnections()
	beacons := newBeaconers(c)
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{
			Transport:     &wire{plan: g.plan, requestID: c.Part.prefix(c.Run), timeout: c.Timeout, servedBy: c.ServedBy, transport: transport, book: b, beacons: beacons},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
		vegeta.MaxWorkers(uint64(c.MaxInFlight)),
		vegeta.MaxBody(0), // read to its end, but not kept
	)
	p := newPacer(ctx, c, g.ending)
	finish := p.stopAtEnd(attacker)

	tally := NewTally(c)
	var failure error
	for res := range attacker.Attack(vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: c.Target}), p, 0, "") {
		row, err := b.close(res)
		if err != nil {
			failure = errors.Join(failure, err)
			attacker.Stop()
			continue
		}
		tally.Add(row)
		beacons.got(row)
		emit(row)
	}
	finish()
	beacons.finish()
	stats := b.now()
	return tally.Summary(c.Start, p.end(), stats, p.unsent(stats.Sent)), failure
}

// Stats tells how the run goes. It may be called at any time from any
// goroutine, also before and after Run.
func (g *Generator) Stats() Stats {
	if b := g.book.Load(); b != nil {
		return b.now()
	}
	return Stats{}
}
