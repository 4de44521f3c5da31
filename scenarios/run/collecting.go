package run

import (
	"context"
	"errors"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/collector/series"
	"throughline/collector/server"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// collecting is one collector: its server, the sources that are spoken to by name, and
// its store.
type collecting struct {
	*server.Server
	statsd *statsd.Collector
	polls  *poll.Loop
	store  *series.Store
	end    context.CancelFunc // nil before it runs
	ended  chan struct{}      // closed when its Run has returned
	err    error              // what that returned
}

// newCollecting puts a collector together, with its store in the server's directory.
func newCollecting(receive statsd.Config, c server.Config) (*collecting, error) {
	store, err := series.Open(c.Dir, series.Options{})
	if err != nil {
		return nil, err
	}
	c.Store = store
	s, err := server.New(c)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	made := &collecting{Server: s, statsd: statsd.New(receive, s.Intake()), polls: poll.NewLoop(poll.Config{}, s.Intake()), store: store,
		ended: make(chan struct{})}
	s.Add(made.statsd, made.polls)
	if err := made.polls.Add("collector", s.Self()); err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

// Close closes the collector and its store, after Run or instead of it.
func (c *collecting) Close() error { return errors.Join(c.Server.Close(), c.store.Close()) }

// listen opens a socket for an instance, on any free loopback port, and gives its
// address as host:port.
func (c *collecting) listen(instance string, labels collector.Labels) (string, error) {
	addr, err := c.statsd.Listen(statsd.Listener{Instance: instance, Labels: labels, Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	return addr.String(), err
}
