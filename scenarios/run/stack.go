package run

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/collector/server"
	"throughline/compose"
	"throughline/compose/haproxy"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
)

// The instances that are no web instances.
const (
	DatabaseName = "mongo-1"
	BalancerName = "haproxy-1"
)

// stack is everything that runs for one scenario: the instances, the load
// balancer's controls and the collector. Each move on it returns when it has
// taken effect, and writes what happened into the journal.
type stack struct {
	cfg      Config
	journal  *record.Writer
	parts    *compose.Stack
	lb       *haproxy.Runtime
	runtime  string      // host:port of the load balancer's Runtime API
	front    string      // host:port where users are served
	mongoURI string      // as the web instances reach it
	mongoAt  string      // as the harness does
	statsd   string      // host:port that all instances share; "" = each has its own
	mongo    *poll.Mongo // nil: there is no database
	// executions takes in the load balancer's log; nil: it keeps none.
	executions *executions

	collector  *server.Server
	replacing  sync.Mutex         // held while there is no collector, because another one is coming
	collect    context.CancelFunc // ends the collector; nil before it runs
	collected  chan struct{}      // closed when its Run has returned
	collectErr error              // what that returned

	relays  *fault.Relays // nil: no fault needs them
	proxy   *fault.Proxy  // nil: no fault needs it
	ongoing []ongoing     // the faults that have begun

	watching sync.WaitGroup // one for each living instance
	mu       sync.Mutex
	last     int              // the number of the newest web instance
	web      []string         // that serve, oldest first
	lives    map[string]*life // of every instance ever born
	ending   bool             // the stack is being taken down: deaths are no news
	// calledOff: the run was interrupted, and the journal says so.
	calledOff bool
	// What every collector of the run has, should it be restarted.
	listeners map[string]listener // by instance
	pollers   []*poller
	dark      *darkness
}

// life is what the stack knows of an instance beside its handle.
type life struct {
	role    record.Role
	asked   bool          // somebody wants it dead
	limited bool          // its CPU is limited
	gone    chan struct{} // closed when its death is in the journal
}

func newStack(c Config, journal *record.Writer) (*stack, error) {
	s := &stack{cfg: c, journal: journal, parts: compose.NewStack(c.Platform), lives: map[string]*life{}, listeners: map[string]listener{}, dark: &darkness{}}
	if c.Scenario.Uses(relayed...) {
		s.relays = fault.NewRelays(c.Run.Seed)
	}
	return s, s.openCollector()
}

// event puts e into the journal at the present moment, unless it has one. A
// failure to write is kept by the journal.
func (s *stack) event(e record.Event) {
	if e.At == 0 {
		e.At = s.journal.Offset(time.Now())
	}
	_ = s.journal.Event(e)
}

// trouble puts into the journal what the harness could not do or see.
func (s *stack) trouble(about string, count int64, why string) {
	s.event(record.Event{Kind: record.Trouble, About: about, Count: count, Error: why})
}

// note puts into the journal what is out of the ordinary and spoils nothing.
func (s *stack) note(about string, count int64, what string) {
	s.event(record.Event{Kind: record.Note, About: about, Count: count, Error: what})
}

// up starts all: database and load balancer, then the web instances, then it
// waits until the load balancer has every one of them up.
func (s *stack) up(ctx context.Context) error {
	if err := s.share(); err != nil {
		close(s.collected)
		return err
	}
	s.runCollector(ctx)
	if err := s.watchHost(); err != nil {
		return err
	}

	group, starting := errgroup.WithContext(ctx)
	group.Go(func() error { return s.startDatabase(starting) })
	group.Go(func() error { return s.startBalancer(starting) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.startProxy(); err != nil {
		return err
	}
	return s.launch(ctx, s.cfg.Scenario.Stack.Web.Instances)
}

func (s *stack) startDatabase(ctx context.Context) error {
	switch {
	case s.cfg.Run.Database == NoDatabase:
		return nil
	case s.cfg.MongoURI != "":
		s.mongoURI, s.mongoAt = s.cfg.MongoURI, s.cfg.MongoURI
	default:
		handle, err := s.start(ctx, s.databaseInstance(), record.Database)
		if err != nil {
			return err
		}
		s.mongoURI, s.mongoAt = mongoURI(handle.PeerAddr("mongo")), mongoURI(handle.Addr("mongo"))
	}
	var err error
	if s.mongo, err = poll.NewMongo(s.mongoAt); err != nil {
		return err
	}
	return s.addPoller(mongoPoller, s.mongo)
}

func (s *stack) startBalancer(ctx context.Context) error {
	instance, err := s.balancerInstance(ctx)
	if err != nil {
		return err
	}
	handle, err := s.start(ctx, instance, record.LoadBalancer)
	if err != nil {
		return err
	}
	s.front = handle.Addr(haproxy.HTTPPort)
	s.runtime = handle.Addr(haproxy.RuntimePort)
	s.lb = haproxy.NewRuntime(s.runtime)
	if s.balancerConfig().Master {
		s.lb = haproxy.NewMaster(s.runtime)
	}
	return s.addPoller("haproxy", BalancerPoller(s.lb))
}

// start starts one instance, journals its birth and readiness, and watches it
// until it is gone.
func (s *stack) start(ctx context.Context, i compose.Instance, role record.Role) (compose.Handle, error) {
	born := s.journal.Offset(time.Now())
	handle, err := s.parts.Start(ctx, i)
	if err != nil {
		return nil, err
	}
	id := ""
	if known, ok := handle.(compose.Identified); ok {
		id = known.ID()
	}
	s.event(record.Event{At: born, Kind: record.Birth, Instance: i.Name, Role: role, ID: id})
	s.event(record.Event{Kind: record.Ready, Instance: i.Name, Role: role})
	life := &life{role: role, gone: make(chan struct{})}
	s.mu.Lock()
	s.lives[i.Name] = life
	s.mu.Unlock()
	s.watching.Go(func() { s.watch(handle, life) })
	return handle, nil
}

// watch waits until an instance is gone, and says so in the journal.
func (s *stack) watch(handle compose.Handle, life *life) {
	exit, err := handle.Wait(context.Background())
	name := handle.Name()
	s.mu.Lock()
	asked, ending := life.asked, s.ending
	s.web = slices.DeleteFunc(s.web, func(n string) bool { return n == name })
	s.mu.Unlock()
	s.parts.Gone(name)
	if !ending {
		if err != nil {
			s.trouble("instance "+name, 0, fmt.Sprintf("wait for its end: %v", err))
		}
		s.event(record.Event{At: s.journal.Offset(exit.At), Kind: record.Death, Instance: name, Role: life.role,
			Code: exit.Code, Signal: exit.Signal, Expected: asked})
		if life.role == record.Web {
			s.retire(context.Background(), name)
		}
	}
	close(life.gone)
}

// serving lists the web instances that the load balancer sends requests to,
// oldest first.
func (s *stack) serving() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.web)
}

