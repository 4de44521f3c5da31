package run

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"throughline/collector"
	"throughline/collector/otlp"
	"throughline/collector/scrape"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
	"throughline/compose"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// telemetry is how a run is measured: its collector, where that listens for whom,
// the relays on the way to it, and the pollers. A fault may put another collector
// in its place, which then listens for the same instances and polls the same. It is
// the fleet's sensors, and safe for concurrent use.
type telemetry struct {
	cfg     Config
	journal *journal
	relays  *fault.Relays // nil: no fault needs them
	pollers *pollers
	shared  string // host:port that all instances send to; "" = each has its own
	// sharedOTLP is where they push to by OTLP then.
	sharedOTLP map[otlp.Protocol]string
	rumAddr    string // host:port where beacons of pages are taken; "" = nowhere
	api        string // where the collector's HTTP API is to listen; "" = nowhere

	// replacing is held while there is no collector, because another one is coming,
	// and shared by who comes or leaves.
	replacing sync.RWMutex
	mu        sync.Mutex
	current   *collecting
	listeners map[string]listener      // by instance
	targets   map[string]scrape.Target // that are scraped, by instance
	owed      []collector.Sample       // that a killed collector may not have stored, until the next one is there
}

// listener is where the collector listens for a web instance.
type listener struct {
	labels collector.Labels
	addr   string
}

// newTelemetry opens a collector, which does not run yet.
func newTelemetry(c Config, journal *journal) (*telemetry, error) {
	t := &telemetry{cfg: c, journal: journal, pollers: &pollers{journal: journal}, listeners: map[string]listener{}, targets: map[string]scrape.Target{}, api: c.Dashboard}
	if t.api == "" && c.Scenario.Autoscale != nil {
		t.api = anywhere
	}
	if c.needs(script.Relays) {
		t.relays = fault.NewRelays(c.Run.Seed)
	}
	return t, t.open(t.api)
}

// open makes a collector with its API at an address. Those of one run share their
// store.
func (t *telemetry) open(api string) error {
	frontier := newFrontier()
	opened, err := t.engine(api, frontier)
	if err != nil {
		return err
	}
	t.keepRUM(opened)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.owed = nil
	t.current = &collecting{engine: opened, frontier: frontier, ended: make(chan struct{})}
	return nil
}

