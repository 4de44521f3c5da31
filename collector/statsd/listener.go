package statsd

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/statsd/socket"
)

// stage is how far the life of a listener is.
type stage uint8

const (
	open    stage = iota
	closing       // its socket is closed; the interval that was open then is not over yet
	closed        // that interval is over; the marks that its series ended are due one later
	over          // all is said
)

// listener is one instance's socket and what came in through it.
type listener struct {
	instance string
	labels   collector.Labels
	cfg      Config
	socket   *socket.Socket
	bounds   *bounds
	addr     string

	ending  sync.Once
	reading chan struct{} // closed when the reader has ended; nil before start
	readErr error         // why the reader ended early; valid after reading is closed

	mu      sync.Mutex
	ended   bool // no reader may start any more
	stage   stage
	end     time.Time // of the current interval
	grid    grid
	scanner dogstatsd.Scanner
	key     []byte             // scratch
	known   map[string]*series // by type, name and tags as they come over the wire
	owners  map[string]*series // by collector.Labels.Key
	series  []*series          // in the order of their birth
	tally   tally
	ready   []collector.Sample // of intervals that are over
}

// refusal stands in listener.known for lines that can never be taken in,
// because their series' name belongs to another metric.
var refusal = &series{}

// aliases is how many spellings (orders of tags) are remembered per series.
const aliases = 4

func newListener(instance string, labels collector.Labels, socket *socket.Socket, cfg Config) *listener {
	return &listener{instance: instance, labels: labels, cfg: cfg, socket: socket, bounds: newBounds(),
		addr: socket.Addr(), known: map[string]*series{}, owners: map[string]*series{}}
}

// start begins to read. It is called once, by the Collector.
func (l *listener) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.reading = make(chan struct{})
	go func() {
		defer close(l.reading)
		l.readErr = l.socket.Read(l.receive)
	}()
}

