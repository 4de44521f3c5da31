package run

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"throughline/collector"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
	"throughline/compose"
	"throughline/compose/haproxy"
)

// What differs where instances have addresses of their own (compose.Located):
// there they all send to one StatsD port and are told apart by their addresses,
// so that an image needs to know no more than STATSD_HOST; and the load balancer
// is given addresses, because it resolves no names of servers added at run time.

const (
	statsdPort    = "8125"           // where a client sends that is told a host only
	databaseLimit = 60 * time.Second // for a MongoDB to be ready: it makes its files first
)

func mongoURI(addr string) string {
	return fmt.Sprintf("mongodb://%s/?directConnection=true", addr)
}

// share opens the StatsD port that all instances share, where they have
// addresses of their own.
func (s *stack) share() error {
	if _, ok := s.cfg.Platform.(compose.Located); !ok {
		return nil
	}
	on := func(port string) error {
		at, err := s.collector.ListenOn(statsd.Listener{
			Origin: statsd.BySource, Addr: socket.Address{Network: socket.UDP, Host: net.JoinHostPort(s.cfg.Platform.Home(), port)},
		})
		s.statsd = at.Host
		return err
	}
	err := on(statsdPort)
	if errors.Is(err, syscall.EADDRINUSE) {
		s.cfg.Progress.Note("StatsD port " + statsdPort + " is taken on this machine: who does not heed STATSD_PORT will not be heard")
		err = on("0")
	}
	return err
}

// assign makes the collector know an instance by its address before it starts,
// where it has one, and gives the host:port that it has to send to.
func (s *stack) assign(located compose.Located, name string, labels collector.Labels) (string, error) {
	addr, err := located.Locate(name)
	if err != nil {
		return "", err
	}
	return s.statsd, s.collector.Assign(addr.String(), name, labels)
}

// behind is where the load balancer reaches an instance.
func (s *stack) behind(handle compose.Handle) (string, error) {
	peer := handle.PeerAddr("http")
	located, ok := s.cfg.Platform.(compose.Located)
	if !ok {
		return peer, nil
	}
	addr, err := located.Locate(handle.Name())
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(peer)
	if err != nil {
		return "", fmt.Errorf("address of %s: %w", handle.Name(), err)
	}
	return net.JoinHostPort(addr.String(), port), nil
}

// closeLimit bounds how long the stack may take to go down. A container is gone
// when the engine has removed it, which a busy one takes seconds for.
func (s *stack) closeLimit() time.Duration {
	if _, ok := s.cfg.Platform.(compose.Located); ok {
		return 4 * drainLimit
	}
	return drainLimit
}

func (s *stack) webProgram() compose.Program {
	if len(s.cfg.Web.Command) > 0 {
		return s.cfg.Web
	}
	return WebProgram(s.cfg.Scenario)
}

// ownBalancer is the platform's HAProxy. It reads its configuration when it
// starts; nobody can ask it before.
func (s *stack) ownBalancer(config haproxy.Config) (compose.Instance, error) {
	instance, err := config.Instance(BalancerName, "haproxy")
	return s.fronted(instance), err
}

// fronted gives the load balancer the port for users that was asked for.
func (s *stack) fronted(i compose.Instance) compose.Instance {
	if s.cfg.Frontend != 0 && i.Ports != nil {
		i.Ports[haproxy.HTTPPort] = s.cfg.Frontend
	}
	return i
}
