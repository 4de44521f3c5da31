package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector"
	"throughline/collector/otlp"
	"throughline/collector/scrape"
	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// fleet is the instances of one role of a stack. Each move on it returns when it has taken
// effect, and writes what happened into the journal. Moves may be made by several
// at once: see moves.
type fleet struct {
	cfg     Config
	role    script.Web // what its instances are before anything is deployed
	journal *journal
	lives   *lives
	sensors sensors
	pool    pool // backstage where no users come to the role
	fronts  *fronts
	agents  *agents
	cloud   *cloud // gives notice; nil: nobody does
	// describe is what instance number of a version is, which shall send its
	// StatsD lines to an address, host:port.
	describe func(web script.Web, number int, statsd string) (compose.Instance, error)

	mu       sync.Mutex
	last     int               // the number of the newest instance
	coming   map[string]string // whose launch is under way, and of which version
	replaced map[string]bool   // who ends when another one has taken its place
	versions script.Versions
	settled  chan struct{} // closed, and another one made, when launches are over
}

// moves are what can be done to the instances of a role, by the steps of a scenario and
// by actors at the same time. A name is given to one instance only. Who would end
// an instance that another move is ending gets an error that says so. When the
// stack is taken down, all of them are refused.
type moves interface {
	// roster lists the instances that get requests or are being launched, and that
	// nobody is ending or replacing, oldest first.
	roster() []member
	// order begins to launch n instances at once, who are on the roster when it
	// returns; nobody is if it was refused.
	order(ctx context.Context, n int) *order
	// terminate asks an instance to end and returns when it has. With drain the
	// load balancer first lets it finish what it has.
	terminate(ctx context.Context, name string, drain bool) error
	// kill ends an instance without warning.
	kill(ctx context.Context, name string) error
}

// member is an instance on the roster.
type member struct {
	name  string
	since time.Time // when users first reached it; zero: it is being launched
}

// ready tells whether it has served for as long as it warms up.
func (m member) ready(now time.Time, warmUp time.Duration) bool {
	return !m.since.IsZero() && now.Sub(m.since) >= warmUp
}

// order is a launch under way.
type order struct {
	names []string      // who is launched; none if it was refused
	done  chan struct{} // closed when it is over
	serve []string      // of names, those that users reach
	err   error
}

// await returns when users reach all of them, or some cannot be reached. Also with an
// error it gives the names of those that serve; one that was started and does not
// serve is left alone until the stack goes down.
func (o *order) await() ([]string, error) {
	<-o.done
	return o.serve, o.err
}

// sensors are told of instances that come and go, so that what they measure is
// theirs.
type sensors interface {
	// listen gives the host:port to which an instance shall send.
	listen(name string, labels collector.Labels) (string, error)
	// listenOTLP gives the host:port to which an instance shall push by OTLP.
	listenOTLP(name string, labels collector.Labels, protocol otlp.Protocol) (string, error)
	// place is told the address of an instance that has one of its own, before it sends anything; pushes: by OTLP too.
	place(name string, at netip.Addr, labels collector.Labels, pushes bool) error
	// scrape has an instance scraped from now on.
	scrape(of scrape.Target) error
	// retire is called when an instance is gone, or was never started.
	retire(ctx context.Context, name string)
}

// pool is the load balancer's list of servers.
type pool interface {
	// steady holds the load balancer's process as it is until release: a new one
	// would not know who is just coming or leaving.
	holdReloads() (release func())
	add(ctx context.Context, h compose.Handle) error  // returns when it gets requests
	drain(ctx context.Context, name string) error     // returns when no request is on it
	awaitDown(ctx context.Context, name string) error // until its health checks have failed
	remove(ctx context.Context, name string) error    // its counters are kept
}

// backstage is the pool of a role to which no users' requests come: its instances are in no load balancer.
type backstage struct{}

func (backstage) holdReloads() (release func())             { return func() {} }
func (backstage) add(context.Context, compose.Handle) error { return nil }
func (backstage) drain(context.Context, string) error       { return nil }
func (backstage) awaitDown(context.Context, string) error   { return nil }
func (backstage) remove(context.Context, string) error      { return nil }

