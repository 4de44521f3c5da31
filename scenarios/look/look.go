// Package look finds out which metrics an application sends: it sends a few requests to each of its routes, notes what
// comes on a StatsD socket meanwhile, and tells which counter, timer or gauge goes with which route.
//
// It starts nothing and judges nothing: whoever calls it (the command init) has the application running, and its metrics
// relayed to the socket. What it finds is a proposal, of a few requests; what holds is for a run to tell.
package look

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"throughline/collector/dogstatsd"
)

// Route is a request that is sent, and how often. No two have the same number, so that a counter tells whose it is.
type Route struct {
	Name, Method, Path string // Path may hold {word}
}

// Answered is what came of the requests to a route.
type Answered struct {
	Route
	Ends      []time.Time // when each 2xx was there, in their order
	Others    map[int]int // answers with other statuses, by status
	Failed    error       // the last request without an answer; nil: all had one
	Responses int         // all that were answered
}

// Point is one value that came.
type Point struct {
	At    time.Time
	Value float64 // of a counter, what it stands for: a sampled value counts for several
	Rate  float64 // the sample rate that came with it; 1: none
	// Signed is a gauge's change by a value, and not its value.
	Signed bool
}

// Metric is what came under one name and type.
type Metric struct {
	Name   string
	Type   dogstatsd.Type
	Points []Point
}

// Seen is all that was seen.
type Seen struct {
	Routes  []Answered
	Metrics []Metric // in the order in which they came first
	Bad     int      // lines that no one understands
	BadLine string   // the first of them
}

// numbers are how many requests the routes get: no one is the sum of two others, so that a
// counter of two routes is taken for that of no third.
var numbers = []int{11, 17, 23, 31, 37, 43, 52, 61, 73, 79, 93, 101}

// MostRoutes is how many routes can be told apart.
var MostRoutes = len(numbers)

// pause is the time between two requests: they are sent one after the other, so that a gauge of those in flight is at most 1.
const pause = 10 * time.Millisecond

// Socket takes StatsD's datagrams.
type Socket struct {
	conn net.PacketConn
	mu   sync.Mutex
	seen Seen
}

// Listen opens a socket on this machine, which takes what comes until it is closed.
func Listen() (*Socket, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a socket for metrics: %w", err)
	}
	s := &Socket{conn: conn}
	go s.read()
	return s, nil
}

// Addr is where it takes them, host:port.
func (s *Socket) Addr() string { return s.conn.LocalAddr().String() }

// Close ends it.
func (s *Socket) Close() error { return s.conn.Close() }

func (s *Socket) read() {
	buffer := make([]byte, 65536)
	for {
		n, _, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return // it was closed
		}
		s.take(buffer[:n], time.Now())
	}
}

// take notes what is in a datagram.
func (s *Socket) take(datagram []byte, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var scan dogstatsd.Scanner
	scan.Reset(datagram)
	for {
		switch scan.Next() {
		case dogstatsd.Metric:
			s.seen.add(&scan.Line, at)
		case dogstatsd.Bad:
			if s.seen.Bad++; s.seen.Bad == 1 {
				s.seen.BadLine = string(scan.Raw)
			}
		case dogstatsd.Event, dogstatsd.ServiceCheck:
		default:
			return
		}
	}
}

// add notes the values of a line.
func (s *Seen) add(l *dogstatsd.Line, at time.Time) {
	name := string(l.Name)
	i := 0
	for i < len(s.Metrics) && (s.Metrics[i].Name != name || s.Metrics[i].Type != l.Type) {
		i++
	}
	if i == len(s.Metrics) {
		s.Metrics = append(s.Metrics, Metric{Name: name, Type: l.Type})
	}
	for _, v := range l.Values {
		p := Point{At: at, Value: v.Number, Rate: 1, Signed: v.Signed}
		if l.Rate > 0 && l.Rate < 1 {
			p.Rate = l.Rate
			if l.Type == dogstatsd.Count {
				p.Value /= l.Rate
			}
		}
		s.Metrics[i].Points = append(s.Metrics[i].Points, p)
	}
}

