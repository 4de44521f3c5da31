package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Beacons is what users tell a collector of the pages that they got, as their browsers
// would: navigator.sendBeacon, a POST on a connection of its own, which nobody waits for.
// The pages' schedule knows nothing of it.
type Beacons struct {
	URL    string  // where beacons are taken: http://127.0.0.1:9103/rum
	Origin string  // of the pages, as browsers write it: https://www.example.com
	Share  float64 // of the users, above 0 to 1, who send one; the others never do
	// JSON sends application/json, which no form could: a browser asks first (OPTIONS), and
	// sends nothing unless it is granted. Else a string is sent, as text/plain.
	JSON bool
	// Again is the share of those who send the same beacon a second time, as a page does
	// that reports when it is hidden and once more when it is left; 0: nobody.
	Again float64
	// Early has pages report as soon as they have been asked for.
	Early bool
	// Emit is called for each beacon when its outcome is known, from one goroutine.
	Emit func(Beacon)
}

// Beacon is one beacon in the users' ledger of them.
type Beacon struct {
	Seq     uint64 // of the page's request
	Route   string
	Again   bool          // it had been sent before
	Latency time.Duration // that it tells, in whole microseconds
	Sent    time.Time     // when the page queued it, its preflight included
	Done    time.Time     // when its outcome was known, to which no page listens
	// Outcome: Acked, it was answered with 2xx. Refused, proof that it was not taken: no
	// connection, a preflight that was not granted, or an answer that is no 2xx. Unknown:
	// anything else.
	Outcome  Outcome
	Status   int    // HTTP status of the answer to it; 0: none
	Attempts int    // how often it was written to a connection; 0 or 1
	Err      string // why there is no full answer; empty: there is one
}

// idleBeacons is how long a connection is kept without a beacon: less than collectors keep it, so that none is sent as it is closed.
const idleBeacons = time.Second

// mostBeacons is how many beacons may be under way; a user beyond that sends none.
const mostBeacons = 1000

func (b *Beacons) check() error {
	if b == nil {
		return nil
	}
	u, err := url.Parse(b.URL)
	switch {
	case err != nil || u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("beacons: url %q: want where they are taken, like http://127.0.0.1:9103/rum", b.URL)
	case b.Origin == "":
		return errors.New("beacons: origin: none given")
	case !(b.Share > 0 && b.Share <= 1):
		return fmt.Errorf("beacons: share %v: want above 0, at most 1", b.Share)
	case !(b.Again >= 0 && b.Again <= 1):
		return fmt.Errorf("beacons: again %v: want 0 to 1", b.Again)
	case b.Emit == nil:
		return errors.New("beacons: nobody takes their outcomes")
	}
	return nil
}

// beaconers are the users while they send beacons; nil: none does.
type beaconers struct {
	Beacons
	prefix    string // of page ids
	seed      uint64
	clock     func(time.Time) time.Time
	timeout   time.Duration
	transport *http.Transport
	room      chan struct{}
	rows      chan Beacon
	sending   sync.WaitGroup
	emitted   chan struct{}
}

func newBeaconers(c Config) *beaconers {
	if c.Beacons == nil {
		return nil
	}
	s := &beaconers{Beacons: *c.Beacons, prefix: c.Part.prefix(c.Run), seed: c.Seed, clock: c.Clock, timeout: c.Timeout,
		transport: &http.Transport{DialContext: c.Connect, DisableCompression: true, MaxIdleConnsPerHost: mostBeacons, IdleConnTimeout: idleBeacons},
		room:      make(chan struct{}, mostBeacons), rows: make(chan Beacon, mostBeacons), emitted: make(chan struct{})}
	go func() {
		defer close(s.emitted)
		for row := range s.rows {
			s.Emit(row)
		}
	}()
	return s
}

// now is the time by the clock of the schedule.
func (s *beaconers) now() time.Time { return s.clock(time.Now()) }

// finish returns when all beacons have their outcome and were emitted.
func (s *beaconers) finish() {
	if s == nil {
		return
	}
	s.sending.Wait()
	close(s.rows)
	<-s.emitted
	s.transport.CloseIdleConnections()
}

// asked is called when a page has been asked for.
func (s *beaconers) asked(seq uint64, x *exchange) {
	if s != nil && s.Early {
		s.page(seq, x.target.route.Name, x.sent, s.now().Sub(x.sent))
	}
}

// got is called when a page's outcome is known.
func (s *beaconers) got(r Row) {
	if s != nil && !s.Early && r.Outcome == Acked {
		s.page(r.Seq, r.Route, r.Done, r.Done.Sub(r.Sent))
	}
}

