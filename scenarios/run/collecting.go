package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/otlp"
	"throughline/collector/pipeline"
	"throughline/collector/process"
	"throughline/collector/scrape"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// engine is what collects: in this process (pipeline.Pipeline), or in one of its own where a
// scenario kills it (process.Process).
type engine interface {
	receiving
	polling
	Run(ctx context.Context) error
	Figures() (pipeline.Figures, error)
	Addr() string // of the HTTP API
	Close() error
}

// receiving is the part that instances send to.
type receiving interface {
	Listen(statsd.Listener) (socket.Address, error)
	Assign(origin, instance string, labels collector.Labels) error
	ListenOTLP(otlp.Listener) (string, error)
	AssignOTLP(source, instance string, labels collector.Labels) error
	Scrape(scrape.Target) error
	Retire(ctx context.Context, instance string) error
}

// polling is the part that asks.
type polling interface {
	AddPoller(name string, p collector.Poller) error
	Fetch(ctx context.Context) error
}

var (
	_ engine = (*pipeline.Pipeline)(nil)
	_ engine = (*process.Process)(nil)
)

// collecting is one collector, and whether it runs.
type collecting struct {
	engine
	frontier *frontier
	end      context.CancelFunc // nil before it runs
	killed   atomic.Bool        // by a fault
	ended    chan struct{}      // closed when its Run has returned
	err      error              // what that returned
}

// listen opens a socket for an instance, on any free loopback port, and gives its
// address as host:port.
func (c *collecting) listen(instance string, labels collector.Labels) (string, error) {
	addr, err := c.Listen(statsd.Listener{Instance: instance, Labels: labels, Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	return addr.String(), err
}

// process is the process of its own in which it is; nil: it is in this one.
func (c *collecting) process() *process.Process {
	p, _ := c.engine.(*process.Process)
	return p
}

// collectorName is what the process of a collector is called among those of the run.
const collectorName = "collector"

// engine makes what collects, with its API at an address. Those of one run share their store.
func (t *telemetry) engine(api string, frontier *frontier) (engine, error) {
	tags := dogstatsd.NoStyle
	if text := t.cfg.Scenario.Stack.Tags; text != "" {
		var err error
		if tags, err = dogstatsd.ParseStyles(text); err != nil {
			return nil, fmt.Errorf("stack.collector.tags: %w", err)
		}
	}
	dir := filepath.Join(t.cfg.Scratch, "series")
	if !t.cfg.needs(script.OwnProcess) {
		return pipeline.New(pipeline.Config{StatsD: statsd.Config{Tags: tags}, Interval: t.cfg.Run.Interval, Late: t.cfg.late(), Dir: dir, HTTP: api, RUM: t.rum(), Relay: t.cfg.Relay,
			Sinks: []collector.Sink{t.journal.record, frontier}})
	}
	if len(t.cfg.Collector) == 0 {
		return nil, errors.New("the scenario kills the collector, and nobody said how one is executed in a process of its own")
	}
	c := process.Config{Command: t.cfg.Collector, Tags: tags, Interval: t.cfg.Run.Interval, Late: t.cfg.late(), Dir: dir, HTTP: api, Relay: t.cfg.Relay, Owed: t.owed,
		Sink: t.journal.record, Stored: frontier}
	if guarding, can := t.cfg.Platform.(compose.Guarding); can {
		c.Env = guarding.Guarded(collectorName)
	}
	p, err := process.Start(c)
	if err != nil {
		return nil, err
	}
	t.journal.event(record.Event{Kind: record.CollectorBegin, ID: strconv.Itoa(p.ID())})
	return p, nil
}

// journalEnd tells that the process of a collector is gone.
func (t *telemetry) journalEnd(p *process.Process, expected bool) {
	exit := p.Exit()
	e := record.Event{Kind: record.CollectorEnd, ID: strconv.Itoa(p.ID()), Code: exit.Code, Expected: expected}
	if exit.Signal != 0 {
		e.Signal = exit.String()
	}
	t.journal.event(e)
}