// Look sends requests to the routes, at base, and notes what comes on the socket until wait after the last of them. An error
// says that no request was answered.
func Look(ctx context.Context, s *Socket, base string, routes []Route, wait time.Duration) (Seen, error) {
	if len(routes) > MostRoutes {
		return Seen{}, fmt.Errorf("%d routes: want at most %d, which can be told apart by how often each is asked", len(routes), MostRoutes)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var all []Answered
	answers := 0
	routes = slices.Clone(routes)
	slices.SortStableFunc(routes, func(a, b Route) int { return cmp.Compare(reads(a), reads(b)) }) // what is read has been written then
	for i, r := range routes {
		a := Answered{Route: r, Others: map[int]int{}}
		for n := range numbers[i] {
			if err := a.ask(ctx, client, base, fmt.Sprintf("word-%d", n+1)); err != nil {
				return Seen{}, err
			}
			if a.Failed != nil {
				break // an application that does not answer is not waited for eleven times
			}
			if err := sleep(ctx, pause); err != nil {
				return Seen{}, err
			}
		}
		answers += a.Responses
		all = append(all, a)
	}
	if answers == 0 {
		return Seen{}, fmt.Errorf("no request was answered: %w", errors.Join(all[0].Failed))
	}
	if err := spread(ctx, client, base, all, wait); err != nil {
		return Seen{}, err
	}
	if err := apart(ctx, client, base, all); err != nil {
		return Seen{}, err
	}
	if err := sleep(ctx, wait); err != nil {
		return Seen{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	seen.Routes = all
	return seen, nil
}

// reads is 1 for a route that is read, and 0 for one that may be written.
func reads(r Route) int {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return 1
	}
	return 0
}

// paces are the pauses between the requests by which a client's window is measured. They go round, and are no multiples of each
// other, so that requests meet every moment of a client that flushes by a clock.
var paces = []time.Duration{53 * time.Millisecond, 71 * time.Millisecond, 89 * time.Millisecond, 107 * time.Millisecond, 131 * time.Millisecond}

// spread sends requests to the first route that answers with 2xx for so long: how long a count is on its way at most is seen only
// by requests over a whole window of the client.
func spread(ctx context.Context, client *http.Client, base string, all []Answered, lasts time.Duration) error {
	at := slices.IndexFunc(all, func(a Answered) bool { return len(a.Ends) > 0 && a.Failed == nil })
	if at < 0 {
		return nil
	}
	end := time.Now().Add(lasts)
	for i := 0; time.Now().Before(end) && all[at].Failed == nil; i++ {
		if err := all[at].ask(ctx, client, base, "word-1"); err != nil {
			return err
		}
		if err := sleep(ctx, paces[i%len(paces)]); err != nil {
			return err
		}
	}
	return nil
}

// mostMore is how many requests more a route may get, so that its number is its own.
const mostMore = 40

// apart sends more requests to a route whose number of 2xx is that of another, or what two others come to, or twice another's,
// until it is not. They are of the first word, which has been asked for already.
func apart(ctx context.Context, client *http.Client, base string, all []Answered) error {
	for i := range all {
		for range mostMore {
			if len(all[i].Ends) == 0 || all[i].Failed != nil || !ambiguous(all, i) {
				break
			}
			if err := all[i].ask(ctx, client, base, "word-1"); err != nil {
				return err
			}
			if err := sleep(ctx, pause); err != nil {
				return err
			}
		}
	}
	return nil
}

// ambiguous tells whether a counter could be taken for that of route i which is of another, of two others, or counts another twice; or
// one of it and another for a third's.
func ambiguous(all []Answered, i int) bool {
	n := len(all[i].Ends)
	for j := range all {
		m := len(all[j].Ends)
		if j != i && (n == m || n == all[j].Responses || n == 2*m && m > 0 || m == 2*n) {
			return true
		}
		for k := range all[:j] {
			o := len(all[k].Ends)
			if j != i && k != i && m > 0 && o > 0 && (n == m+o || m == n+o || o == n+m) {
				return true
			}
		}
	}
	return false
}

// ask sends one request. The error is that of ctx alone.
func (a *Answered) ask(ctx context.Context, client *http.Client, base, word string) error {
	request, err := http.NewRequestWithContext(ctx, a.Method, base+strings.ReplaceAll(a.Path, "{word}", word), nil)
	if err != nil {
		a.Failed = err
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		a.Failed = err
		return ctx.Err()
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 10<<20)) // what is not read to its end costs a connection
	response.Body.Close()
	a.Responses++
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		a.Ends = append(a.Ends, time.Now())
	} else {
		a.Others[response.StatusCode]++
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
