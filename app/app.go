// Package app is the patient: a small web service that counts words in
// MongoDB, instrumented with StatsD the way a team would do it, in one line
// beside each route.
//
// It knows nothing of what is done to it. It is told its addresses through the
// environment and is reached over the wire only; the command line is its only
// caller. On request it has one of the Defects.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"throughline/app/statsd"
)

// A stop takes at most 5 s: drainTimeout for the requests in flight, which are
// bounded by opTimeout, and goodbyeTimeout for the database.
const (
	drainTimeout   = 4 * time.Second
	goodbyeTimeout = 500 * time.Millisecond
	// silence is how long a connection without a single request is waited
	// for when stopping.
	silence = 250 * time.Millisecond
)

// Run serves until ctx is cancelled, then stops accepting, finishes what is in
// flight, sends the last measurements and returns nil within 5 s and c.StopTakes.
// It returns an error when it could not start, or could not finish cleanly.
func Run(ctx context.Context, c Config) error {
	if err := c.check(); err != nil {
		return err
	}
	asking, err := c.identify(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it had begun
		}
		return err
	}
	p, err := newParts(c)
	if err != nil {
		return err
	}
	defer asking.watch(ctx, p.log)()
	p.words, err = connectMongo(ctx, c, p)
	if err != nil {
		_ = p.client.Close() // nothing was measured yet
		if ctx.Err() != nil {
			return nil // told to stop before it had begun
		}
		return err
	}
	return run(ctx, c, p)
}

// parts is what run puts together, and ends.
type parts struct {
	words  Words
	client statsd.Client
	shown  *exposition // nil: it has none
	pushed *export     // nil: it has none
	wrong  wrong       // all nil without a defect
	log    *log.Logger
}

// newParts makes all but the words.
func newParts(c Config) (parts, error) {
	p := parts{log: log.New(c.Log, "", 0)} // the platform stamps the lines
	if c.Defect != "" {
		defect, err := findDefect(c.Defect)
		if err != nil {
			return parts{}, err
		}
		if p.wrong, err = defect.start(c); err != nil {
			return parts{}, err
		}
	}
	if c.Expose {
		p.shown = newExposition(alone, nil)
		if p.wrong.exposition != nil {
			p.shown = p.wrong.exposition()
		}
	}
	if c.Export != "" {
		var err error
		if p.pushed, err = newExport(c.Export, p.wrong.export, p.log); err != nil {
			return parts{}, err
		}
	}
	var err error
	p.client, err = dialStatsD(c, p)
	return p, err
}

// run serves, and then ends the parts in the order in which they need each
// other: requests, measurements, database.
func run(ctx context.Context, c Config, p parts) error {
	if p.wrong.words != nil {
		p.words = p.wrong.words(p.words)
	}
	told := p.tellCPU(c)
	working, stopWork := context.WithCancel(ctx)
	var worker sync.WaitGroup
	if c.WorkEvery > 0 {
		worker.Go(func() { work(working, c.WorkEvery, p) })
	}
	errs := []error{serve(ctx, c, p)}
	stopWork()
	worker.Wait()
	time.Sleep(c.StopTakes)
	told()
	if err := p.client.Close(); err != nil {
		errs = append(errs, fmt.Errorf("statsd %s: close: %w", c.StatsD, err))
	}
	if p.wrong.harm != nil {
		dropped, extra := p.wrong.harm.booked()
		p.log.Printf("defect %s: dropped=%d extra=%d", c.Defect, dropped, extra)
	}
	goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
	defer cancel()
	if err := p.words.Close(goodbye); err != nil {
		// Every answer is given and every measurement sent: a database that
		// does not take leave is worth a line, not a failed stop.
		p.log.Print(err)
	}
	return errors.Join(errs...)
}

// serve answers requests until ctx is cancelled and those in flight are done.
func serve(ctx context.Context, c Config, p parts) error {
	counter := &wordCounter{words: p.words, log: p.log}
	handler := counter.routes(p.meter())
	if p.shown != nil {
		handler = p.shown.beside(handler)
	}
	if p.wrong.handler != nil {
		handler = p.wrong.handler(handler)
	}
	var unused unusedConns
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          p.log,
		ConnState:         unused.note,
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("listen on HOST and PORT: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	addr := listener.Addr().String()
	p.log.Printf("listening on %s (instance %q, zone %q, statsd %s)", addr, c.Instance, c.Zone, c.StatsD)
	if c.Ready != nil {
		c.Ready(addr)
	}
	select {
	case err := <-served:
		_ = server.Close() // the error to tell is why it ended
		return fmt.Errorf("serve on %s: %w", addr, err)
	case <-ctx.Done():
	}
	counter.stopping.Store(true)
	if p.wrong.stopping != nil {
		p.wrong.stopping()
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	defer time.AfterFunc(silence, unused.close).Stop()
	err = server.Shutdown(drain)
	<-served
	if err != nil {
		_ = server.Close() // the error to tell is that requests were cut off
		return fmt.Errorf("stop: requests were still in flight after %v and were cut off: %w", drainTimeout, err)
	}
	return nil
}

// unusedConns are the connections on which no request has begun. Shutdown
// waits 5 s for such a connection, which is all the time a stop has; HTTP
// clients that dial ahead leave many of them.
type unusedConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// note is an http.Server's ConnState.
func (u *unusedConns) note(c net.Conn, s http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s != http.StateNew {
		delete(u.conns, c)
		return
	}
	if u.conns == nil {
		u.conns = make(map[net.Conn]struct{})
	}
	u.conns[c] = struct{}{}
}

func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		_ = c.Close() // its server goroutine sees the error
	}
}

// meter makes what measures the routes.
func (p parts) meter() meter {
	right := statsd.Middleware{Client: p.client}
	if p.wrong.meter == nil {
		return right
	}
	return p.wrong.meter(right)
}

// dialStatsD makes the client, with what is wrong around it.
func dialStatsD(c Config, p parts) (statsd.Client, error) {
	var once sync.Once
	o := statsd.Options{Addr: c.StatsD, Tags: c.Tags, Container: c.Container, Aggregation: c.Aggregation, Rate: c.SampleRate, OnError: func(err error) {
		once.Do(func() { p.log.Printf("statsd %s: %v (told once)", c.StatsD, err) })
	}}
	if p.wrong.options != nil {
		p.wrong.options(&o)
	}
	client, err := dialThrough(p.wrong.wire, o)
	if err == nil && p.shown != nil {
		client = counting{client, p.shown}
	}
	if err == nil && p.pushed != nil {
		client = exporting{Client: client, to: p.pushed, harm: p.wrong.harm, due: new(int64)}
	}
	if err != nil || p.wrong.client == nil {
		return client, err
	}
	wrapped, err := p.wrong.client(client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return wrapped, nil
}

// dialThrough makes a client that writes through wire, where there is one.
func dialThrough(wire func(io.WriteCloser) io.WriteCloser, o statsd.Options) (statsd.Client, error) {
	if wire == nil {
		return statsd.Dial(o)
	}
	socket, err := statsd.Connect(o.Addr)
	if err != nil {
		return nil, err
	}
	client, err := statsd.New(wire(socket), o)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return client, nil
}
