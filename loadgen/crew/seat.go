package crew

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"sync"
	"time"

	"throughline/loadgen"
	"throughline/loadgen/crew/wire"
)

// seat is a worker as its coordinator knows it.
type seat struct {
	crew    *Crew
	part    loadgen.Part
	started Started       // set before any load
	ready   chan struct{} // closed when it is there and its clock is compared
	broken  chan struct{} // closed when nothing more can come from it

	mu       sync.Mutex
	conn     net.Conn // nil: it has not come
	why      error    // nothing more can come
	heard    time.Duration
	compared Comparison // as it stands
	told     Comparison // as the journal knows it
	isReady  bool

	// Of the goroutine that runs the load alone, but for what Crew.mu is held for:
	ledger   ledger
	stats    loadgen.Stats
	finished bool
}

func newSeat(c *Crew, part loadgen.Part) *seat {
	return &seat{crew: c, part: part, ready: make(chan struct{}), broken: make(chan struct{}), ledger: ledger{part: part}}
}

// news is what came from a worker.
type news struct {
	from  *seat
	batch *wire.Batch   // nil: none
	final *wire.Final   // nil: it has more to tell
	lost  bool          // its connection is no more, and its process is gone
	until time.Duration // as long it may have sent; of lost, as is how
	how   string
}

var errOver = errors.New("the load is over")

// report hands news to whoever runs the load, and waits until they are taken.
func (s *seat) report(n news) error {
	n.from = s
	select {
	case s.crew.news <- n:
		return nil
	case <-s.crew.life.Done():
		return errOver
	}
}

// take gives the seat to who comes, unless it is taken.
func (s *seat) take(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return false
	}
	s.conn, s.heard = conn, s.crew.now()
	return true
}

// serve hears a worker until its connection ends, and then tells of its end.
func (s *seat) serve(conn net.Conn) {
	server := rpc.NewServer()
	if err := server.RegisterName(wire.Coordinator, &desk{s}); err != nil {
		s.breakOff(err)
		return
	}
	// It returns when all that was called has returned, so that nothing comes after the end.
	server.ServeConn(&heeded{ReadWriteCloser: conn, over: s.breakOff})
	how := s.lostBy(s.end())
	_ = s.report(news{lost: true, until: s.crew.now(), how: how})
}

// breakOff says that nothing more can come from a worker that has come, or is wanted of it, and why. Its connection is closed
// before those that wait for the load's end are told, so that they answer it nothing: what a worker is to see is a connection
// that broke.
func (s *seat) breakOff(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return
	}
	s.why = why
	_ = s.conn.Close()
	close(s.broken)
}

// lostBy tells how a worker was lost, whose process ended as is said.
func (s *seat) lostBy(ended string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	why := s.why
	if errors.As(why, new(net.Error)) || errors.Is(why, io.EOF) || errors.Is(why, io.ErrUnexpectedEOF) {
		why = errors.New("its connection is gone")
	}
	return fmt.Sprintf("%v; its process has ended (%s)", why, ended)
}

// leaveLimit is how long a worker whose connection is no more may take to end by itself.
const leaveLimit = 2 * time.Second

// end waits for the end of a worker whose connection is no more, or brings it about.
func (s *seat) end() string {
	late := time.NewTimer(leaveLimit)
	defer late.Stop()
	select {
	case <-s.started.Gone():
	case <-late.C:
	}
	return s.started.End()
}

// heeded is a connection that tells when nothing more can be read.
type heeded struct {
	io.ReadWriteCloser
	over func(error)
}

func (h *heeded) Read(p []byte) (int, error) {
	n, err := h.ReadWriteCloser.Read(p)
	if err != nil {
		h.over(err)
	}
	return n, err
}

// knows keeps how well a worker's clock is compared, and journals what is worth it.
func (s *seat) knows(a wire.Ask, always bool) {
	c := Comparison{Offset: a.Offset, Bound: a.Bound, Exchanges: a.Exchanges}
	s.mu.Lock()
	s.compared, s.heard = c, s.crew.now()
	tell := always || c.Bound > 0 && (s.told.Exchanges == 0 || c.Bound >= 2*s.told.Bound)
	if tell {
		s.told = c
	}
	s.mu.Unlock()
	if tell {
		s.crew.config.Journal.Compared(s.part.Worker, c)
	}
}

// silentFor is for how long nothing was heard of a worker.
func (s *seat) silentFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crew.now() - s.heard
}

// desk is a seat as its worker calls it; see package wire.
type desk struct{ seat *seat }

// Join tells the worker what to send.
func (d *desk) Join(_ wire.Nothing, load *wire.Load) error {
	c := d.seat.crew.config
	c.Load.Part = d.seat.part
	*load = wire.LoadOf(c.Load, c.Form)
	return nil
}

// Compare tells the time.
func (d *desk) Compare(a wire.Ask, times *wire.Times) error {
	times.Received = d.seat.crew.now()
	d.seat.knows(a, false)
	times.Answered = d.seat.crew.now()
	return nil
}

// Await says that the worker is ready, and tells when the load begins.
func (d *desk) Await(_ wire.Nothing, start *wire.Moment) error {
	s := d.seat
	s.mu.Lock()
	if s.isReady {
		s.mu.Unlock()
		return errors.New("it has said so before")
	}
	s.isReady = true
	close(s.ready)
	s.mu.Unlock()
	return s.await(s.crew.starting, &s.crew.start, start)
}

// AwaitEnd tells when it ends.
func (d *desk) AwaitEnd(_ wire.Nothing, end *wire.Moment) error {
	return d.seat.await(d.seat.crew.ending, &d.seat.crew.end, end)
}

func (s *seat) await(set <-chan struct{}, at *time.Duration, reply *wire.Moment) error {
	select {
	case <-set:
		reply.At = *at
		return nil
	case <-s.broken:
		return errOver
	case <-s.crew.life.Done():
		return errOver
	}
}

// Tell takes what has become known.
func (d *desk) Tell(b wire.Batch, _ *wire.Nothing) error { return d.seat.report(news{batch: &b}) }

// Finish takes the end of all that is to be told.
func (d *desk) Finish(f wire.Final, _ *wire.Nothing) error {
	d.seat.knows(f.Clock, true)
	return d.seat.report(news{final: &f})
}
