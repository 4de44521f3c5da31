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
	if err := apart(ctx, client, base, all); err != nil {
		return Seen{}, err
	}
	if answers == 0 {
		return Seen{}, fmt.Errorf("no request was answered: %w", errors.Join(all[0].Failed))
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

// mostMore is how many requests more a route may get, so that none was answered as often as another.
const mostMore = 12

// apart sends more requests to a route that was answered with 2xx as often as another, until it is not. They are of the first
// word, which has been asked for already.
func apart(ctx context.Context, client *http.Client, base string, all []Answered) error {
	for i := range all {
		for range mostMore {
			n := len(all[i].Ends)
			alike := func(j int) bool { return j != i && (n == len(all[j].Ends) || n == all[j].Responses) }
			if n == 0 || all[i].Failed != nil || !anyOf(len(all), alike) {
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

func anyOf(n int, is func(int) bool) bool {
	for i := range n {
		if is(i) {
			return true
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
