package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/compose/haproxy"
	"throughline/compose/httpd"
	"throughline/compose/respawn"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// httpdPoller is the name of the poller of the Apache HTTP servers.
const httpdPoller = "httpd"

// fronts are the Apache HTTP servers of a stack that has them: one before each web instance, which comes after it and
// ends after it. They know what each of them logs and counts. They are safe for concurrent use.
type fronts struct {
	cfg     Config
	journal *journal
	lives   *lives

	mu  sync.Mutex
	all map[string]*front // by web instance, also of those that are gone
}

// front is one of them.
type front struct {
	*life
	serves  string
	control httpd.Control
	log     frontLog
	ending  bool // somebody ends it, or has; guarded by fronts.mu
}

func newFronts(c Config, journal *journal, of *lives) *fronts {
	return &fronts{cfg: c, journal: journal, lives: of, all: map[string]*front{}}
}

// there tells whether the stack has any.
func (f *fronts) there() bool { return f.cfg.Scenario.Stack.HTTPD }

// poll has the collector ask them.
func (f *fronts) poll(polls *telemetry) error {
	if !f.there() {
		return nil
	}
	return polls.addPoller(httpdPoller, &poll.HTTPD{Rows: f.rows})
}

// before starts that of a web instance of a number, and gives what the load balancer is to send its requests to. In a stack
// without them that is the instance itself.
func (f *fronts) before(ctx context.Context, web compose.Handle, number int) (compose.Handle, error) {
	if !f.there() {
		return web, nil
	}
	config, err := f.config(web)
	if err != nil {
		return nil, err
	}
	instance, err := config.Instance(record.AllTiers().Of(record.LayerHTTPD).Name(number), f.cfg.HTTPD.Binary)
	if err != nil {
		return nil, err
	}
	switch {
	case !f.cfg.needs(script.RespawnHTTPD):
	case f.cfg.HTTPD.Home != "":
		instance.Program.Command = respawn.Shell(instance.Program.Command)
	default:
		instance.Program = compose.Program{Self: append([]string{"respawn", "--"}, instance.Program.Command...)}
	}
	instance.Ready.Within = startWithin(ctx)
	one, err := f.lives.start(ctx, instance, record.HTTPD, "")
	if err != nil {
		return nil, err
	}
	control := config.Control(one.Addr(httpd.HTTPPort))
	if elsewhere, ok := one.Handle.(compose.Executor); ok {
		control.Exec = elsewhere.Exec
	}
	added := &front{life: one, serves: web.Name(), control: control, log: newFrontLog(web.Name(), f.cfg.numbering(), f.journal.record)}
	f.mu.Lock()
	f.all[added.serves] = added
	f.mu.Unlock()
	return proxied{one.Handle, added.serves}, nil
}

// config is that of the one before an instance.
func (f *fronts) config(web compose.Handle) (httpd.Config, error) {
	addr, err := behind(web)
	if err != nil {
		return httpd.Config{}, err
	}
	c := httpd.Config{Serves: web.Name(), Backend: addr, Modules: f.cfg.HTTPD.Modules, Checker: haproxy.CheckAgent, Dir: f.cfg.Scratch}
	if home := f.cfg.HTTPD.Home; home != "" {
		c.Dir = home
	}
	if _, ok := f.cfg.Platform.(compose.Located); ok {
		c.Connect = haproxy.ConnectTimeout
	}
	return c, nil
}

// proxied is a web instance as the load balancer has it: by its own name, at the address of its httpd.
type proxied struct {
	compose.Handle
	name string
}

// Name implements compose.Handle.
func (p proxied) Name() string { return p.name }

// end ends that of a web instance which the load balancer no longer has, and returns when it is gone. Without one it does
// nothing.
func (f *fronts) end(ctx context.Context, web string) error {
	f.mu.Lock()
	one := f.all[web]
	ended := one == nil || one.ending
	if !ended {
		one.ending = true
	}
	f.mu.Unlock()
	if ended {
		return nil
	}
	select {
	case <-one.life.gone: // it died by itself, which the journal tells
		return nil
	default:
	}
	f.lives.want(one.life)
	f.journal.event(record.Event{Kind: record.Signalled, Instance: one.Name(), Role: record.HTTPD, Signal: compose.Terminate.String()})
	if err := one.Signal(ctx, compose.Terminate); err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, compose.DefaultStop)
	defer cancel()
	if err := awaitDeath(patient, one.life); err == nil || ctx.Err() != nil {
		return err
	}
	_ = one.Signal(ctx, compose.Kill) // an error says that it has just ended
	return awaitDeath(ctx, one.life)
}

// list gives them in the order of their instances.
func (f *fronts) list() (all []*front) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, web := range slices.SortedFunc(maps.Keys(f.all), record.CompareNames) {
		all = append(all, f.all[web])
	}
	return all
}

// gone tells whether one is gone, or about to be.
func (f *fronts) gone(one *front) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-one.life.gone:
		return true
	default:
		return one.ending
	}
}

// rows asks all of them, and reads on in their logs.
func (f *fronts) rows(ctx context.Context) ([]poll.HTTPDRow, error) {
	all, begin := f.list(), time.Now()
	rows := make([]poll.HTTPDRow, len(all))
	group, asking := errgroup.WithContext(ctx)
	for i, one := range all {
		group.Go(func() error {
			rows[i].Instance = one.serves
			if !f.gone(one) {
				numbers, err := httpd.Status(asking, one.control.Addr)
				if err != nil && !f.gone(one) {
					return err
				}
				rows[i].Numbers = numbers
			}
			if err := one.log.readOn(asking, one.Handle); err != nil {
				return err
			}
			rows[i].Answered, rows[i].Own = one.log.counts(begin)
			return nil
		})
	}
	return rows, group.Wait()
}

// finish reads all logs to their ends, when no request is under way any more, and says what was missed.
func (f *fronts) finish(ctx context.Context) {
	var errs []error
	var bad int64
	for _, one := range f.list() {
		errs = append(errs, one.log.readOn(ctx, one.Handle))
		n, why := one.log.misunderstood()
		bad += n
		errs = append(errs, why)
	}
	if err := errors.Join(errs...); err != nil {
		f.journal.trouble(aboutPassages, bad, fmt.Sprintf("the logs of the Apache HTTP servers are not whole: %v", err))
	}
}

// controlled are those before the instances of these names, or with none before those that serve.
func (f *fronts) controlled(names ...string) func() (map[string]fault.HTTPD, error) {
	return func() (map[string]fault.HTTPD, error) {
		handles, err := f.lives.find(names...)
		if err != nil {
			return nil, err
		}
		out := map[string]fault.HTTPD{}
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, h := range handles {
			if one := f.all[h.Name()]; one != nil && !one.ending {
				out[h.Name()] = one.control
			}
		}
		return out, nil
	}
}

// want notes that somebody wants an instance dead.
func (l *lives) want(one *life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.asked = true
}
