package fault

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// LeftoverLines is somebody else's StatsD client that sends where an instance
// of this run sends: it was told the same address once.
type LeftoverLines struct {
	Addrs  func() map[string]string // where the collector listens now for whom, as host:port
	Metric string                   // the counter that is incremented
	Rate   float64                  // lines per second, for each instance
}

// Possible asks whether an address of a collector can be sent to.
func (l LeftoverLines) Possible() error {
	for name, addr := range l.Addrs() {
		if _, err := netip.ParseAddrPort(addr); err != nil {
			return fmt.Errorf("leftover-lines: address of %s: %w", name, err)
		}
	}
	return nil
}

// Inject sends lines until it is healed.
func (l LeftoverLines) Inject(context.Context) (Heal, error) {
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, fmt.Errorf("leftover-lines: %w", err)
	}
	touched := Touched{}
	line := []byte(l.Metric + ":1|c")
	stop := callAtRate(l.Rate, func(int) {
		for name, addr := range l.Addrs() {
			to, err := netip.ParseAddrPort(addr)
			if err == nil {
				_, err = conn.WriteToUDPAddrPort(line, to)
			}
			if err == nil { // one that was not sent was not touched
				touched[name]++
			}
		}
	})
	return func(context.Context) (Touched, error) {
		stop()
		return touched, conn.Close()
	}, nil
}
