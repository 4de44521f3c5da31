// Package server joins the parts of the collector: StatsD sockets, pollers, the
// store and its HTTP API.
//
// It adds nothing to what they measure. scenarios/run runs one for each
// scenario; `throughline collect` runs one alone.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/collector/series"
	"throughline/collector/statsd"
)

// Config is what a Server is made of.
type Config struct {
	Interval time.Duration    // of flushes and polls; 0 = 1 s
	Dir      string           // directory of the store
	HTTP     string           // address of the HTTP API; "" = none
	Sinks    []collector.Sink // get every sample, beside the store
}

// Server is a running collector. New opens its store and its HTTP address, so
// that what is in use is known before anything else starts; Run does the work.
type Server struct {
	store  *series.Store
	statsd *statsd.Collector
	loop   *poll.Loop
	listen net.Listener // nil: no HTTP API
}

// New opens the store and the HTTP address. Close the server in any case.
func New(c Config) (*Server, error) {
	if c.Interval <= 0 {
		c.Interval = time.Second
	}
	s := &Server{}
	if c.HTTP != "" {
		listen, err := net.Listen("tcp", c.HTTP)
		if err != nil {
			return nil, fmt.Errorf("http api: %w; choose another address, or port 0 for any free one", err)
		}
		s.listen = listen
	}
	store, err := series.Open(c.Dir, series.Options{})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.store = store
	sink := tee(append([]collector.Sink{store}, c.Sinks...))
	s.statsd = statsd.New(statsd.Config{Interval: c.Interval}, sink)
	s.loop = poll.NewLoop(poll.Config{Interval: c.Interval}, sink)
	return s, nil
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
// returns its address.
func (s *Server) Listen(instance string, labels collector.Labels) (string, error) {
	return s.ListenAt(instance, labels, "127.0.0.1:0")
}

// ListenAt opens a StatsD socket at an address.
func (s *Server) ListenAt(instance string, labels collector.Labels, addr string) (string, error) {
	return s.statsd.Listen(instance, labels, addr)
}

// Retire is called when an instance is gone: what it sent is read to the end,
// its socket is closed and its series end.
func (s *Server) Retire(ctx context.Context, instance string) error {
	return s.statsd.Retire(ctx, instance)
}

// AddPoller adds something to poll at every interval.
func (s *Server) AddPoller(name string, p collector.Poller) error { return s.loop.Add(name, p) }

// Ledger is the account of what came in by StatsD.
func (s *Server) Ledger() statsd.Ledger { return s.statsd.Ledger() }

// Polls is the account of the polls.
func (s *Server) Polls() []poll.Figures { return s.loop.Figures() }

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

// Run collects until ctx ends. Then it reads what is left in the sockets,
// flushes the last interval, polls a last time, so that the polls have seen all
// that the last interval counted, and returns.
func (s *Server) Run(ctx context.Context) error {
	api := &http.Server{Handler: s.store.Handler(), ReadHeaderTimeout: 10 * time.Second}
	var group errgroup.Group
	if s.listen != nil {
		group.Go(func() error {
			if err := api.Serve(s.listen); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("http api: %w", err)
			}
			return nil
		})
	}
	var collect errgroup.Group
	collect.Go(func() error { return s.statsd.Run(ctx) })
	collect.Go(func() error { return s.loop.Run(ctx) })
	err := collect.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPolls)
	defer cancel()
	return errors.Join(err, s.loop.Once(last), api.Close(), group.Wait())
}

// Close closes the store and the HTTP address. It is called after Run, or
// instead of it.
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
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
