package statsd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// TestWhoIsOverCostsNothing: of listeners that are over only the figures are kept, and
// these stay what they were.
func TestWhoIsOverCostsNothing(t *testing.T) {
	b := newBench(t, Config{})
	shared, _ := b.listen("")
	for i := range 3 {
		l, _ := b.listen(fmt.Sprintf("web-%d", i+1))
		b.feed(l, "a:1|c", "nonsense")
	}
	b.feed(shared, "b:1|c")
	b.tick()
	must(t, b.Retire(t.Context(), "web-1"))
	must(t, b.Retire(t.Context(), "web-2"))
	before := balance(t, b.Collector)
	b.tick() // their last interval
	if len(b.listeners) != 4 {
		t.Errorf("%d listeners are gone through; want all 4 until the marks of the end are told", len(b.listeners))
	}
	for range 3 {
		b.tick()
	}
	if len(b.listeners) != 2 || b.listeners[0] != shared || b.listeners[1].instance != "web-3" {
		t.Errorf("%d listeners are gone through; want the plain one and that of web-3", len(b.listeners))
	}
	after := balance(t, b.Collector)
	if diff := cmp.Diff(before.Listeners, after.Listeners); diff != "" {
		t.Errorf("figures of listeners, before and after their end (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Instances, after.Instances); diff != "" {
		t.Errorf("figures of instances, before and after their end (-before +after):\n%s", diff)
	}
	if _, err := b.Listen(udp("web-1")); err == nil || !strings.Contains(err.Error(), "retired") {
		t.Errorf("a name is used again: %v", err)
	}
}

// BenchmarkFlush is a flush of 300 instances that have sent something once and are silent
// since, alone and after 3,000 others that are gone.
func BenchmarkFlush(b *testing.B) {
	for _, gone := range []int{0, 3_000} {
		b.Run(fmt.Sprintf("instances=300/gone=%d", gone), func(b *testing.B) {
			clock := newClock()
			c := New(Config{Now: clock.now}, collector.Intake{Sink: nothing{}})
			defer c.Close()
			flush := func() {
				boundary := c.grid.After(clock.now())
				clock.move(boundary.Sub(clock.now()))
				c.flush(boundary, boundary)
			}
			listen := func(name string) {
				if _, err := c.Listen(udp(name)); err != nil {
					b.Fatal(err)
				}
			}
			for i := range gone {
				name := fmt.Sprintf("gone-%d", i)
				listen(name)
				if err := c.Retire(b.Context(), name); err != nil {
					b.Fatal(err)
				}
			}
			for i := range 300 {
				listen(fmt.Sprintf("web-%d", i))
			}
			for range 3 {
				flush()
			}
			for b.Loop() {
				flush()
			}
		})
	}
}
