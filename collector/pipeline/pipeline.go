// Package pipeline puts a collector together: the ways in (StatsD, OTLP, scrapes, beacons of pages,
// and the loop that polls), the store, the outputs, and the server that runs them in order.
//
//	StatsD, OTLP, scrapes, beacons, polls → server → store, sinks, outputs
//
// It is the one place where they are chosen by their types. They know each other by the
// small interfaces of the package collector only, and what each does is its own: a new
// way in or out is made here and changes none of them. It has no flag and knows no
// HAProxy, MongoDB or run; who has something to poll adds a collector.Poller to Polls.
//
// scenarios/run makes one for each collector of a run, `throughline collect` one alone.
package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"throughline/collector"
	"throughline/collector/forward"
	"throughline/collector/otlp"
	"throughline/collector/poll"
	"throughline/collector/rum"
	"throughline/collector/scrape"
	"throughline/collector/series"
	"throughline/collector/server"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// Config is what a collector is made of. Dir is needed; the zero value of each other field
// means what its comment says, or its default.
type Config struct {
	Dir      string           // directory of the series and of the journal of events; made if it is not there
	Interval time.Duration    // how long an interval is, for all ways in; 0 means a second
	HTTP     string           // host:port of Prometheus' HTTP API; "" = none
	Sinks    []collector.Sink // get every sample, beside the store
	// Before makes what stands between the sources and the store: it is given what
	// takes samples there, and hands them on to that; nil: nothing does.
	Before func(collector.Sink) collector.Sink
	// Owed are samples that a collector before this one, which was killed, may have left
	// unstored; those that it did store are no error. They are stored before all else, so that
	// the store is what it would be had that one lived a moment longer.
	Owed []collector.Sample
	// Late is how much older than the newest of all a sample may be whose series has a later one; 0 means 30 s. It
	// takes memory for what comes late alone.
	Late   time.Duration
	StatsD statsd.Config // how lines are received; with a Relay below, its Relay is that
	OTLP   otlp.Config   // how OTLP is received
	RUM    *rum.Config   // where beacons of pages are taken; nil: nowhere

	Relay          string         // to whom every datagram is given as it came (see forward.RelayConfig); "" = nobody
	RemoteWrite    string         // URL of the remote write that is given the samples; "" = none
	Graphite       string         // host:port of the carbon that is given the samples; "" = none
	GraphiteFormat forward.Format // how Graphite is told the labels

	// Log is told what the store notices, and when store or journal do not take what
	// they are given; nil: nobody is.
	Log *slog.Logger
}

// Pipeline is a collector with all that it consists of. Its server runs it; ways in may
// be opened, instances assigned and pollers added before Run and during it.
type Pipeline struct {
	*server.Server
	StatsD  *statsd.Collector
	OTLP    *otlp.Collector // listens nowhere until it is told to
	Scrapes *scrape.Collector
	Polls   *poll.Loop          // has the collector's own figures, as "collector"
	RUM     *rum.Collector      // nil: no beacons are taken
	Outputs []forward.Forwarder // relay, remote write, Graphite: those there are, in this order

	store *series.Store
}

