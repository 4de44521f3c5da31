package statsd

import (
	"bytes"
	"net/netip"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/statsd/socket"
)

// reader takes the payloads of one batch apart. While it does it holds the lock
// of one client: mostly the same for the whole batch.
type reader struct {
	listener *listener
	scanner  dogstatsd.Scanner
	now      time.Time
	at       int64 // the same, in ns since 1970
	from     netip.Addr
	client   *client // whose lock is held; nil: of none

	// The last routes that were asked for in this batch. They must not
	// outlive it, for an origin may be assigned anew.
	source         netip.Addr
	sourceRoute    route
	container      []byte
	containerRoute route

	// What is told when no lock is held any more.
	events []collector.Event
	junk   []Junk
}

// receive takes in what the socket has just read. Sockets with several
// connections call it from several goroutines at once.
func (l *listener) receive(payloads []socket.Payload) {
	var r *reader
	select {
	case r = <-l.readers:
	default:
		r = &reader{listener: l}
	}
	r.now = l.collector.cfg.Now()
	r.at = r.now.UnixNano()
	for _, p := range payloads {
		r.payload(p)
	}
	r.leave()
	r.forget()
	r.report()
	select {
	case l.readers <- r:
	default:
	}
}

// payload takes one payload in.
func (r *reader) payload(p socket.Payload) {
	if relay := r.listener.collector.cfg.Relay; relay != nil {
		relay(p.Bytes)
	}
	r.from = p.From.Addr()
	whole, cut := p.Bytes, []byte(nil)
	if p.Truncated {
		// What was cut may look like another value, or have lost its tags.
		end := bytes.LastIndexByte(p.Bytes, '\n') + 1
		whole, cut = p.Bytes[:end], p.Bytes[end:]
	}
	sender, known := r.enter(nil)
	t := &sender.lane.tally
	t.Datagrams++
	t.source(p.From)
	t.Bytes += uint64(len(p.Bytes))
	if p.Truncated {
		t.Truncated++
	}
	r.scanner.Reset(whole)
	for kind := r.scanner.Next(); kind != 0; kind = r.scanner.Next() {
		r.line(kind, sender, known)
	}
	if len(cut) > 0 {
		sender, _ := r.enter(nil)
		r.book(sender.lane, truncated, cut)
	}
}

// line takes one line in. sender and known are of the payload, as enter gave them.
func (r *reader) line(kind dogstatsd.Kind, sender route, known bool) {
	var container []byte
	switch kind {
	case dogstatsd.Metric:
		container = r.scanner.Line.Container
	case dogstatsd.Event:
		container = r.scanner.Event.Container
	case dogstatsd.ServiceCheck:
		container = r.scanner.Check.Container
	}
	if r.listener.origin == ByTag {
		container = r.tagged(kind)
	}
	if len(container) > 0 && r.listener.origin != BySource && r.listener.origin != ByListener || r.client != sender.lane.client {
		sender, known = r.enter(container)
	}
	f := unknownOrigin
	switch {
	case kind == dogstatsd.Bad:
		f = fate(r.scanner.Reason)
	case !known:
	case kind == dogstatsd.Metric:
		f = r.client.line(&r.scanner.Line, sender, r.at)
	case kind == dogstatsd.Event:
		f = r.event(&r.scanner.Event)
	case kind == dogstatsd.ServiceCheck:
		f = r.check(&r.scanner.Check, sender)
	}
	r.book(sender.lane, f, r.scanner.Raw)
}

// tagged is the value of the tag by which the listener tells who sent a line; none: it has no such tag.
func (r *reader) tagged(kind dogstatsd.Kind) []byte {
	var tags []byte
	switch kind {
	case dogstatsd.Metric:
		tags = r.scanner.Line.Tags
	case dogstatsd.Event:
		tags = r.scanner.Event.Tags
	case dogstatsd.ServiceCheck:
		tags = r.scanner.Check.Tags
	}
	for {
		key, value, rest, ok := dogstatsd.NextTag(tags)
		if !ok {
			return nil
		}
		if bytes.Equal(key, r.listener.tag) {
			return value
		}
		tags = rest
	}
}

// book counts a line, and shows it if nothing became of it. The lane's client
// is locked.
func (r *reader) book(to *lane, f fate, line []byte) {
	to.tally.Lines++
	to.tally.book(f)
	cfg := &r.listener.collector.cfg
	if f >= accepted || cfg.Junk == nil {
		return
	}
	if suppressed, ok := r.listener.collector.shared.junk.allow(f, r.now); ok {
		r.junk = append(r.junk, Junk{Reason: f.String(), Instance: to.client.instance, Listener: r.listener.addr,
			From: r.from, Line: bytes.Clone(line), Suppressed: suppressed})
	}
}

// enter locks the client of whoever sent a line, in place of another, and
// tells where it is booked. Lines of an unknown origin that is one too many are
// booked at the listener's own instance, and known is false.
func (r *reader) enter(container []byte) (to route, known bool) {
	for {
		to, known = r.listener.find(r, container)
		if !known {
			to = r.listener.home
		}
		cl := to.lane.client
		if r.client == cl {
			return to, known
		}
		r.leave()
		cl.mu.Lock()
		r.client = cl
		if cl.enter(r.now) {
			return to, known
		}
		// It was retired since it was found, so the next look finds another.
		r.leave()
		r.forget()
	}
}

// leave gives the lock back.
func (r *reader) leave() {
	if r.client != nil {
		r.client.mu.Unlock()
		r.client = nil
	}
}

func (r *reader) forget() { r.sourceRoute, r.containerRoute = route{}, route{} }

// report tells what is to be told beside numbers. No lock is held.
func (r *reader) report() {
	c := r.listener.collector
	if len(r.events) > 0 {
		if err := c.cfg.Journal.Note(r.events...); err != nil {
			c.journalFailed(err, len(r.events))
		}
		clear(r.events)
		r.events = r.events[:0]
	}
	for _, j := range r.junk {
		c.cfg.Junk(j)
	}
	if len(r.junk) > 0 {
		clear(r.junk)
		r.junk = r.junk[:0]
	}
}