// name is what its instance of a number is called.
func (f *fleet) name(number int) string {
	return f.cfg.Scenario.Stack.InstanceName(f.role.RoleName(), number)
}

// recorded is its role, as the journal has it.
func (f *fleet) recorded() record.Role { return record.Role(f.role.RoleName()) }

func (f *fleet) serving() []string { return f.lives.serving(f.recorded()) }

// roster implements moves.
func (f *fleet) roster() []member {
	f.mu.Lock()
	coming, replaced := maps.Clone(f.coming), maps.Clone(f.replaced)
	f.mu.Unlock()
	// Who comes to serve meanwhile is on both lists, and nobody on neither.
	all := slices.DeleteFunc(f.lives.members(f.recorded()), func(m member) bool { return replaced[m.name] })
	for _, m := range all {
		delete(coming, m.name)
	}
	for name := range coming {
		all = append(all, member{name: name})
	}
	slices.SortFunc(all, func(a, b member) int { return record.CompareNames(a.name, b.name) })
	return all
}

// replacing takes an instance off the roster until release: its place is taken before it ends.
func (f *fleet) replacing(name string) (release func()) {
	set := func(to bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if to {
			f.replaced[name] = true
		} else {
			delete(f.replaced, name)
		}
	}
	set(true)
	return func() { set(false) }
}

// order implements moves. The names are the next n, and the version is the one that was
// deployed last.
func (f *fleet) order(ctx context.Context, n int) *order {
	return f.orderOf(ctx, n, script.Versions.Current)
}

// orderOf is order of a version.
func (f *fleet) orderOf(ctx context.Context, n int, version func(script.Versions) string) *order {
	o := &order{done: make(chan struct{})}
	if o.err = f.lives.beginMove(); o.err != nil {
		close(o.done)
		return o
	}
	first, web := f.number(n, version)
	for i := range n {
		o.names = append(o.names, f.name(first+i))
	}
	serve := make([]string, n)
	go func() {
		defer close(o.done)
		o.err = f.lives.finishMove(ctx, func(ctx context.Context) error {
			group, starting := errgroup.WithContext(ctx)
			for i, name := range o.names {
				group.Go(func() error {
					err := f.launchOne(starting, web, first+i)
					if err == nil {
						serve[i] = name
					}
					return err
				})
			}
			return group.Wait()
		})
		f.arrived(o.names)
		o.serve = slices.DeleteFunc(serve, func(name string) bool { return name == "" })
	}()
	return o
}

// launch starts n instances at once and returns when users reach them, as order.await does.
func (f *fleet) launch(ctx context.Context, n int) ([]string, error) {
	return f.order(ctx, n).await()
}

// number hands out the next n numbers to instances of a version, and gives the first. The
// launches of those who get them are under way.
func (f *fleet) number(n int, version func(script.Versions) string) (first int, web script.Web) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first = f.last + 1
	web, _ = f.versions.Find(version(f.versions))
	for range n {
		f.last++
		f.versions.Of[f.name(f.last)] = web.Version
		f.coming[f.name(f.last)] = web.Version
	}
	return first, web
}

// arrived ends launches, whatever came of them.
func (f *fleet) arrived(names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		delete(f.coming, name)
	}
	close(f.settled)
	f.settled = make(chan struct{})
}

func (f *fleet) launchOne(ctx context.Context, web script.Web, number int) error {
	one, err := f.start(ctx, web, number)
	if err != nil {
		return err
	}
	defer f.lives.release(one, launching) // if it fails
	if err := f.scrape(ctx, one, web, number); err != nil {
		return err
	}
	if err := f.meter(ctx, one.Handle); err != nil {
		return err
	}
	served, err := f.fronts.before(ctx, one.Handle, number)
	if err != nil {
		return err
	}
	defer f.pool.holdReloads()()
	if err := f.pool.add(ctx, served); err != nil {
		return err
	}
	f.lives.admit(one)
	return nil
}