// New opens the store, the journal and the HTTP address, so that what is in use is known
// before anything runs. It does not ask whether those it is to give to are there. Close
// what it returns in any case.
func New(c Config) (*Pipeline, error) {
	outputs, err := c.outputs()
	if err != nil {
		return nil, err
	}
	if err := c.settle(); err != nil {
		return nil, err
	}
	store, err := series.Open(c.Dir, series.Options{Log: c.Log, OutOfOrder: c.Late})
	if err != nil {
		return nil, err
	}
	over := server.Config{Store: store, Recents: store, Interval: c.Interval, Dir: c.Dir, HTTP: c.HTTP, Sinks: c.Sinks, Before: c.Before, Log: c.Log}
	for _, o := range outputs {
		over.Outputs = append(over.Outputs, o)
	}
	s, err := server.New(over)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	p := &Pipeline{Server: s, StatsD: statsd.New(c.StatsD, s.Intake()), OTLP: otlp.New(c.OTLP, s.Intake()), Scrapes: scrape.New(scrape.Config{}, s.Intake()),
		Polls: poll.NewLoop(poll.Config{}, s.Intake()), Outputs: outputs, store: store}
	s.Add(p.StatsD, p.OTLP, p.Scrapes, p.Polls)
	if c.RUM != nil {
		if p.RUM, err = rum.New(*c.RUM, s.Intake()); err != nil {
			return nil, errors.Join(err, p.Close())
		}
		s.Add(p.RUM)
	}
	if err := p.Polls.Add("collector", s.Self()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// settle stores what is owed. The store is opened for that alone: what it finds when it is opened
// for good (the ends of series, how long nobody filled it) is then as if nothing had been owed.
func (c *Config) settle() error {
	if len(c.Owed) == 0 {
		return nil
	}
	store, err := series.Open(c.Dir, series.Options{Log: c.Log, OutOfOrder: c.Late, LeaveOpen: true})
	if err != nil {
		return err
	}
	if err := errors.Join(store.Append(c.Owed...), store.Close()); err != nil {
		return fmt.Errorf("store what an earlier collector owes: %w", err)
	}
	return nil
}

// outputs makes what gives to others, and has StatsD give to the relay.
func (c *Config) outputs() (all []forward.Forwarder, err error) {
	if c.Relay != "" {
		relay, err := forward.NewRelay(forward.RelayConfig{To: c.Relay})
		if err != nil {
			return nil, err
		}
		c.StatsD.Relay = relay.Send
		all = append(all, relay)
	}
	if c.RemoteWrite != "" {
		remote, err := forward.NewRemoteWrite(forward.RemoteWriteConfig{URL: c.RemoteWrite})
		if err != nil {
			return nil, err
		}
		all = append(all, remote)
	}
	if c.Graphite != "" {
		graphite, err := forward.NewGraphite(forward.GraphiteConfig{To: c.Graphite, Format: c.GraphiteFormat})
		if err != nil {
			return nil, err
		}
		all = append(all, graphite)
	}
	return all, nil
}

// Listen opens a way in for StatsD; see statsd.Collector.
func (p *Pipeline) Listen(l statsd.Listener) (socket.Address, error) { return p.StatsD.Listen(l) }

// Assign says whose lines come from an origin; see statsd.Collector.
func (p *Pipeline) Assign(origin, instance string, labels collector.Labels) error {
	return p.StatsD.Assign(origin, instance, labels)
}

// ListenOTLP opens a way in for OTLP, and gives its address; see otlp.Collector.
func (p *Pipeline) ListenOTLP(l otlp.Listener) (string, error) { return p.OTLP.Listen(l) }

// AssignOTLP says whose OTLP comes from a source address; see otlp.Collector.
func (p *Pipeline) AssignOTLP(source, instance string, labels collector.Labels) error {
	return p.OTLP.Assign(source, instance, labels)
}

// Scrape has an instance scraped from now on; see scrape.Collector.
func (p *Pipeline) Scrape(t scrape.Target) error { return p.Scrapes.Add(t) }

// AddPoller has something polled under a name of its own.
func (p *Pipeline) AddPoller(name string, of collector.Poller) error { return p.Polls.Add(name, of) }

// Figures tell how a collector fared, as far as who runs it in a test of something else must know.
type Figures struct {
	Lines     uint64 // that came in by StatsD
	Grown     uint64 // points that came in by OTLP and told of something that had not been counted
	Listeners []statsd.ListenerFigures
	Polls     []poll.Figures
}

// Figures are the figures so far, and after Run the final ones. The error is always nil: it is of
// collectors that may be elsewhere.
func (p *Pipeline) Figures() (Figures, error) {
	f := p.StatsD.Figures()
	return Figures{Lines: f.Total.Lines, Grown: p.OTLP.Grown(), Listeners: f.Listeners, Polls: p.Polls.Figures()}, nil
}

// Close closes the server and the store, after Run or instead of it.
func (p *Pipeline) Close() error { return errors.Join(p.Server.Close(), p.store.Close()) }
