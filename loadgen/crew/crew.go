// Package crew is the users where one generator is not enough: a coordinator and its workers, each of which sends its part of
// one open-loop schedule from a process of its own, on this machine or another.
//
// Request n goes to worker n mod N + 1. All that is decided by seed and number is the same whoever sends it, so the workers
// together send what a single generator would have, each request once, at the same times, and the users' ledger is merged from
// theirs while the load goes on. A worker dials its coordinator (TCP, and a token that both were given; nothing is encrypted, so
// the network between them has to be one's own), asks it for the time over and over, and sends and tells by the coordinator's
// clock. Nothing that is told can delay what is to be sent.
//
// A worker that is lost is not replaced, and its part is dealt to nobody: what it may have sent has an unknown outcome, and what
// was due later is unsent. Either is told, with its number.
//
// It is no generator, which is package loadgen; it judges nothing, and starts a process only where it is given a way to
// (Processes). scenarios/run and "throughline load" call it, and "throughline worker" is the other end.
package crew

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"throughline/loadgen"
)

// Config is what a crew is made of. Journal may be nil, all else must be set.
type Config struct {
	Load    loadgen.Config // of all together; Shape is made of Form, and Part, Clock and Start are the crew's
	Form    loadgen.Form
	Workers int // 1 to Most
	// Listener is where the coordinator listens. The crew closes it.
	Listener net.Listener
	// Token is known to workers and coordinator alone: letters and digits, hard to guess.
	Token   string
	Start   func(Invitation) (Started, error)
	Journal Journal
}

// Most is how many workers there may be.
const Most = 100

// Invitation is what a worker has to be told when it is started.
type Invitation struct {
	Number      int    // 1 to as many as there are
	Coordinator string // host:port
	Token       string
}

// Started is a worker that was started.
type Started interface {
	ID() string            // the system's number for it
	Gone() <-chan struct{} // closed when it has ended
	// End ends it, unless it has ended, and returns when it is gone. It tells how it ended: "SIGKILL", "exit status 4".
	End() string
}

// Journal is told what is worth writing down. Its methods may be called by several goroutines at once.
type Journal interface {
	Begun(worker int, id string)
	// Compared tells how well a worker's clock is compared with the coordinator's: at the beginning, at the end, and when
	// that has become twice as bad as was told before.
	Compared(worker int, c Comparison)
	Ended(worker int, e Ending)
}

// Comparison is how a worker's clock was compared with the coordinator's.
type Comparison struct {
	Offset    time.Duration // the coordinator's clock less the worker's; each begins when it wants
	Bound     time.Duration // by how much times of the worker's may be wrong at most, so far
	Exchanges int           // as many times was it compared
}

// Ending is how a worker ended.
type Ending struct {
	ID       string
	Expected bool          // it had told all
	At       time.Duration // since the load began; of one that was lost
	How      string        // "its process ended (SIGKILL)"; of one that was lost
	Unknown  uint64        // requests that it may have sent, of which nobody knows what they came to
}

// startLimit is how long workers may take until they are all there.
const startLimit = 30 * time.Second

// Crew is a load of several workers. It is Assemble, Run and Close, each once.
type Crew struct {
	config Config
	plan   *loadgen.Generator // says what each request is; sends none
	zero   time.Time          // of the coordinator's clock
	seats  []*seat
	talks  sync.WaitGroup // with workers
	news   chan news
	life   context.Context // ends with Close
	die    context.CancelFunc

	starting, ending chan struct{} // closed when start and end are set
	start, end       time.Duration

	mu    sync.Mutex
	merge merge
}

// Assemble starts the workers, and returns when all are there and their clocks are compared. Close it in any case but an error.
func Assemble(ctx context.Context, c Config) (*Crew, error) {
	crew, err := newCrew(ctx, c)
	if err != nil {
		return nil, errors.Join(err, c.Listener.Close())
	}
	if err := crew.muster(ctx); err != nil {
		return nil, errors.Join(err, crew.Close())
	}
	return crew, nil
}

