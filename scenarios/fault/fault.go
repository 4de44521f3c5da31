// Package fault is what can be done to the infrastructure under a run: to the
// datagrams between an instance and its collector, to the requests between
// users and load balancer, to an instance, to the load balancer. One fault is
// one file.
//
// It decides neither when nor why: scenarios/run builds a fault for each step
// of a scenario that begins one, asks whether it is possible before the load
// begins, and writes into the journal what it touched. Faults that need a place
// on the way (a relay for datagrams, a proxy for requests) find it there from
// the start, so that a healthy stretch of a run goes the same way as a faulty
// one.
package fault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fault is something that can be done to a stack and undone again.
type Fault interface {
	// Possible says why it cannot be done here.
	Possible() error
	// Inject begins it. It lasts until the heal that it returns, which must
	// be called once; a fault that is over at once has nothing left to heal,
	// and its heal only tells what it touched.
	Inject(ctx context.Context) (Heal, error)
}

// Heal ends a fault and tells what it did. Also with an error the count is
// that of what was done.
type Heal func(ctx context.Context) (Touched, error)

// Touched is how often a fault struck: datagrams, requests, lines, instances,
// by the name of the instance it happened to, or of another part of the stack.
type Touched map[string]int64

// Sum is how often it struck in all.
func (t Touched) Sum() int64 {
	var sum int64
	for _, n := range t {
		sum += n
	}
	return sum
}

// String lists who was touched, like "web-1 12, web-2 9".
func (t Touched) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if t[name] != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, t[name]))
		}
	}
	return strings.Join(parts, ", ")
}
