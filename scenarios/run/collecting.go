package run

import (
	"context"

	"throughline/collector"
	"throughline/collector/pipeline"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// collecting is one collector, and whether it runs.
type collecting struct {
	*pipeline.Pipeline
	frontier *frontier
	end      context.CancelFunc // nil before it runs
	ended    chan struct{}      // closed when its Run has returned
	err      error              // what that returned
}

// listen opens a socket for an instance, on any free loopback port, and gives its
// address as host:port.
func (c *collecting) listen(instance string, labels collector.Labels) (string, error) {
	addr, err := c.StatsD.Listen(statsd.Listener{Instance: instance, Labels: labels, Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	return addr.String(), err
}