// launch starts n web instances at once, with the next n names.
func (s *stack) launch(ctx context.Context, n int) error {
	group, starting := errgroup.WithContext(ctx)
	s.mu.Lock()
	first := s.last + 1
	s.last += n
	s.mu.Unlock()
	for number := first; number < first+n; number++ {
		group.Go(func() error { return s.launchOne(starting, number) })
	}
	return group.Wait()
}

func (s *stack) launchOne(ctx context.Context, number int) error {
	name := webName(number)
	addr, err := s.listen(name, collector.NewLabels("zone", zoneOf(number)))
	if err != nil {
		return err
	}
	instance, err := s.webInstance(number, addr)
	if err != nil {
		return err
	}
	handle, err := s.start(ctx, instance, record.Web)
	if err != nil {
		return err
	}
	if err := s.meter(ctx, handle); err != nil {
		return err
	}
	behind, err := s.behind(handle)
	if err != nil {
		return err
	}
	if err := s.lb.Add(ctx, name, behind); err != nil {
		return err
	}
	if err := s.lb.WaitState(ctx, name, haproxy.Up); err != nil {
		return err
	}
	s.mu.Lock()
	s.web = append(s.web, name)
	// Instances that start together may come up in any order.
	slices.SortFunc(s.web, compareNames)
	s.mu.Unlock()
	s.event(record.Event{Kind: record.Serving, Instance: name, Role: record.Web})
	return nil
}

// kill ends an instance without warning, and waits until its process is gone,
// its port refuses and the load balancer has marked it down.
func (s *stack) kill(ctx context.Context, name string) error {
	handle, life, err := s.condemn(name)
	if err != nil {
		return err
	}
	addr := handle.Addr("http")
	// The journal's time comes before the signal's: what the users saw
	// acknowledged in the client's window before it may be lost.
	s.event(record.Event{Kind: record.Signalled, Instance: name, Role: life.role, Signal: compose.Kill.String()})
	if err := handle.Signal(ctx, compose.Kill); err != nil {
		return err
	}
	if err := awaitDeath(ctx, name, life); err != nil {
		return err
	}
	if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("%s is gone, but something still answers at %s", name, addr)
	}
	if err := s.lb.WaitState(ctx, name, haproxy.Down); err != nil {
		return err
	}
	s.event(record.Event{Kind: record.Down, Instance: name, Role: life.role})
	return s.remove(ctx, name)
}

// condemn finds a web instance and notes that its death is wanted.
func (s *stack) condemn(name string) (compose.Handle, *life, error) {
	handle, err := s.parts.Find(name)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	life := s.lives[name]
	if life.role != record.Web {
		return nil, nil, fmt.Errorf("%s: is no web instance (have %s)", name, strings.Join(s.web, ", "))
	}
	life.asked = true
	s.web = slices.DeleteFunc(s.web, func(n string) bool { return n == name })
	return handle, life, nil
}

// awaitDeath returns when the instance is gone and its death is journalled.
func awaitDeath(ctx context.Context, name string, life *life) error {
	select {
	case <-life.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait until %s is gone: %w", name, ctx.Err())
	}
}

// idleEvery is how often the load balancer is asked whether a drained server
// still has requests on it.
const idleEvery = 20 * time.Millisecond

// awaitIdle returns when no request is in flight between the load balancer and
// the server.
func (s *stack) awaitIdle(ctx context.Context, name string) error {
	ticker := time.NewTicker(idleEvery)
	defer ticker.Stop()
	for {
		state, err := s.lb.State(ctx, name)
		if err != nil {
			return err
		}
		if state.Sessions == 0 && state.Queued == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still has %s in flight: %w", name, plural(int64(state.Sessions), "request"), ctx.Err())
		case <-ticker.C:
		}
	}
}

// remove takes the server off the load balancer, which keeps its counters.
func (s *stack) remove(ctx context.Context, name string) error {
	if err := s.lb.Remove(ctx, name, 0); err != nil {
		return err
	}
	s.event(record.Event{Kind: record.Removed, Instance: name, Role: record.Web})
	return nil
}

// frontend is where users are served.
func (s *stack) frontend() string {
	if s.proxy != nil {
		return s.proxy.URL()
	}
	return s.balancer()
}

// balancer is the load balancer itself.
func (s *stack) balancer() string { return "http://" + s.front }