// collector is the one that listens at present.
func (t *telemetry) collector() *collecting {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

// run lets the collector run until stop, also after the end of ctx.
func (t *telemetry) run(ctx context.Context) {
	c := t.collector()
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.end = cancel
	go func() {
		defer close(c.ended)
		c.err = c.Run(running)
		if p := c.process(); p != nil && p.Ended() && !c.killed.Load() {
			t.journalEnd(p, false)
		}
	}()
}

// addPoller adds a poller to this collector and those after it.
func (t *telemetry) addPoller(name string, p collector.Poller) error {
	return t.collector().AddPoller(name, t.pollers.add(name, p))
}

// pollNow polls everything now.
func (t *telemetry) pollNow(ctx context.Context) error {
	return withoutExpected(t.collector().Fetch(ctx))
}

// news counts what came in at this collector and told something new: lines of StatsD, and points of OTLP that grew; of one
// that is gone it is 0.
func (t *telemetry) news() uint64 {
	f, _ := t.collector().Figures() // stop tells that it is gone
	return f.Lines + f.Grown
}

// share opens the StatsD port that all instances share, where they have
// addresses of their own.
func (t *telemetry) share() error {
	if x := t.cfg.Scenario.Stack.External; x != nil {
		return t.listenThere(*x)
	}
	if _, ok := t.cfg.Platform.(compose.Located); !ok {
		return nil
	}
	on := func(port string) error {
		at, err := t.collector().Listen(statsd.Listener{
			Origin: statsd.BySource, Addr: socket.Address{Network: socket.UDP, Host: net.JoinHostPort(t.cfg.Platform.Home(), port)},
		})
		t.shared = at.Host
		return err
	}
	err := on(statsdPort)
	if errors.Is(err, syscall.EADDRINUSE) {
		t.cfg.Progress.Note("StatsD port " + statsdPort + " is taken on this machine: who does not heed STATSD_PORT will not be heard")
		err = on("0")
	}
	if err != nil {
		return err
	}
	return t.shareOTLP()
}

// listen implements sensors: it opens a socket for a web instance before it starts; one
// that has an address of its own is known by that (place). While the collector is being
// replaced, it waits for the next.
func (t *telemetry) listen(name string, labels collector.Labels) (string, error) {
	t.replacing.RLock()
	defer t.replacing.RUnlock()
	if x := t.cfg.Scenario.Stack.External; x != nil {
		return t.assignThere(*x, name, labels)
	}
	if _, ok := t.cfg.Platform.(compose.Located); ok {
		return t.shared, nil
	}
	addr, err := t.collector().listen(name, labels)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	t.listeners[name] = listener{labels, addr}
	t.mu.Unlock()
	if t.relays == nil {
		return addr, nil
	}
	return t.relays.Open(name, addr)
}

// place implements sensors: what comes from an address is an instance's from now on. pushes: by OTLP too.
func (t *telemetry) place(name string, at netip.Addr, labels collector.Labels, pushes bool) error {
	t.replacing.RLock()
	defer t.replacing.RUnlock()
	if err := t.collector().Assign(at.String(), name, labels); err != nil || !pushes {
		return err
	}
	return t.collector().AssignOTLP(at.String(), name, labels)
}

// scrape implements sensors: it has the collector, and those after it, scrape an instance.
func (t *telemetry) scrape(of scrape.Target) error {
	t.replacing.RLock()
	defer t.replacing.RUnlock()
	t.mu.Lock()
	t.targets[of.Instance] = of
	t.mu.Unlock()
	return t.collector().Scrape(of)
}

// retire implements sensors. What the instance sent reaches the collector to the
// end; one that is being replaced is waited for.
func (t *telemetry) retire(ctx context.Context, name string) {
	t.replacing.RLock()
	defer t.replacing.RUnlock()
	if t.relays != nil {
		if err := t.relays.Retire(ctx, name); err != nil {
			t.journal.trouble(relayTrouble, 0, err.Error())
		}
	}
	t.mu.Lock()
	delete(t.listeners, name)
	delete(t.targets, name)
	t.mu.Unlock()
	_, placed := t.cfg.Platform.(compose.Located)
	err := t.collector().Retire(ctx, name)
	elsewhere := t.cfg.foreign() && t.cfg.Scenario.MetricsFrom != nil
	if (placed || elsewhere) && errors.Is(err, collector.ErrUnknownInstance) {
		return // its start failed before it had an address, or it sends nothing, and a server scrapes it
	}
	if err != nil {
		t.journal.trouble("collector", 0, err.Error())
	}
}

// listening tells where the collector listens for a web instance, or for all.
func (t *telemetry) listening(name string) map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]string{}
	for n, l := range t.listeners {
		if name == "" || n == name {
			out[n] = l.addr
		}
	}
	return out
}

// closeRelays sends on all that is in the relays, and puts into the journal
// what they lost by themselves.
func (t *telemetry) closeRelays(ctx context.Context) {
	if t.relays == nil {
		return
	}
	if err := t.relays.Close(ctx); err != nil {
		t.journal.trouble(relayTrouble, 0, err.Error())
	}
	for _, l := range t.relays.Lost() {
		t.journal.event(record.Event{Kind: record.Trouble, About: relayTrouble, Instance: l.Instance, Role: roleOf(l.Instance), Count: l.Count, Error: l.Why})
	}
}

// close ends what is left of relays and collector.
func (t *telemetry) close(ctx context.Context) error {
	var errs []error
	if t.relays != nil {
		errs = append(errs, t.relays.Close(ctx))
	}
	c := t.collector()
	if c.end != nil {
		c.end()
		<-c.ended
	}
	return errors.Join(append(errs, c.Close())...)
}

// relayTrouble is what the Trouble of a relay is about.
const relayTrouble = "relay"
