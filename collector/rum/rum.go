// Package rum is a way in for real-user measurements: a page tells, with a beacon
// (navigator.sendBeacon), how long its user waited for it.
//
//	browsers → POST /rum → limits → one series per route and interval
//
// A browser is nobody's friend: whatever it sends may be made up. So the package takes
// pages of the origins that it was told of and of nobody else, bodies of at most 64 KiB,
// so many beacons a second, and names of routes that it knows or, where it was told none,
// the first few; all else is counted by reason, and begins no series. What a beacon says is
// no proof of a page: who has the pages' own ledger holds beacons against it
// (Config.Took).
//
// It has an address of its own and serves nothing else there: the HTTP API of a collector
// lets no page of another origin ask. It is a collector.Source, which collector/pipeline
// puts together with the others.
package rum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"

	"throughline/collector"
	"throughline/collector/histogram"
)

// Path is where beacons are taken.
const Path = "/rum"

// The series that beacons make, by the label route.
const (
	Views   = "rum_page_views_total" // a counter of beacons
	Latency = "rum_page_latency"     // how long users waited, in milliseconds, as other timers are kept
)

// The limits.
const (
	MaxBody       = 65_536 // bytes; a browser sends no more with all its beacons under way
	maxConns      = 2048
	maxHeader     = 16 << 10
	slowestClient = 5 * time.Second // for one request to come in
	longestIdle   = 2 * time.Second // every user has a browser of their own, which comes once or twice: none keeps the place of others
	lastRequests  = time.Second     // for what is under way at the end
	defaultRoutes = 50
	defaultRate   = 2000
)

// Config is where beacons are taken, and whose. Addr and Origins must be set; the zero
// value of the others means what their comments say.
type Config struct {
	Addr string // host:port
	// Origins are those of the pages that may send beacons, as browsers write them:
	// "https://www.example.com".
	Origins []string
	// Routes are the names that beacons may have for pages. None: any name, of which the
	// first MaxRoutes are told apart and later ones refused.
	Routes    []string
	MaxRoutes int     // 50
	Rate      float64 // beacons a second that are taken, in all; 2,000
	// Took gets each beacon that is counted, in the order in which they are, and before its
	// sender has the answer. It must not block for long. May be nil.
	Took func(Beacon)
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Beacon is what a page tells.
type Beacon struct {
	ID      string        // of the page: the X-Request-Id that it was asked for with
	Route   string        // which page it is: "insert"
	Latency time.Duration // how long its user waited, in whole microseconds
	Form    Form
	At      time.Time // when it had come
}

// Form is how a browser sent a beacon.
type Form string

// The forms.
const (
	Text Form = "text" // text/plain, of a string: no preflight
	JSON Form = "json" // application/json, of a Blob: after a preflight, from another origin
)

// Collector takes beacons in. It is a collector.Source.
type Collector struct {
	cfg      Config
	in       collector.Intake
	listener net.Listener
	limit    *rate.Limiter
	bounds   *histogram.Bounds

	mu      sync.Mutex
	state   state
	routes  map[string]*route
	figures Figures
	born    map[string]bool // whose own series have begun
	given   time.Time       // of the newest points of one before this
}

// state is how far a Collector is. It only goes on.
type state uint8

const (
	waiting state = iota
	running
	over
)

// Figures are what came in. At any moment Requests = Beacons + the sum of Bad.
type Figures struct {
	Requests  uint64 // that were no preflights
	Beacons   uint64 // that were counted
	Bad       map[string]uint64
	Preflight uint64 // that were granted
	Refused   uint64 // preflights that were not: what they asked for never comes
}

// route is what was told of one page.
type route struct {
	views     uint64
	observed  uint64 // of this interval
	times     histogram.Histogram
	snapshot  *collector.Histogram
	labels    collector.Labels
	begun     bool
	resumedAt time.Time
}

// New listens, and serves nobody before Run. Close what it returns in any case.
func New(c Config, in collector.Intake) (*Collector, error) {
	for i, origin := range c.Origins {
		if err := CheckOrigin(origin); err != nil {
			return nil, fmt.Errorf("beacons: origin %d: %w", i+1, err)
		}
	}
	if len(c.Origins) == 0 {
		return nil, errors.New("beacons: no origin: say whose pages may send them, like https://www.example.com")
	}
	for _, name := range c.Routes {
		if !routeName.MatchString(name) {
			return nil, fmt.Errorf("beacons: route %q: want a letter or digit, then letters, digits, '.', '_' and '-'", name)
		}
	}
	if c.MaxRoutes <= 0 {
		c.MaxRoutes = defaultRoutes
	}
	if c.Rate <= 0 {
		c.Rate = defaultRate
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("beacons: %w; choose another address, or port 0 for any free one", err)
	}
	return &Collector{cfg: c, in: in.WithDefaults(), listener: listener, limit: rate.NewLimiter(rate.Limit(c.Rate), int(max(1, c.Rate))),
		bounds: histogram.NewBounds(), routes: map[string]*route{}, figures: Figures{Bad: map[string]uint64{}}, born: map[string]bool{}}, nil
}

// CheckOrigin tells what is wrong with an origin, which must be written as browsers write
// it: they are compared letter by letter.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%q: want scheme, host and perhaps a port, like https://www.example.com", origin)
	case u.Scheme+"://"+u.Host != origin:
		return fmt.Errorf("%q: want it without path and user, as a browser writes it: %s://%s", origin, u.Scheme, u.Host)
	}
	return nil
}

