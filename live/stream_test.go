package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func note(n int) Event { return Event{Kind: Note, Index: n, Text: fmt.Sprint(n)} }

// seen is what a viewer saw until the end: the events, and what was lost before each.
type seen struct {
	Events []int
	Lost   []int
}

func watchAll(t *testing.T, v *Viewer) seen {
	t.Helper()
	var s seen
	for {
		e, lost, err := v.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return s
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Events, s.Lost = append(s.Events, e.Index), append(s.Lost, lost)
	}
}

func TestViewersSeeAllInOrder(t *testing.T) {
	var s Stream
	s.Publish(note(0)) // before anybody watches
	first := s.Watch(10)
	s.Publish(note(1))
	second := s.Watch(10)
	s.Publish(note(2))
	s.End()
	s.Publish(note(3)) // too late
	for name, c := range map[string]struct {
		viewer *Viewer
		want   seen
	}{
		"from the beginning": {first, seen{[]int{1, 2}, []int{0, 0}}},
		"later":              {second, seen{[]int{2}, []int{0}}},
		"after the end":      {s.Watch(10), seen{}},
	} {
		if diff := cmp.Diff(c.want, watchAll(t, c.viewer)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A viewer that does not look loses the oldest, and is told how many; others do not.
func TestASlowViewerLosesEventsAndIsTold(t *testing.T) {
	var s Stream
	slow, fast := s.Watch(2), s.Watch(10)
	none := s.Watch(0) // has room for one all the same
	for n := range 5 {
		s.Publish(note(n))
	}
	if e, lost, err := slow.Next(t.Context()); err != nil || e.Index != 3 || lost != 3 {
		t.Errorf("event %d after %d lost (%v), want event 3 after 3", e.Index, lost, err)
	}
	s.Publish(note(5))
	s.End()
	for name, c := range map[string]struct {
		viewer *Viewer
		want   seen
	}{
		"slow": {slow, seen{[]int{4, 5}, []int{0, 0}}},
		"fast": {fast, seen{[]int{0, 1, 2, 3, 4, 5}, make([]int, 6)}},
		"none": {none, seen{[]int{5}, []int{5}}},
	} {
		if diff := cmp.Diff(c.want, watchAll(t, c.viewer)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	var s Stream
	v := s.Watch(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := v.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next says %v, want that its context has ended", err)
	}
}

// Who has gone is told nothing more, and Next does not wait for it.
func TestClose(t *testing.T) {
	var s Stream
	v := s.Watch(5)
	s.Publish(note(1))
	waiting := make(chan error)
	v.Close()
	s.Publish(note(2))
	go func() { _, _, err := v.Next(t.Context()); waiting <- err }()
	if err := <-waiting; !errors.Is(err, io.EOF) {
		t.Errorf("Next says %v, want io.EOF", err)
	}
	if len(s.viewers) != 0 {
		t.Errorf("the stream still has %d viewers", len(s.viewers))
	}
	v.Close() // once more does no harm
	s.End()
}

// Close wakes who waits.
func TestCloseEndsNext(t *testing.T) {
	var s Stream
	v := s.Watch(1)
	ended := make(chan error)
	go func() { _, _, err := v.Next(t.Context()); ended <- err }()
	v.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("Next says %v, want io.EOF", err)
	}
}

// Several publish at once while viewers come, look and go: each event is seen or
// counted as lost by who watches all the time, and nobody waits for the one who never
// looks.
func TestManyAtOnce(t *testing.T) {
	const publishers, each = 4, 500
	var s Stream
	idle := s.Watch(1)
	var viewers, publishing sync.WaitGroup
	for range 3 {
		v := s.Watch(16)
		viewers.Go(func() {
			got, lost := 0, 0
			last := map[string]int{}
			for {
				e, n, err := v.Next(t.Context())
				if err != nil {
					break
				}
				if before, ok := last[e.Text]; ok && before >= e.Index {
					t.Errorf("of publisher %s event %d comes after %d", e.Text, e.Index, before)
				}
				last[e.Text] = e.Index
				got, lost = got+1, lost+n
			}
			if got+lost != publishers*each {
				t.Errorf("%d seen and %d lost, want %d together", got, lost, publishers*each)
			}
		})
	}
	for p := range publishers {
		publishing.Go(func() {
			for n := range each {
				s.Publish(Event{Kind: Tick, Index: n, Text: fmt.Sprint(p), Took: time.Duration(n)})
				if n%100 == 0 {
					s.Watch(1).Close()
				}
			}
		})
	}
	publishing.Wait()
	s.End()
	viewers.Wait()
	if _, lost, err := idle.Next(t.Context()); err != nil || lost != publishers*each-1 {
		t.Errorf("the one who never looked lost %d (%v), want all but one", lost, err)
	}
}
