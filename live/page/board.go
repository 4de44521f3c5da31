package page

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// board has the newest parts of the page, and when each of them changed.
type board struct {
	looking sync.Mutex // held by who asks the show, so that an older look never replaces a newer one

	mu      sync.Mutex
	what    Show
	page    int // how often it became another one
	parts   []dated
	turn    int // how often something changed
	ended   bool
	changed chan struct{} // closed at the next change
}

// dated is a part with the turn in which it became what it is.
type dated struct {
	Part
	turn int
}

// news is what a viewer does not have yet.
type news struct {
	Parts   []Part
	Turn    int
	Page    int
	Ended   bool
	Changed <-chan struct{} // closed when there is more
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

func (b *board) shown() Show {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.what
}

func (b *board) show(w Show) {
	b.mu.Lock()
	b.what = w
	b.mu.Unlock()
	b.look()
}

// What is shown is looked at less often where a look takes long: for each moment that it
// takes there are so many without, up to a longest pause. So a page takes about 2.5 % of a core at most.
const (
	restful    = 40
	longestGap = 10 * time.Second
)

// watch looks for changed parts in a rhythm, until done.
func (b *board) watch(done <-chan struct{}, every time.Duration) {
	for {
		began := time.Now()
		b.look()
		pause := time.NewTimer(max(every, min(restful*time.Since(began), longestGap)))
		select {
		case <-pause.C:
		case <-done:
			pause.Stop()
			return
		}
	}
}

// look asks for the parts, and tells who waits if one has changed. A show that fails, or
// crashes, leaves the page as it was: the next look may do better, and what is looked at
// must not end with it.
func (b *board) look() {
	b.looking.Lock()
	defer b.looking.Unlock()
	show := b.shown()
	if show == nil {
		return
	}
	parts, err := partsOf(show)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.take(parts) {
		b.tell()
	}
}

func partsOf(show Show) (parts []Part, err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = fmt.Errorf("the page crashed: %v", crash)
		}
	}()
	return show.Parts()
}

// take puts new parts in the place of the old, and is true if one differs.
func (b *board) take(parts []Part) (changed bool) {
	before := b.parts
	if !slices.EqualFunc(before, parts, func(d dated, p Part) bool { return d.ID == p.ID }) {
		b.page++
		before = nil
	}
	now := make([]dated, len(parts))
	for i, p := range parts {
		now[i] = dated{Part: p, turn: b.turn + 1}
		if before != nil && before[i].HTML == p.HTML {
			now[i].turn = before[i].turn
			continue
		}
		changed = true
	}
	b.parts = now
	if changed {
		b.turn++
	}
	return changed
}

// end says that nothing changes any more.
func (b *board) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.tell()
}

// tell wakes who waits for a change.
func (b *board) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// since gives what has changed after a turn; after 0 all.
func (b *board) since(turn int) news {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := news{Turn: b.turn, Page: b.page, Ended: b.ended, Changed: b.changed}
	for _, d := range b.parts {
		if d.turn > turn {
			n.Parts = append(n.Parts, d.Part)
		}
	}
	return n
}
