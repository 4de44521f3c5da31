package fault

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestKillCollector: until the collector is dead it gets what is sent, and what is sent then goes nowhere, until another one is there.
func TestKillCollector(t *testing.T) {
	first, second, r := newInbox(t), newInbox(t), NewRelays(1)
	open(t, r, "web-1", first)
	f := KillCollector{Relays: r, For: time.Millisecond,
		Kill: func(context.Context) error {
			send(t, r, "web-1", []string{"before"})
			first.wait(t, 1)
			return nil
		},
		Start: func(context.Context) (map[string]string, error) {
			send(t, r, "web-1", sent(3))
			return map[string]string{"web-1": second.addr()}, nil
		}}
	touched := inject(t, f)()
	send(t, r, "web-1", []string{"after"})
	if touched["web-1"] != 3 {
		t.Errorf("it touched %v, want 3 of web-1", touched)
	}
	if diff := cmp.Diff([]string{"after"}, second.wait(t, 1)); diff != "" {
		t.Error(diff)
	}
	failing := errors.New("it does not die")
	f.Kill = func(context.Context) error { return failing }
	if _, err := f.Inject(t.Context()); !errors.Is(err, failing) {
		t.Errorf("a kill that failed: %v", err)
	}
}
