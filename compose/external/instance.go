package external

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throughline/compose"
)

// Instance is one instance of a stack that is there. It is a [compose.Foreign].
type Instance struct {
	platform *Platform
	name     string

	gone   chan struct{} // closed when it was seen to be gone, with exit
	exit   compose.Exit
	let    chan struct{} // closed when the run lets go of it
	letGo  sync.Once
	wanted chan struct{} // something should have changed: look more often

	mu   sync.Mutex
	told compose.Signal // the last command that should end it; 0: none
}

// Name implements [compose.Handle].
func (i *Instance) Name() string { return i.name }

// Addr implements [compose.Handle]: nobody has told where it listens.
func (i *Instance) Addr(string) string { return "" }

// PeerAddr implements [compose.Handle].
func (i *Instance) PeerAddr(string) string { return "" }

// Signal implements [compose.Handle]: it executes the command that stands for the signal.
func (i *Instance) Signal(ctx context.Context, s compose.Signal) error {
	select {
	case <-i.gone:
		return fmt.Errorf("%s: is gone", i.name)
	default:
	}
	i.mu.Lock()
	i.told = s
	i.mu.Unlock()
	select {
	case i.wanted <- struct{}{}:
	default:
	}
	switch s {
	case compose.Kill:
		return i.platform.change(ctx, i.name, -1, Kill)
	case compose.Terminate:
		return i.platform.change(ctx, i.name, -1, Terminate, Scale)
	}
	return fmt.Errorf("%s: no command for %v", i.name, s)
}

// Wait implements [compose.Handle]. Of the exit the time is that of the probe which made sure that it is gone, and the signal is what it was
// told; its status nobody knows: it is 0 of one that was asked to end, and -1 of any other.
func (i *Instance) Wait(ctx context.Context) (compose.Exit, error) {
	select {
	case <-i.gone:
		return i.exit, nil
	case <-i.let:
		return compose.Exit{At: time.Now()}, errReleased
	case <-ctx.Done():
		return compose.Exit{}, fmt.Errorf("wait for the end of %s: %w", i.name, ctx.Err())
	}
}

// Release implements [compose.Foreign].
func (i *Instance) Release() { i.letGo.Do(func() { close(i.let) }) }

// signalled is what it was told; 0: nothing.
func (i *Instance) signalled() compose.Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.told
}

// watch probes until the instance is gone or let go of. A probe that took too long tells nothing.
func (i *Instance) watch() {
	if !i.platform.probes() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-i.let:
			cancel()
		case <-ctx.Done():
		}
	}()
	failed := 0
	for {
		every := restEvery
		if i.signalled() != 0 || failed > 0 {
			every = askedEvery
		}
		select {
		case <-i.let:
			return
		case <-i.wanted:
		case <-time.After(every):
		}
		err := i.platform.probe(ctx, i.name)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errUnclear):
		case err == nil:
			failed = 0
		default:
			failed++
			told := i.signalled()
			if told != 0 && failed >= sure || failed >= unasked {
				i.end(told)
				return
			}
		}
	}
}

// end says that it is gone: by now, for nobody knows when since the command began.
func (i *Instance) end(told compose.Signal) {
	i.exit = compose.Exit{Code: -1, At: time.Now()}
	switch told {
	case compose.Kill:
		i.exit.Signal = told.String()
	case compose.Terminate:
		i.exit.Code = 0
	}
	i.platform.mu.Lock()
	delete(i.platform.watched, i.name)
	if told == 0 {
		i.platform.present--
	}
	i.platform.mu.Unlock()
	close(i.gone)
}
