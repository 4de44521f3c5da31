package run

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"throughline/scenarios/script"
)

// gathering is a pool in which nobody is drained before all who are to be have come.
type gathering struct {
	*rack
	missing atomic.Int64
	all     chan struct{}
}

func (g *gathering) drain(ctx context.Context, name string) error {
	if g.missing.Add(-1) == 0 {
		close(g.all)
	}
	select {
	case <-g.all:
		return g.rack.drain(ctx, name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestScaleEndsSideBySide: a fleet that is to be smaller loses its newest at once, not one
// after the other.
func TestScaleEndsSideBySide(t *testing.T) {
	r := newRig(t)
	gathered := &gathering{rack: r.rack, all: make(chan struct{})}
	gathered.missing.Store(3)
	r.pool = gathered
	r.mustLaunch(5)
	c := &clock{fleet: r.fleet}
	within := func(move func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return move(ctx)
	}
	if err := c.scale(script.Scale{Count: 2}, within); err != nil {
		t.Fatal(err)
	}
	if left, want := r.serving(), []string{"web-1", "web-2"}; !slices.Equal(left, want) {
		t.Errorf("%v serve, want %v", left, want)
	}
	inOrder(t, r.close())
}
