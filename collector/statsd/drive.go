package statsd

import (
	"errors"
	"net/netip"
	"time"

	"throughline/collector/statsd/socket"
)

// Driven is a Collector that its owner drives, in place of Run: a simulated fleet has a
// clock of its own, Config.Now, on which an hour is over in seconds. What becomes of
// payloads is the same. It must not be used by two goroutines at once.
type Driven struct {
	collector *Collector
	listener  *listener
	boundary  time.Time // the end of the present interval
}

// Drive takes the place of Run. Payloads come in through the first listener, whose
// socket is not read.
func (c *Collector) Drive() (*Driven, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state != waiting:
		return nil, errors.New("drive the collector: it ran before or was closed; make a new one")
	case len(c.listeners) == 0:
		return nil, errors.New("drive the collector: it has no listener; call Listen first")
	}
	c.state = running
	return &Driven{c, c.listeners[0], c.grid.After(c.cfg.Now())}, nil
}

// Take takes a payload in as though the socket had just read it.
func (d *Driven) Take(from netip.AddrPort, payload []byte) {
	d.listener.receive([]socket.Payload{{Bytes: payload, From: from}})
}

// Flush gives the intervals that are over by now to the sink.
func (d *Driven) Flush() {
	for now := d.collector.cfg.Now(); !now.Before(d.boundary); {
		d.boundary = d.collector.flush(d.boundary, now)
	}
}

// Finish ends the Collector as Run does when its context ends.
func (d *Driven) Finish() error { return d.collector.finish() }
