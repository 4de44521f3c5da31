package run

import (
	"context"
	"fmt"
	"syscall"

	"throughline/collector/statsd"
	"throughline/scenarios/record"
)

// stop ends the collector, which closes its last interval and polls a last time,
// and puts into the journal what it could not see. It is false when the collector
// did not end.
func (t *telemetry) stop(ctx context.Context) bool {
	c := t.collector()
	c.end()
	select {
	case <-c.ended:
		if err := withoutExpected(c.err); err != nil {
			t.journal.trouble("collector", 0, err.Error())
		}
	case <-ctx.Done():
		t.journal.trouble("collector", 0, fmt.Sprintf("did not end: %v", ctx.Err()))
		return false
	}
	figures, err := c.Figures()
	if err != nil {
		t.journal.trouble("collector", 0, err.Error())
		return true
	}
	for _, l := range figures.Listeners {
		if l.KernelDrops > 0 {
			t.journal.event(drops(l))
		}
	}
	t.pollers.journalFailures(figures.Polls)
	return true
}

// end stops and closes the collector, for restart to begin another one. Nobody
// comes or leaves until then.
func (t *telemetry) end(ctx context.Context) (err error) {
	t.replacing.Lock() // until restart
	defer func() {
		if err != nil {
			t.replacing.Unlock()
		}
	}()
	t.relays.Cut() // also who has come since the fault cut all
	if !t.stop(ctx) {
		return fmt.Errorf("the collector did not end: %w", ctx.Err())
	}
	c := t.collector()
	if err := c.Close(); err != nil {
		return err
	}
	if p := c.process(); p != nil {
		t.journalEnd(p, true)
	}
	return nil
}

// kill ends the collector's process with SIGKILL, for restart to begin another one. Nobody comes or leaves until then.
func (t *telemetry) kill(ctx context.Context) (err error) {
	t.replacing.Lock() // until restart
	defer func() {
		if err != nil {
			t.replacing.Unlock()
		}
	}()
	c := t.collector()
	p := c.process()
	if p.Ended() {
		return fmt.Errorf("kill the collector: it ended by itself before (%v)", p.Exit())
	}
	c.killed.Store(true)
	exit, err := p.Kill(ctx)
	if err != nil {
		return err
	}
	<-c.ended
	t.journalEnd(p, true)
	if exit.Signal != syscall.SIGKILL {
		return fmt.Errorf("kill the collector: process %d ended otherwise (%v)", p.ID(), exit)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.owed = p.Owed()
	return nil
}

// restart follows end or kill: another collector on the same store, which listens for the
// same instances and polls the same. It gives its addresses by instance.
func (t *telemetry) restart(ctx context.Context) (map[string]string, error) {
	defer t.replacing.Unlock()
	api := t.api
	if api != "" {
		api = t.collector().Addr() // the port that was free when the first asked for any
	}
	if err := t.open(api); err != nil {
		return nil, err
	}
	t.run(ctx) // first, as at the start of a run: who is listened for in an interval that ends before has no point in the next
	for _, p := range t.pollers.list() {
		if err := t.collector().AddPoller(p.name, p); err != nil {
			return nil, err
		}
	}
	return t.listenAgain()
}

// listenAgain has the collector listen for all that the one before it did, and scrape them.
func (t *telemetry) listenAgain() (map[string]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, of := range t.targets {
		if err := t.current.Scrape(of); err != nil {
			return nil, err
		}
	}
	addrs := map[string]string{}
	for name, l := range t.listeners {
		addr, err := t.current.listen(name, l.labels)
		if err != nil {
			return nil, err
		}
		t.listeners[name] = listener{l.labels, addr}
		addrs[name] = addr
	}
	return addrs, nil
}

// drops tells of datagrams that the kernel had no room for. At a port that all
// share, nobody knows whose they were.
func drops(l statsd.ListenerFigures) record.Event {
	e := record.Event{Kind: record.Trouble, About: "collector", Count: int64(l.KernelDrops),
		Error: fmt.Sprintf("the kernel dropped %s at %s", plural(int64(l.KernelDrops), "datagram"), l.Addr)}
	if l.Instance != "" {
		e.Instance, e.Role = l.Instance, roleOf(l.Instance)
		e.Error = fmt.Sprintf("the kernel dropped %s of %s", plural(int64(l.KernelDrops), "datagram"), l.Instance)
	}
	return e
}