// retire closes the socket of an instance that is gone.
func (l *listener) retire(ctx context.Context) error {
	err := l.close(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage == open {
		l.stage = closing
	}
	return err
}

// close stops the reader, reads what is left in the kernel and closes the
// socket. It returns an error when ctx ended before nothing was left.
func (l *listener) close(ctx context.Context) error {
	var err error
	l.ending.Do(func() {
		l.mu.Lock()
		l.ended = true
		reading := l.reading
		l.mu.Unlock()
		if reading != nil {
			l.socket.Stop()
			<-reading
			err = l.readErr
		}
		err = errors.Join(err, l.socket.Drain(ctx, l.receive), l.socket.Close())
	})
	return err
}

// receive takes in what the socket has just read.
func (l *listener) receive(payloads []socket.Payload) {
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	for _, p := range payloads {
		l.tally.Datagrams++
		l.tally.Bytes += uint64(len(p.Bytes))
		if p.Truncated {
			l.tally.Truncated++
		}
		l.scan(p.Bytes)
	}
}

func (l *listener) scan(datagram []byte) {
	l.scanner.Reset(datagram)
	for kind := l.scanner.Next(); kind != 0; kind = l.scanner.Next() {
		l.tally.Lines++
		switch kind {
		case dogstatsd.Metric:
			l.line(&l.scanner.Line)
		case dogstatsd.Bad:
			l.tally.bad[l.scanner.Reason]++
		case dogstatsd.Event:
			l.tally.Events++
		case dogstatsd.ServiceCheck:
			l.tally.ServiceChecks++
		}
	}
}

// line books one line: accepted, bad or refused.
func (l *listener) line(line *dogstatsd.Line) {
	s := l.find(line)
	switch s {
	case nil:
		l.tally.Refused++
		return
	case refusal:
		l.tally.bad[conflict]++
		return
	}
	if reason, ok := s.add(line, l.bounds); !ok {
		l.tally.bad[reason]++
		return
	}
	l.tally.Accepted++
	l.tally.Values += uint64(max(1, len(line.Values)))
	if line.Timestamp != 0 {
		l.tally.Timestamped++
	}
}

// find gives the series of a line; nil when there are too many, refusal when
// its name belongs to another. It allocates nothing for a line whose like came
// before.
func (l *listener) find(line *dogstatsd.Line) *series {
	kind := family(line.Type)
	l.key = append(l.key[:0], kind[0])
	l.key = append(l.key, line.Name...)
	l.key = append(l.key, '|') // in no name
	l.key = append(l.key, line.Tags...)
	if s, ok := l.known[string(l.key)]; ok {
		return s
	}
	s := l.meet(line)
	if s != nil {
		// A client that spells its tags ever differently must not fill
		// the memory; the series themselves are in owners.
		if len(l.known) >= aliases*l.cfg.MaxSeries {
			clear(l.known)
		}
		l.known[string(l.key)] = s
	}
	return s
}

// meet is find for a line that was not seen before.
func (l *listener) meet(line *dogstatsd.Line) *series {
	s := newSeries(line, tagLabels(l.labels, line.Tags))
	id := s.labels.Key(s.name)
	if owner, taken := l.owners[id]; taken {
		if owner.meta.Type == s.meta.Type && owner.meta.StatsD == s.meta.StatsD && owner.name == s.name {
			return owner
		}
		return refusal
	}
	companion := ""
	if s.sampledName != "" {
		companion = s.labels.Key(s.sampledName)
		if _, taken := l.owners[companion]; taken {
			return refusal
		}
	}
	if len(l.series) >= l.cfg.MaxSeries {
		return nil
	}
	l.owners[id] = s
	if companion != "" {
		l.owners[companion] = s
	}
	l.series = append(l.series, s)
	return s
}

// advance ends the current interval if now is past its end. The reader calls it
// before it takes datagrams in, and flush when an interval is over: so each
// line is in the interval in which it was read, however late flush is. l.mu is
// held.
func (l *listener) advance(now time.Time) {
	for !now.Before(l.end) && l.stage != over {
		l.endInterval()
		if l.stage == closed {
			// The mark of the end has its time, however late it is made.
			l.end = l.end.Add(l.cfg.Interval)
		} else {
			l.end = l.grid.after(now)
		}
	}
}

// endInterval puts the samples of the current interval into ready. l.mu is held.
func (l *listener) endInterval() {
	at, before := l.end, l.end.Add(-l.cfg.Interval)
	switch l.stage {
	case open, closing:
		if l.stage == closing {
			l.stage = closed
		}
		l.ready = slices.Grow(l.ready, len(l.series)+int(reasons))
		for _, s := range l.series {
			l.ready = s.flush(l.ready, at, before)
		}
		l.own(meter{at: at, before: before})
	case closed:
		for _, s := range l.series {
			l.ready = s.end(l.ready, at)
		}
		l.own(meter{at: at, stale: true})
		l.stage = over
	}
}

// own appends the listener's account. l.mu is held.
func (l *listener) own(m meter) {
	m.samples = l.ready
	m.labels = collector.NewLabels("instance", l.instance, "listener", l.addr)
	if l.instance == "" {
		m.labels = collector.NewLabels("listener", l.addr)
	}
	t, first := &l.tally, !l.tally.begun
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"datagrams_total", t.Datagrams}, {"bytes_total", t.Bytes}, {"truncated_datagrams_total", t.Truncated},
		{"lines_total", t.Lines}, {"accepted_lines_total", t.Accepted}, {"values_total", t.Values},
		{"events_total", t.Events}, {"service_checks_total", t.ServiceChecks}, {"series_refused_total", t.Refused},
	} {
		m.counter(prefix+c.name, float64(c.value), first)
	}
	figures := l.socket.Figures()
	if figures.DropsKnown {
		m.counter(prefix+"kernel_drops_total", float64(figures.Drops), first)
	}
	m.gauge(prefix+"series", gaugeMeta, float64(len(l.series)))
	m.gauge(prefix+"receive_buffer_bytes", bytesMeta, float64(figures.ReceiveBuffer))
	t.begun = true
	own := m.labels
	for r, n := range t.bad {
		if n > 0 && (t.born[r] || !m.stale) {
			m.labels = own.With("reason", reasonName(dogstatsd.Reason(r)))
			m.counter(prefix+"bad_lines_total", float64(n), !t.born[r])
			t.born[r] = true
		}
	}
	l.ready = m.samples
}

// take gives the samples of all intervals that are over, and whether there will
// be no more. g is the grid from now on.
func (l *listener) take(now time.Time, g grid) (ready []collector.Sample, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grid = g
	l.advance(now)
	ready, l.ready = l.ready, nil
	return ready, l.stage == over
}

// last gives what take has not given yet, and the current interval with it,
// though it is not over. The socket is closed.
func (l *listener) last(now time.Time) []collector.Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	retired := l.stage == closing
	if l.stage == open {
		l.stage = closing
	}
	l.endInterval()
	if retired {
		l.end = l.end.Add(l.cfg.Interval)
		l.endInterval()
	}
	return l.ready
}

// ledger is the account so far.
func (l *listener) ledger() ListenerLedger {
	l.mu.Lock()
	defer l.mu.Unlock()
	figures := l.socket.Figures()
	out := ListenerLedger{Instance: l.instance, Addr: l.addr, ReceiveBuffer: figures.ReceiveBuffer, Counts: l.tally.Counts}
	out.Series = len(l.series)
	out.KernelDrops, out.KernelDropsKnown = figures.Drops, figures.DropsKnown
	out.Bad = map[string]uint64{}
	for r, n := range l.tally.bad {
		if n > 0 {
			out.Bad[reasonName(dogstatsd.Reason(r))] = n
		}
	}
	return out
}