// start starts an instance, which is listened for from before its birth.
func (f *fleet) start(ctx context.Context, web script.Web, number int) (*life, error) {
	name := f.name(number)
	addr, err := f.sensors.listen(name, f.labels(web, number))
	if err != nil {
		return nil, err
	}
	var instance compose.Instance
	if addr, err = f.agents.beside(ctx, name, addr, f.labels(web, number)); err == nil {
		instance, err = f.describe(web, number, addr)
	}
	if err == nil {
		err = f.push(&instance, web, number)
	}
	if err == nil {
		instance.Ready.Within = startWithin(ctx)
		instance.Placed = func(at netip.Addr) error {
			f.cloud.place(name, at)
			return f.sensors.place(name, at, f.labels(web, number), web.Metrics.OTLP != "")
		}
		var one *life
		if one, err = f.lives.start(ctx, instance, f.recorded(), web.Version); err == nil {
			return one, nil
		}
	}
	f.agents.retire(context.WithoutCancel(ctx), name)
	f.sensors.retire(context.WithoutCancel(ctx), name)
	return nil, err
}

// scrape has an instance scraped that has just been born, if its role is. What it counted before is in its first value.
func (f *fleet) scrape(ctx context.Context, one *life, web script.Web, number int) error {
	m := f.role.Metrics
	if m.Scrape == "" || f.cfg.Scenario.MetricsFrom != nil { // else a server scrapes it
		return nil
	}
	err := f.sensors.scrape(scrape.Target{URL: "http://" + one.Addr("http") + m.Scrape, Instance: one.Name(), Labels: f.labels(web, number), Every: m.Every, HonorLabels: m.HonorLabels})
	if f.lives.over(one) { // it may have been retired before
		f.sensors.retire(context.WithoutCancel(ctx), one.Name())
	}
	return err
}

// labels are what all series have that come from an instance of a version, beside its name. Where there is one role alone,
// it is left to who sends tags.
func (f *fleet) labels(web script.Web, number int) collector.Labels {
	if f.cfg.foreign() {
		return nil // what it is told, and what it sends, is the user's
	}
	pairs := []string{"zone", zoneOf(number)}
	if web.Version != "" {
		pairs = append(pairs, record.LabelVersion, web.Version)
	}
	if len(f.cfg.Scenario.Stack.Others) > 0 {
		pairs = append(pairs, "role", f.role.RoleName())
	}
	return collector.NewLabels(pairs...)
}

// kill implements moves. It waits until the process is gone, its port refuses and
// the load balancer has marked it down.
func (f *fleet) kill(ctx context.Context, name string) error {
	return f.lives.end(ctx, name, killing, func(ctx context.Context, one *life) error {
		addr := one.Addr("http")
		// The journal's time comes before the signal's: what the users saw
		// acknowledged in the client's window before it may be lost.
		f.signalled(one, compose.Kill)
		if err := one.Signal(ctx, compose.Kill); err != nil {
			return err
		}
		if err := awaitDeath(ctx, one); err != nil {
			return err
		}
		if err := refused(name, addr); err != nil {
			return err
		}
		defer f.pool.holdReloads()()
		if err := f.pool.awaitDown(ctx, name); err != nil {
			return err
		}
		if !f.cfg.foreign() { // else nobody knows what its load balancer makes of it
			f.journal.event(record.Event{Kind: record.Down, Instance: name, Role: one.role})
		}
		return f.remove(ctx, one)
	})
}

// refused is an error if something still answers where an instance was. Where it listened nowhere nothing does.
func refused(name, addr string) error {
	if addr == "" {
		return nil
	}
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil
	}
	conn.Close()
	return fmt.Errorf("%s is gone, but something still answers at %s", name, addr)
}

// terminate implements moves.
func (f *fleet) terminate(ctx context.Context, name string, drain bool) error {
	return f.lives.end(ctx, name, terminating, func(ctx context.Context, one *life) error {
		defer f.pool.holdReloads()()
		if drain && !f.cfg.foreign() { // else the user's command does it, if anybody
			f.journal.event(record.Event{Kind: record.Draining, Instance: name, Role: one.role})
			if err := f.pool.drain(ctx, name); err != nil {
				return err
			}
		}
		return f.askToEnd(ctx, one)
	})
}