// Addr is where beacons are taken, host:port.
func (c *Collector) Addr() string { return c.listener.Addr().String() }

// Hello implements collector.Greeter.
func (c *Collector) Hello() string {
	return fmt.Sprintf("curl -H 'Origin: %s' -H 'Content-Type: text/plain' -d '{\"id\":\"page-1\",\"route\":\"insert\",\"latency_ms\":12.5}' http://%s%s", c.cfg.Origins[0], c.Addr(), Path)
}

// Run implements collector.Source.
func (c *Collector) Run(ctx context.Context) error {
	if !c.enter() {
		return errors.New("take beacons: it ran before, or was closed; make another")
	}
	server := &http.Server{Handler: c, ReadHeaderTimeout: slowestClient, ReadTimeout: slowestClient, WriteTimeout: slowestClient, IdleTimeout: longestIdle, MaxHeaderBytes: maxHeader}
	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(c.listener, maxConns)) }()
	var failed error
	give := func(at time.Time, last bool) {
		samples := c.flush(at, last)
		if err := c.in.Sink.Append(samples...); err != nil && failed == nil {
			failed = fmt.Errorf("keep samples of beacons: %w", err)
		}
	}
	at := c.in.IntervalEnd(c.cfg.Now())
	timer := time.NewTimer(at.Sub(c.cfg.Now()))
	defer timer.Stop()
	// next is the end of the first interval that is not over, and has no points yet.
	next := func() time.Time {
		if end := c.in.IntervalEnd(c.cfg.Now()); end.After(at) {
			return end
		}
		return at.Add(c.in.Interval)
	}
	for {
		select {
		case <-timer.C:
			give(at, false)
			at = next()
			timer.Reset(at.Sub(c.cfg.Now()))
		case err := <-served:
			served <- nil
			failed = errors.Join(failed, fmt.Errorf("take beacons: %w", err))
			<-ctx.Done()
			give(at, true)
			return failed
		case <-ctx.Done():
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRequests)
			if server.Shutdown(closing) != nil {
				_ = server.Close() // who is not done by then has sent nothing whole
			}
			cancel()
			<-served
			if !at.After(c.cfg.Now()) { // the interval was over before the requests were
				give(at, false)
				at = next()
			}
			give(at, true)
			return failed
		}
	}
}

func (c *Collector) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != waiting {
		return false
	}
	c.state = running
	if c.in.Resume != nil {
		if last, ok := c.in.Resume.Last(ownRequests, nil); ok {
			c.given = last.At
		}
	}
	return true
}

// Close implements collector.Source.
func (c *Collector) Close() error {
	c.mu.Lock()
	c.state = over
	c.mu.Unlock()
	if err := c.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Figures are those so far, and after Run the final ones.
func (c *Collector) Figures() Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.figures
	out.Bad = map[string]uint64{}
	for reason, n := range c.figures.Bad {
		out.Bad[reason] = n
	}
	return out
}