// page has a user tell of a page, or not, not before a time. It waits for nothing. Who does is
// fixed by the seed and the number of the page.
func (s *beaconers) page(seq uint64, route string, from time.Time, took time.Duration) {
	var source rand.PCG
	source.Seed(^s.seed, seq) // other draws than the plan's
	draw := rand.New(&source)
	tells, again := draw.Float64() < s.Share, draw.Float64() < s.Again
	if !tells {
		return
	}
	b := Beacon{Seq: seq, Route: route, Latency: max(0, took).Truncate(time.Microsecond), Sent: notBefore(from, s.now())}
	s.sending.Add(1)
	select {
	case s.room <- struct{}{}:
	default:
		defer s.sending.Done()
		b.Done, b.Outcome, b.Err = b.Sent, Refused, fmt.Sprintf("not sent: %d beacons are under way", mostBeacons)
		s.rows <- b
		return
	}
	go func() {
		defer s.sending.Done()
		defer func() { <-s.room }()
		s.rows <- s.send(b)
		if again {
			b.Again, b.Sent = true, notBefore(b.Sent, s.now())
			s.rows <- s.send(b)
		}
	}()
}

// send sends a beacon and gives its row.
func (s *beaconers) send(b Beacon) Beacon {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if s.JSON {
		if err := s.preflight(ctx); err != nil {
			b.Done, b.Outcome, b.Err = notBefore(b.Sent, s.now()), Refused, err.Error()
			return b
		}
	}
	var connected, written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { connected.Store(true) },
		WroteHeaders: func() { written.Store(true) },
	})
	resp, err := s.do(ctx, http.MethodPost, b.body(s.prefix), func(h http.Header) {
		h.Set("Content-Type", "text/plain;charset=UTF-8")
		if s.JSON {
			h.Set("Content-Type", "application/json")
		}
	})
	b.Done = notBefore(b.Sent, s.now())
	if written.Load() {
		b.Attempts = 1
	}
	switch {
	case err != nil:
		b.Err = err.Error()
		if !connected.Load() {
			b.Outcome = Refused
		}
	case resp.StatusCode/100 == 2:
		b.Outcome, b.Status = Acked, resp.StatusCode
	default:
		b.Outcome, b.Status = Refused, resp.StatusCode
	}
	return b
}

// body is what a beacon says.
func (b Beacon) body(prefix string) string {
	return fmt.Sprintf(`{"id":%q,"route":%q,"latency_ms":%s}`, prefix+strconv.FormatUint(b.Seq, 10), b.Route,
		strconv.FormatFloat(float64(b.Latency.Microseconds())/1000, 'f', 3, 64))
}

// PreflightRefused begins the Err of a beacon that no browser would have sent, because its
// preflight was not granted.
const PreflightRefused = "preflight refused"

// preflight asks as a browser does before it sends JSON to another origin. Every user
// asks: each has a browser of their own.
func (s *beaconers) preflight(ctx context.Context) error {
	resp, err := s.do(ctx, http.MethodOptions, "", func(h http.Header) {
		h.Set("Access-Control-Request-Method", http.MethodPost)
		h.Set("Access-Control-Request-Headers", "content-type")
	})
	if err != nil {
		return fmt.Errorf("preflight: %w", err)
	}
	h := resp.Header
	allowed := false
	for _, name := range strings.Split(h.Get("Access-Control-Allow-Headers"), ",") {
		allowed = allowed || strings.EqualFold(strings.TrimSpace(name), "Content-Type") // with credentials, * is a name like any other
	}
	switch origin := h.Get("Access-Control-Allow-Origin"); {
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s: answered with %d", PreflightRefused, resp.StatusCode)
	case origin != s.Origin:
		return fmt.Errorf("%s: Access-Control-Allow-Origin is %.100q, and the page's is %q", PreflightRefused, origin, s.Origin)
	case h.Get("Access-Control-Allow-Credentials") != "true":
		return fmt.Errorf("%s: credentials are not allowed, and a beacon has them", PreflightRefused)
	case !allowed:
		return fmt.Errorf("%s: the header Content-Type is not allowed", PreflightRefused)
	}
	return nil
}

// do sends a request as a page's, and reads the answer to its end.
func (s *beaconers) do(ctx context.Context, method, body string, set func(http.Header)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "throughline")
	req.Header.Set("Origin", s.Origin)
	set(req.Header)
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp, err
}