// askToEnd sends SIGTERM to an instance, waits for its end, and takes it off the load balancer.
func (f *fleet) askToEnd(ctx context.Context, one *life) error {
	f.signalled(one, compose.Terminate)
	if err := one.Signal(ctx, compose.Terminate); err != nil {
		return err
	}
	if err := f.awaitStop(ctx, one); err != nil {
		return fmt.Errorf("it did not end on SIGTERM: %w", err)
	}
	return f.remove(ctx, one)
}

// signalled journals a signal that is about to be sent.
func (f *fleet) signalled(one *life, s compose.Signal) {
	f.journal.event(record.Event{Kind: record.Signalled, Instance: one.Name(), Role: one.role, Signal: s.String()})
}

// remove takes an instance that is gone off the load balancer.
func (f *fleet) remove(ctx context.Context, one *life) error {
	if f.cfg.foreign() {
		return nil
	}
	if err := f.pool.remove(ctx, one.Name()); err != nil {
		return err
	}
	f.journal.event(record.Event{Kind: record.Removed, Instance: one.Name(), Role: one.role})
	return f.fronts.end(ctx, one.Name())
}

// awaitDeath returns when the instance is gone and its death is journalled.
func awaitDeath(ctx context.Context, one *life) error {
	select {
	case <-one.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait until %s is gone: %w", one.Name(), ctx.Err())
	}
}

// awaitStop waits for the end of an instance that got SIGTERM. One that has used
// its time up is killed, as whoever runs containers does it, which the journal
// tells.
func (f *fleet) awaitStop(ctx context.Context, one *life) error {
	patient, cancel := context.WithTimeout(ctx, f.role.Stop)
	defer cancel()
	if err := awaitDeath(patient, one); err == nil || ctx.Err() != nil || f.cfg.foreign() { // what is not ours is not killed unasked
		return err
	}
	f.overdue(one.Name())
	f.signalled(one, compose.Kill)
	_ = one.Signal(ctx, compose.Kill) // an error says that it has just ended
	return awaitDeath(ctx, one)
}

// overdue notes that an instance had to be killed because it had not ended in
// time.
func (f *fleet) overdue(name string) {
	f.journal.event(record.Event{Kind: record.Note, About: "stop of " + name, Instance: name, Role: f.recorded(),
		Error: fmt.Sprintf("it had not ended %v after SIGTERM (%s.stop) and was killed", f.role.Stop, f.role.Key())})
}

// meter gives a new instance of a scenario that limits CPU a cgroup of its own,
// without a limit: all are measured in the same way, and what is impossible
// shows before the load.
func (f *fleet) meter(ctx context.Context, handle compose.Handle) error {
	if !f.cfg.needs(script.CPULimits) {
		return nil
	}
	limited, ok := handle.(compose.Limiter)
	if !ok {
		return fmt.Errorf("limit %s: the platform %s cannot limit CPU; leave the step limit out", handle.Name(), f.cfg.Run.Platform)
	}
	return limited.LimitCPU(ctx, 0)
}

// limit gives an instance less CPU; 0 gives it all again. meter saw that this
// is possible.
func (f *fleet) limit(ctx context.Context, name string, cpus float64) error {
	found, err := f.lives.find(name)
	if err != nil {
		return err
	}
	if err := found[0].(compose.Limiter).LimitCPU(ctx, cpus); err != nil {
		return err
	}
	f.lives.limit(name, cpus > 0)
	f.journal.event(record.Event{Kind: record.Limited, Instance: name, Role: f.recorded(), CPUs: cpus})
	return nil
}

// unlimit lifts what limits are left, so that the end of the run is nobody's
// burden.
func (f *fleet) unlimit(ctx context.Context) {
	for _, name := range f.lives.limited(f.recorded()) {
		if err := f.limit(ctx, name, 0); err != nil {
			f.journal.trouble("instance "+name, 0, fmt.Sprintf("lift its limit: %v", err))
		}
	}
}

// endedByOther tells whether a move failed because somebody else ends, or has ended, the
// instance.
func endedByOther(err error) bool { return errors.As(err, new(taken)) }
