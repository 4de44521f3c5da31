// Package server joins the parts of the collector: StatsD sockets, pollers, the
// store and its HTTP API, the journal of events, and what goes out to others.
//
// It adds nothing to what they measure. scenarios/run runs one for each
// scenario; `throughline collect` runs one alone.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector"
	"throughline/collector/forward"
	"throughline/collector/poll"
	"throughline/collector/series"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// Config is what a Server is made of.
type Config struct {
	// StatsD is how to receive. Its interval is also that of the polls; the
	// Server sets Journal, Resume and Relay.
	StatsD statsd.Config
	Dir    string           // directory of the store and the journal
	HTTP   string           // address of the HTTP API; "" = none
	Sinks  []collector.Sink // get every sample, beside the store
	// Out is whom else to give to. What is nil is not there.
	Out Out
	// Log is told what the store repairs, or cannot do, and when store or
	// journal do not take what they are given; nil: nobody is.
	Log *slog.Logger
}

// Out is whom the collector gives to.
type Out struct {
	Relay       *forward.Relay
	RemoteWrite *forward.RemoteWrite
	Graphite    *forward.Graphite
}

// OutConfig says where an Out gives to; what is empty is not there.
type OutConfig struct {
	Relay       string // every datagram as it came: udp://host:port or unixgram:///path
	RemoteWrite string // URL of a Prometheus' remote write
	Graphite    string // host:port of carbon's plaintext receiver
	Format      forward.Format
}

// NewOut makes what gives to others. Nobody is asked whether they are there.
func NewOut(c OutConfig) (out Out, err error) {
	if c.Relay != "" {
		if out.Relay, err = forward.NewRelay(forward.RelayConfig{To: c.Relay}); err != nil {
			return Out{}, err
		}
	}
	if c.RemoteWrite != "" {
		if out.RemoteWrite, err = forward.NewRemoteWrite(forward.RemoteWriteConfig{URL: c.RemoteWrite}); err != nil {
			return Out{}, err
		}
	}
	if c.Graphite != "" {
		if out.Graphite, err = forward.NewGraphite(forward.GraphiteConfig{To: c.Graphite, Format: c.Format}); err != nil {
			return Out{}, err
		}
	}
	return out, nil
}

// forwarders are those that are there.
func (o Out) forwarders() (out []forward.Forwarder) {
	if o.Relay != nil {
		out = append(out, o.Relay)
	}
	if o.RemoteWrite != nil {
		out = append(out, o.RemoteWrite)
	}
	if o.Graphite != nil {
		out = append(out, o.Graphite)
	}
	return out
}

// sinks are those of them that take samples.
func (o Out) sinks() (out []collector.Sink) {
	if o.RemoteWrite != nil {
		out = append(out, o.RemoteWrite)
	}
	if o.Graphite != nil {
		out = append(out, o.Graphite)
	}
	return out
}

// Server is a running collector. New opens its store and its HTTP address, so
// that what is in use is known before anything else starts; Run does the work.
type Server struct {
	store   *series.Store
	keeper  *keeper // gives to the store
	journal *journal
	statsd  *statsd.Collector
	loop    *poll.Loop
	out     []forward.Forwarder
	listen  net.Listener // nil: no HTTP API
	http    string       // the address that was asked for
}

// New opens the store and the HTTP address. Close the server in any case.
func New(c Config) (*Server, error) {
	if c.StatsD.Interval <= 0 {
		c.StatsD.Interval = time.Second
	}
	s := &Server{out: c.Out.forwarders(), http: c.HTTP}
	if c.HTTP != "" {
		listen, err := net.Listen("tcp", c.HTTP)
		if err != nil {
			return nil, fmt.Errorf("http api: %w; choose another address, or port 0 for any free one", err)
		}
		s.listen = listen
	}
	if err := s.open(c); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.keeper = newKeeper(s.store, c.Log, time.Now)
	sink := tee(append(append([]collector.Sink{s.keeper}, c.Sinks...), c.Out.sinks()...))
	c.StatsD.Journal = watchedJournal{s.journal, &alarm{log: c.Log, now: time.Now}}
	c.StatsD.Resume = s.store
	if c.Out.Relay != nil {
		c.StatsD.Relay = c.Out.Relay.Send
	}
	s.statsd = statsd.New(c.StatsD, sink)
	s.loop = poll.NewLoop(poll.Config{Interval: c.StatsD.Interval}, sink)
	return s, s.loop.Add("collector", s.self())
}

// open opens the store and the journal, and journals the time in which there
// was no collector.
func (s *Server) open(c Config) (err error) {
	if s.store, err = series.Open(c.Dir, series.Options{Log: c.Log}); err != nil {
		return err
	}
	if s.journal, err = openJournal(c.Dir, journalBytes); err != nil {
		return err
	}
	from, to, ok := s.store.Outage()
	if !ok {
		return nil
	}
	return s.journal.Note(collector.Event{Kind: collector.Outage, At: from, Until: to, Title: "the collector did not run", Alert: "warning"})
}

