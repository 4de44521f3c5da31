package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Network is a fault of the network of a hop. It is also done to links that are opened while it lasts, unless On names an
// instance.
type Network struct {
	Name  string // its own; each goes on once at a time
	Links *Links
	On    string // an instance; "": all
	// What is done, one of these: what passes comes later by Latency in each direction; no more than Bandwidth bytes pass
	// in a second in each direction; Cut: nothing passes, not even that somebody closes or connects.
	Latency   time.Duration
	Bandwidth int64
	Cut       bool
}

// Possible says whether a port can be made to answer nobody here.
func (n Network) Possible() error {
	if n.Cut && !canDeafen {
		return errors.New(n.Name + ": a port can be made to answer nobody on Linux only; leave the fault out")
	}
	return nil
}

func (n Network) begin(w *weather) {
	if n.Latency > 0 {
		w.latency = n.Latency
	}
	if n.Bandwidth > 0 {
		w.bandwidth = n.Bandwidth
	}
	if n.Cut {
		w.cut = true
	}
}

func (n Network) end(w *weather) {
	if n.Latency > 0 {
		w.latency = 0
	}
	if n.Bandwidth > 0 {
		w.bandwidth = 0
	}
	if n.Cut {
		w.cut = false
	}
}

// counts is what is counted of it.
func (n Network) counts() int {
	switch {
	case n.Cut:
		return stopped
	case n.Bandwidth > 0:
		return throttled
	}
	return slowed
}

// Inject begins it: what comes from then on is struck, on connections that there are and on new ones.
func (n Network) Inject(context.Context) (Heal, error) {
	ls := n.Links
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if _, goesOn := ls.over[n.Name]; goesOn {
		return nil, fmt.Errorf("%s: goes on already; heal it first", n.Name)
	}
	links, err := ls.on(n.On)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	for i, l := range links {
		if err := l.set(n.begin); err != nil {
			for _, before := range links[:i+1] {
				err = errors.Join(err, before.set(n.end))
			}
			return nil, fmt.Errorf("%s: link of %s: %w", n.Name, l.name, err)
		}
	}
	ls.over[n.Name] = n
	return n.heal, nil
}

func (n Network) heal(context.Context) (Touched, error) {
	ls := n.Links
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.over, n.Name)
	links, err := ls.on(n.On)
	touched := Touched{}
	for _, l := range links {
		err = errors.Join(err, l.set(n.end))
		if struck := l.struck(n.counts()); struck > 0 {
			touched[l.name] = struck
		}
	}
	return touched, err
}

// ResetNetwork resets all connections of a hop that there are, as a firewall does that forgets them: both ends are told
// at once, also of connections on which nothing is said. New ones are carried as ever.
type ResetNetwork struct {
	Links *Links
	On    string // an instance; "": all
}

// Possible is nil: links are on every platform.
func (ResetNetwork) Possible() error { return nil }

// Inject returns when they are reset.
func (r ResetNetwork) Inject(context.Context) (Heal, error) {
	ls := r.Links
	ls.mu.Lock()
	defer ls.mu.Unlock()
	links, err := ls.on(r.On)
	if err != nil {
		return nil, fmt.Errorf("reset-network: %w", err)
	}
	touched := Touched{}
	for _, l := range links {
		l.resetAll()
		if struck := l.struck(resetConns); struck > 0 {
			touched[l.name] = struck
		}
	}
	return func(context.Context) (Touched, error) { return touched, nil }, nil
}
