package live

import (
	"context"
	"io"
	"sync"
)

// Stream gives the events of a run to all who watch it. The zero value has no viewer
// and is ready. Its methods may be called by several goroutines at once.
type Stream struct {
	mu      sync.Mutex
	viewers map[*Viewer]bool
	ended   bool
}

// Publish gives an event to every viewer, and returns at once: it waits for none of
// them. After End it does nothing.
func (s *Stream) Publish(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.viewers {
		v.take(e)
	}
}

// Watch gives a viewer of what is published from now on. It keeps up to room events
// (at least 1) that it has not handed out yet; when there are more, the oldest is lost.
func (s *Stream) Watch(room int) *Viewer {
	v := &Viewer{stream: s, room: max(1, room), news: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		v.end()
		return v
	}
	if s.viewers == nil {
		s.viewers = map[*Viewer]bool{}
	}
	s.viewers[v] = true
	return v
}

// End says that nothing more is published. Viewers still get what they have not seen.
func (s *Stream) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.viewers {
		v.end()
	}
	s.viewers, s.ended = nil, true
}

// Viewer sees the events of a Stream, in their order. One goroutine may call Next, any
// may call Close.
type Viewer struct {
	stream *Stream
	room   int
	news   chan struct{} // has something in it after a change that Next has not looked at

	mu      sync.Mutex
	waiting []Event
	lost    int // before the first of waiting
	ended   bool
}

// Next waits for the next event, and tells how many before it were lost because Next
// was not called often enough. At the end of the stream, or after Close, the error is
// io.EOF; when ctx ends, it is that of ctx.
func (v *Viewer) Next(ctx context.Context) (e Event, lost int, err error) {
	for {
		if e, lost, ok, ended := v.first(); ok {
			return e, lost, nil
		} else if ended {
			return Event{}, 0, io.EOF
		}
		select {
		case <-v.news:
		case <-ctx.Done():
			return Event{}, 0, ctx.Err()
		}
	}
}

func (v *Viewer) first() (e Event, lost int, ok, ended bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.waiting) == 0 {
		return Event{}, 0, false, v.ended
	}
	e, lost = v.waiting[0], v.lost
	v.waiting, v.lost = v.waiting[1:], 0
	return e, lost, true, false
}

// Close ends the watching: what was not seen is dropped.
func (v *Viewer) Close() {
	v.stream.mu.Lock()
	delete(v.stream.viewers, v)
	v.stream.mu.Unlock()
	v.mu.Lock()
	v.waiting = nil
	v.mu.Unlock()
	v.end()
}

func (v *Viewer) take(e Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.waiting) == v.room {
		v.waiting, v.lost = v.waiting[1:], v.lost+1
	}
	v.waiting = append(v.waiting, e)
	v.tell()
}

func (v *Viewer) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = true
	v.tell()
}

// tell wakes Next, if it waits.
func (v *Viewer) tell() {
	select {
	case v.news <- struct{}{}:
	default: // it has not looked at the news before
	}
}
