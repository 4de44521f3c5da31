package run

import (
	"context"
	"fmt"
	"path/filepath"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/server"
	"throughline/collector/statsd"
	"throughline/compose"
	"throughline/scenarios/record"
)

// listener is where the collector listens for a web instance.
type listener struct {
	labels collector.Labels
	addr   string
}

// openCollector makes a collector. Those of one run share their store.
func (s *stack) openCollector() error {
	tags := dogstatsd.NoStyle
	if text := s.cfg.Scenario.Stack.Tags; text != "" {
		var err error
		if tags, err = dogstatsd.ParseStyles(text); err != nil {
			return fmt.Errorf("stack.collector.tags: %w", err)
		}
	}
	opened, err := server.New(server.Config{
		StatsD: statsd.Config{Interval: s.cfg.Run.Interval, Tags: tags}, Dir: filepath.Join(s.cfg.Scratch, "series"), HTTP: s.cfg.Dashboard,
		Sinks: []collector.Sink{s.journal},
	})
	if err != nil {
		return err
	}
	s.collector = opened
	return nil
}

// runCollector lets the collector run until s.collect.
func (s *stack) runCollector(ctx context.Context) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ran, done := s.collector, make(chan struct{})
	s.collect, s.collected = cancel, done
	go func() {
		defer close(done)
		s.collectErr = ran.Run(running)
	}()
}

// addPoller adds a poller to this collector and those after it.
func (s *stack) addPoller(name string, p collector.Poller) error {
	added := &poller{name: name, Poller: p, dark: s.dark}
	s.mu.Lock()
	s.pollers = append(s.pollers, added)
	s.mu.Unlock()
	return s.collector.AddPoller(name, added)
}

// listen opens a socket for a web instance, and gives the address that the
// instance shall send to.
func (s *stack) listen(name string, labels collector.Labels) (string, error) {
	if located, ok := s.cfg.Platform.(compose.Located); ok {
		return s.assign(located, name, labels)
	}
	addr, err := s.collector.Listen(name, labels)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	s.listeners[name] = listener{labels, addr}
	s.mu.Unlock()
	if s.relays == nil {
		return addr, nil
	}
	return s.relays.Open(name, addr)
}

// retire is called when a web instance is gone. What it sent reaches the
// collector to the end; one that is being restarted is waited for.
func (s *stack) retire(ctx context.Context, name string) {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	if s.relays != nil {
		if err := s.relays.Retire(ctx, name); err != nil {
			s.trouble(relayTrouble, 0, err.Error())
		}
	}
	s.mu.Lock()
	delete(s.listeners, name)
	s.mu.Unlock()
	if err := s.collector.Retire(ctx, name); err != nil {
		s.trouble("collector", 0, err.Error())
	}
}

// stopCollector ends the collector, which closes its last interval and polls a
// last time, and puts into the journal what it could not see. It is false when
// the collector did not end.
func (s *stack) stopCollector(ctx context.Context) bool {
	s.collect()
	select {
	case <-s.collected:
		if err := unexpected(s.collectErr); err != nil {
			s.trouble("collector", 0, err.Error())
		}
	case <-ctx.Done():
		s.trouble("collector", 0, fmt.Sprintf("did not end: %v", ctx.Err()))
		return false
	}
	for _, l := range s.collector.Ledger().Listeners {
		if l.KernelDrops > 0 {
			s.event(drops(l))
		}
	}
	s.tellPolls()
	return true
}

// endCollector stops and closes the collector, for another one to come.
func (s *stack) endCollector(ctx context.Context) error {
	s.replacing.Lock() // until restartCollector
	if !s.stopCollector(ctx) {
		s.replacing.Unlock()
		return fmt.Errorf("the collector did not end: %w", ctx.Err())
	}
	if s.cfg.Dashboard != "" {
		s.cfg.Dashboard = s.collector.Addr()
	}
	if err := s.collector.Close(); err != nil {
		s.replacing.Unlock()
		return err
	}
	return nil
}

// restartCollector follows endCollector: another collector on the same store,
// which listens for the same instances and polls the same. It gives its
// addresses by instance.
func (s *stack) restartCollector(ctx context.Context) (map[string]string, error) {
	defer s.replacing.Unlock()
	if err := s.openCollector(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := map[string]string{}
	for name, l := range s.listeners {
		addr, err := s.collector.Listen(name, l.labels)
		if err != nil {
			return nil, err
		}
		s.listeners[name] = listener{l.labels, addr}
		addrs[name] = addr
	}
	for _, p := range s.pollers {
		if err := s.collector.AddPoller(p.name, p); err != nil {
			return nil, err
		}
	}
	s.runCollector(ctx)
	return addrs, nil
}

// drops tells of datagrams that the kernel had no room for. At a port that all
// share, nobody knows whose they were.
func drops(l statsd.ListenerLedger) record.Event {
	e := record.Event{Kind: record.Trouble, About: "collector", Count: int64(l.KernelDrops),
		Error: fmt.Sprintf("the kernel dropped %s at %s", plural(int64(l.KernelDrops), "datagram"), l.Addr)}
	if l.Instance != "" {
		e.Instance, e.Role = l.Instance, record.Web
		e.Error = fmt.Sprintf("the kernel dropped %s of %s", plural(int64(l.KernelDrops), "datagram"), l.Instance)
	}
	return e
}
