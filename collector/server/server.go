// Package server runs a collector: any number of sources, the store they fill and its
// HTTP API, the journal of events, and the outputs that give to others.
//
// It knows what they are to each other (collector.Source, Sink, Output), and none of
// them by its type: collector/pipeline chooses them, and is who calls it. A source is
// made with the server's Intake and then added.
//
// # The order of Run
//
// The HTTP API and the outputs begin, then the sources. When the context ends, all
// sources end side by side, and each gives its last interval; those that fetch
// (collector.Fetcher) are asked a last time, so that they have seen all that was
// pushed; the outputs give what still waits; the API closes. What is made first ends
// last, so nothing has nowhere to go.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector"
)

// Config is what a Server is made of.
type Config struct {
	Store Store // whoever opened it closes it, after the Server
	// Recents has the series that the page shows; nil: it shows none.
	Recents collector.Recents
	// Interval is how long an interval is, for all sources; 0 means a second.
	Interval time.Duration
	Dir      string           // directory of the journal of events
	HTTP     string           // address of the HTTP API; "" = none
	Sinks    []collector.Sink // get every sample, beside the store
	// Before makes what stands between the sources and the store, given what takes samples there; nil: nothing does.
	Before  func(collector.Sink) collector.Sink
	Outputs []collector.Output // are run, and get every sample if they are sinks
	// Log is told when store or journal do not take what they are given; nil: nobody is.
	Log *slog.Logger
}

// Store is where the samples are kept and asked for; series.Store is one.
type Store interface {
	collector.Sink
	collector.Resumer
	// Handler serves the HTTP API on what is kept, Metrics the newest points, with
	// those that live gives in place of its own; alone: with no others.
	Handler() http.Handler
	Metrics(live func() (samples []collector.Sample, alone bool)) http.Handler
	// Outage is the time before the store was opened in which nobody filled it; ok is
	// false if it was empty.
	Outage() (from, to time.Time, ok bool)
}

// Server is a running collector. New opens the journal and the HTTP address, so
// that what is in use is known before anything else starts; Run does the work.
type Server struct {
	store    Store
	recents  collector.Recents // nil: none
	keeper   *keeper           // gives to the store
	journal  *journal
	intake   collector.Intake
	sources  []collector.Source
	outputs  []collector.Output
	listener net.Listener // nil: no HTTP API
	http     string       // the address that was asked for
}

// New opens the journal and the HTTP address, and journals the time in which there
// was no collector. Close the server in any case.
func New(c Config) (*Server, error) {
	s := &Server{store: c.Store, recents: c.Recents, outputs: c.Outputs, http: c.HTTP}
	if c.HTTP != "" {
		listen, err := net.Listen("tcp", c.HTTP)
		if err != nil {
			return nil, fmt.Errorf("http api: %w; choose another address, or port 0 for any free one", err)
		}
		s.listener = listen
	}
	var err error
	if s.journal, err = openJournal(c.Dir, journalBytes); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if from, to, ok := s.store.Outage(); ok {
		err = s.journal.Note(collector.Event{Kind: collector.Outage, At: from, Until: to, Title: "the collector did not run", Alert: "warning"})
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.keeper = newKeeper(s.store, c.Log, time.Now)
	var stored collector.Sink = s.keeper
	if c.Before != nil {
		stored = c.Before(stored)
	}
	sinks := append(tee{stored}, c.Sinks...)
	for _, o := range c.Outputs {
		if sink, takes := o.(collector.Sink); takes {
			sinks = append(sinks, sink)
		}
	}
	s.intake = collector.Intake{Sink: sinks, Interval: c.Interval, Resume: s.store,
		Journal: watchedJournal{s.journal, &alarm{log: c.Log, now: time.Now}}}.WithDefaults()
	s.intake.Boundary = s.intake.IntervalEnd(time.Now())
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

// Intake is what every source of this collector works with.
func (s *Server) Intake() collector.Intake { return s.intake }

// Add has the server run sources, and close those that never ran. It is called
// before Run.
func (s *Server) Add(sources ...collector.Source) { s.sources = append(s.sources, sources...) }

// Fetch has all sources that fetch do it now, beside what they do at every interval, and side by side: one that waits for who does
// not answer takes no time from the others.
func (s *Server) Fetch(ctx context.Context) error {
	errs := make([]error, len(s.sources))
	var wait sync.WaitGroup
	for i, source := range s.sources {
		if f, can := source.(collector.Fetcher); can {
			wait.Go(func() { errs[i] = f.Fetch(ctx) })
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Retire is called when an instance is gone: each source that knows it takes in what
// it sent and ends its series. It is an error if none does.
func (s *Server) Retire(ctx context.Context, instance string) error {
	var errs []error
	known := false
	unknown := fmt.Errorf("retire %s: %w", instance, collector.ErrUnknownInstance)
	for _, source := range s.sources {
		r, can := source.(collector.Retirer)
		if !can {
			continue
		}
		switch err := r.Retire(ctx, instance); {
		case errors.Is(err, collector.ErrUnknownInstance):
			unknown = err
		default:
			known = true
			errs = append(errs, err)
		}
	}
	if !known {
		return unknown
	}
	return errors.Join(errs...)
}

// Addr is where the HTTP API listens; "" if nowhere.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// lastFetch bounds what is fetched at the end.
const lastFetch = 2 * time.Second

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
	door := newDoor(s.listener)
	return &http.Server{
		Handler:           guarded(s.handler(), s.http, s.listener.Addr()),
		ReadHeaderTimeout: slowestRequest, ReadTimeout: slowestRequest, WriteTimeout: slowestReader, IdleTimeout: longestIdle,
		MaxHeaderBytes: 256 << 10, // the parameters of a GET are among them
		ConnState:      door.state,
	}, door
}

// Run collects until ctx ends, and returns when all is in the store and given out, or
// nobody waits for it any more. The package's comment has the order.
func (s *Server) Run(ctx context.Context) error {
	var api *http.Server
	var group errgroup.Group
	if s.listener != nil {
		var door net.Listener
		api, door = s.api()
		group.Go(func() error {
			if err := api.Serve(door); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("http api: %w", err)
			}
			return nil
		})
	}
	giving, given := context.WithCancel(context.WithoutCancel(ctx))
	defer given()
	for _, o := range s.outputs {
		group.Go(func() error { return o.Run(giving) })
	}
	err := s.collect(ctx)
	given()
	if api != nil {
		err = errors.Join(err, api.Close())
	}
	return errors.Join(err, group.Wait())
}

// collect runs the sources to their end, and has those that fetch do it once more.
func (s *Server) collect(ctx context.Context) error {
	var group errgroup.Group
	for _, source := range s.sources {
		group.Go(func() error { return source.Run(ctx) })
	}
	err := group.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFetch)
	defer cancel()
	return errors.Join(err, s.Fetch(last))
}

// Close closes the HTTP address, the sources that never ran, and the journal. It is
// called after Run, or instead of it.
func (s *Server) Close() error {
	var errs []error
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, source := range s.sources {
		errs = append(errs, source.Close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	return errors.Join(errs...)
}