func newCrew(ctx context.Context, c Config) (*Crew, error) {
	if c.Journal == nil {
		c.Journal = nobody{}
	}
	if c.Workers < 1 || c.Workers > Most {
		return nil, fmt.Errorf("workers: %d: want 1 to %d", c.Workers, Most)
	}
	var err error
	if c.Load.Shape, err = c.Form.Shape(); err != nil {
		return nil, err
	}
	plan, err := loadgen.New(c.Load)
	if err != nil {
		return nil, err
	}
	c.Load = plan.Config()
	crew := &Crew{config: c, plan: plan, zero: time.Now(), news: make(chan news),
		starting: make(chan struct{}), ending: make(chan struct{}), merge: newMerge(c.Load)}
	crew.life, crew.die = context.WithCancel(context.WithoutCancel(ctx))
	for n := range c.Workers {
		crew.seats = append(crew.seats, newSeat(crew, loadgen.Part{Worker: n + 1, Of: c.Workers}))
	}
	return crew, nil
}

// now is the time by the coordinator's clock.
func (c *Crew) now() time.Duration { return time.Since(c.zero) }

// accept takes connections in until the crew is closed.
func (c *Crew) accept() {
	for {
		conn, err := c.config.Listener.Accept()
		if err != nil {
			return
		}
		c.talks.Go(func() { c.welcome(conn) })
	}
}

// welcome hears who comes, and serves a worker until its connection ends.
func (c *Crew) welcome(conn net.Conn) {
	defer context.AfterFunc(c.life, func() { _ = conn.Close() })()
	defer conn.Close()
	number, err := admit(conn, c.config.Token)
	if err == nil && (number < 1 || number > len(c.seats)) {
		err = fmt.Errorf("there is no worker %d: want 1 to %d", number, len(c.seats))
	}
	if err == nil && !c.seats[number-1].take(conn) {
		err = fmt.Errorf("worker %d is there already, or was lost", number)
	}
	_ = answer(conn, err) // where that fails the connection has ended, which serve tells
	if err == nil {
		c.seats[number-1].serve(conn)
	}
}

// muster starts the workers, side by side, and waits for them.
func (c *Crew) muster(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it was not there within %v", startLimit))
	defer cancel()
	for _, s := range c.seats {
		started, err := c.config.Start(Invitation{Number: s.part.Worker, Coordinator: c.config.Listener.Addr().String(), Token: c.config.Token})
		if err != nil {
			return fmt.Errorf("start worker %d: %w", s.part.Worker, err)
		}
		s.started = started // nobody has come yet
		c.config.Journal.Begun(s.part.Worker, started.ID())
	}
	c.talks.Go(c.accept)
	for _, s := range c.seats {
		select {
		case <-s.ready:
		case <-s.started.Gone():
			return fmt.Errorf("start worker %d: its process has ended (%s)", s.part.Worker, s.started.End())
		case <-ctx.Done():
			return fmt.Errorf("start worker %d: %w", s.part.Worker, context.Cause(ctx))
		}
	}
	return nil
}

// Close ends all workers and returns when they are gone.
func (c *Crew) Close() error {
	c.die()
	err := c.config.Listener.Close()
	var ends sync.WaitGroup
	for _, s := range c.seats {
		if s.started != nil {
			ends.Go(func() { s.end() })
		}
	}
	ends.Wait()
	c.talks.Wait()
	return err
}

// Stats tells how the load goes, of all together. It may be called at any time from any goroutine.
func (c *Crew) Stats() loadgen.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.merge.stats(c.seats)
}

// nobody keeps no journal.
type nobody struct{}

func (nobody) Begun(int, string)        {}
func (nobody) Compared(int, Comparison) {}
func (nobody) Ended(int, Ending)        {}