// tee gives every sample to several sinks. What one refuses the others get all
// the same.
type tee []collector.Sink

func (t tee) Append(samples ...collector.Sample) error {
	var errs []error
	for _, sink := range t {
		errs = append(errs, sink.Append(samples...))
	}
	return errors.Join(errs...)
}

// Listen opens a StatsD socket for an instance, on any free loopback port, and
// returns its address as host:port.
func (s *Server) Listen(instance string, labels collector.Labels) (string, error) {
	addr, err := s.ListenOn(statsd.Listener{Instance: instance, Labels: labels, Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	return addr.String(), err
}

// ListenOn opens a way in and returns its address.
func (s *Server) ListenOn(l statsd.Listener) (socket.Address, error) { return s.statsd.Listen(l) }

// Assign names who sends from an address or a container; see statsd.
func (s *Server) Assign(origin, instance string, labels collector.Labels) error {
	return s.statsd.Assign(origin, instance, labels)
}

// Retire is called when an instance is gone: what it sent is read to the end,
// its socket is closed and its series end.
func (s *Server) Retire(ctx context.Context, instance string) error {
	return s.statsd.Retire(ctx, instance)
}

// AddPoller adds something to poll at every interval.
func (s *Server) AddPoller(name string, p collector.Poller) error { return s.loop.Add(name, p) }

// Poll polls everything now, beside the polls of every interval.
func (s *Server) Poll(ctx context.Context) error { return s.loop.Once(ctx) }

// Ledger is the account of what came in by StatsD.
func (s *Server) Ledger() statsd.Ledger { return s.statsd.Ledger() }

// Polls is the account of the polls.
func (s *Server) Polls() []poll.Figures { return s.loop.Figures() }

// Forwards is the account of what goes out to others.
func (s *Server) Forwards() []forward.Figures {
	var out []forward.Figures
	for _, f := range s.out {
		out = append(out, f.Figures())
	}
	return out
}

// Store is where the samples are.
func (s *Server) Store() *series.Store { return s.store }

// Addr is where the HTTP API listens; "" if nowhere.
func (s *Server) Addr() string {
	if s.listen == nil {
		return ""
	}
	return s.listen.Addr().String()
}

// lastPolls bounds the polls at the end.
const lastPolls = 2 * time.Second

const (
	// slowestReader bounds how long an answer of the HTTP API may take; the
	// store has a bound of its own for how long its parts may.
	slowestReader = 5 * time.Minute
	// slowestRequest bounds how long a request may take to come in.
	slowestRequest = 15 * time.Second
	// longestIdle is how long a connection is kept without a request.
	longestIdle = 20 * time.Second
)

// api is the server of the HTTP API.
func (s *Server) api() (*http.Server, net.Listener) {
	door := newDoor(s.listen)
	return &http.Server{
		Handler:           guarded(s.handler(), s.http, s.listen.Addr()),
		ReadHeaderTimeout: slowestRequest, ReadTimeout: slowestRequest, WriteTimeout: slowestReader, IdleTimeout: longestIdle,
		MaxHeaderBytes: 256 << 10, // the parameters of a GET are among them
		ConnState:      door.state,
	}, door
}

// Run collects until ctx ends. Then it reads what is left in the sockets,
// flushes the last interval, polls a last time, so that the polls have seen all
// that the last interval counted, gives out what still waits for others, and
// returns.
func (s *Server) Run(ctx context.Context) error {
	var api *http.Server
	var group errgroup.Group
	if s.listen != nil {
		var door net.Listener
		api, door = s.api()
		group.Go(func() error {
			if err := api.Serve(door); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("http api: %w", err)
			}
			return nil
		})
	}
	sources, ended := context.WithCancel(context.WithoutCancel(ctx))
	defer ended()
	for _, f := range s.out {
		group.Go(func() error { return f.Run(sources) })
	}
	var collect errgroup.Group
	collect.Go(func() error { return s.statsd.Run(ctx) })
	collect.Go(func() error { return s.loop.Run(ctx) })
	err := collect.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPolls)
	defer cancel()
	err = errors.Join(err, s.loop.Once(last))
	ended()
	if api != nil {
		err = errors.Join(err, api.Close())
	}
	return errors.Join(err, group.Wait())
}

// Close closes the store, the journal and the HTTP address. It is called after
// Run, or instead of it.
func (s *Server) Close() error {
	var errs []error
	if s.listen != nil {
		if err := s.listen.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.statsd != nil {
		errs = append(errs, s.statsd.Close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
