// Package external stands for a stack that runs already, and is somebody else's: each of its handles is an instance that this
// program has not started. What is done to one is a command of the user's, and what came of it is asked by a probe of the
// user's, until the probe says that it is so. Whatever is not asked for is left alone, at the end of a run too.
//
// It is a [compose.Platform] for web instances alone: there is no load balancer or database among what it starts, and no
// process, port or log of an instance that it could tell of. scenarios/run is handed one by the command line.
package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"throughline/compose"
)

// The commands that a [Config] may have, by what they do.
const (
	Kill      = "kill"      // ends the instance {{.Name}} without warning
	Terminate = "terminate" // asks it to end
	Launch    = "launch"    // starts it
	Scale     = "scale"     // has {{.Count}} instances run; it launches where Launch is missing, and terminates where Terminate is
)

// Config is how a stack is asked and changed. In commands and in Health {{.Name}} stands for the instance and {{.Count}} for how many
// there are to be.
type Config struct {
	Instances []string            // that are there from the start
	Do        map[string][]string // the commands, by what they do
	Alive     []string            // a command whose exit status is 0 while the instance lives
	Health    string              // in the place of Alive, a URL that answers with 2xx while it does
	Dir       string              // where commands run
	Guard     Guard               // who may be asked
	Told      func(Ran)           // hears of each command of Do when it has ended; nil: nobody does
}

const (
	// askedEvery is how often an instance is probed of which a command should have changed something, and restEvery how often at
	// other times.
	askedEvery = 50 * time.Millisecond
	restEvery  = time.Second
	// probeWithin bounds a probe.
	probeWithin = 5 * time.Second
	// sure is how many probes in a row must fail for an instance to be gone that was told to end, and unasked how many for one
	// that was not.
	sure, unasked = 2, 3
)

// Platform is a stack that is there. It is safe for concurrent use.
type Platform struct {
	cfg    Config
	client *http.Client
	// changing is held while a command changes the stack, so that {{.Count}} is right.
	changing sync.Mutex

	mu      sync.Mutex
	watched map[string]*Instance // those that were seen alive, and not yet gone
	present int                  // how many there are to be, by all commands so far
}

// New asks nobody yet.
func New(c Config) *Platform {
	if c.Told == nil {
		c.Told = func(Ran) {}
	}
	return &Platform{cfg: c, watched: map[string]*Instance{}, client: &http.Client{
		Transport:     &http.Transport{DialContext: c.Guard.dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Start implements [compose.Platform]. An instance that is there from the start is taken over as it is, if it lives; any other is
// launched, and has started when its probe says that it lives.
func (p *Platform) Start(ctx context.Context, i compose.Instance) (compose.Handle, error) {
	one := &Instance{platform: p, name: i.Name, gone: make(chan struct{}), let: make(chan struct{}), wanted: make(chan struct{}, 1)}
	if slices.Contains(p.cfg.Instances, i.Name) {
		if err := p.probe(ctx, i.Name); err != nil {
			return nil, fmt.Errorf("%s is not alive: %w; start it, or take it off stack.external.instances", i.Name, err)
		}
		p.expect(+1)
		p.enter(one)
		return one, nil
	}
	if err := p.probe(ctx, i.Name); err == nil && p.probes() {
		return nil, fmt.Errorf("launch %s: it is alive already; end it, or have launched name others", i.Name)
	}
	if err := p.change(ctx, i.Name, +1, Launch, Scale); err != nil {
		return nil, err
	}
	if err := p.await(ctx, i.Name); err != nil {
		return nil, err
	}
	p.enter(one)
	return one, nil
}

// enter has a new instance watched.
func (p *Platform) enter(one *Instance) {
	p.mu.Lock()
	p.watched[one.name] = one
	p.mu.Unlock()
	go one.watch()
}

// expect tells that there are to be so many more, and gives how many that makes.
func (p *Platform) expect(more int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.present += more
	return p.present
}

// change executes the first command that there is of some kinds, for an instance, so that there will be so many more.
func (p *Platform) change(ctx context.Context, name string, more int, kinds ...string) error {
	for _, kind := range kinds {
		command := p.cfg.Do[kind]
		if len(command) == 0 {
			continue
		}
		p.changing.Lock()
		defer p.changing.Unlock()
		r := run(ctx, expanded(command, name, p.expect(more)), p.cfg.Dir)
		r.Instance = name
		p.cfg.Told(r)
		if err := r.Failed(); err != nil {
			p.expect(-more)
			return err
		}
		return nil
	}
	return fmt.Errorf("%s %s: stack.external.do has no such command", kinds[0], name)
}

// probes tells whether there is a probe at all.
func (p *Platform) probes() bool { return len(p.cfg.Alive) > 0 || p.cfg.Health != "" }

// errUnclear is what a probe gives that got no answer in its time: nobody knows.
var errUnclear = errors.New("the probe took too long")

// probe asks once whether an instance lives. Without a probe it is taken for granted.
func (p *Platform) probe(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeWithin, errUnclear)
	defer cancel()
	err := p.ask(ctx, name)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (p *Platform) ask(ctx context.Context, name string) error {
	switch {
	case len(p.cfg.Alive) > 0:
		return run(ctx, expanded(p.cfg.Alive, name, p.expect(0)), p.cfg.Dir).Failed()
	case p.cfg.Health == "":
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ReplaceAll(p.cfg.Health, "{{.Name}}", name), nil)
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s answers %s", req.URL, res.Status)
	}
	return nil
}

// await returns when an instance that was launched lives.
func (p *Platform) await(ctx context.Context, name string) error {
	for {
		err := p.probe(ctx, name)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(askedEvery):
		case <-ctx.Done():
			return fmt.Errorf("launch %s: its command succeeded, and it had no effect: %w (%w)", name, err, context.Cause(ctx))
		}
	}
}

// Home implements [compose.Platform].
func (p *Platform) Home() string { return "127.0.0.1" }

// Close implements [compose.Platform]: it lets go of all instances, and leaves them alone.
func (p *Platform) Close(context.Context) error {
	p.mu.Lock()
	all := p.watched
	p.watched = map[string]*Instance{}
	p.mu.Unlock()
	for _, one := range all {
		one.Release()
	}
	p.client.CloseIdleConnections()
	return nil
}

// Run executes a command of the user's that is for no instance, in the stack's directory.
func (p *Platform) Run(ctx context.Context, command []string) Ran {
	return run(ctx, expanded(command, "", p.expect(0)), p.cfg.Dir)
}

// errReleased is the end of a Wait for an instance that was let go of.
var errReleased = errors.New("the run has let go of it")

// Logs implements [compose.Handle]: they are the user's.
func (i *Instance) Logs(context.Context) (io.ReadCloser, error) {
	return nil, fmt.Errorf("logs of %s: the stack is not this run's; look where it keeps them", i.name)
}
