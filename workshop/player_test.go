package workshop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throughline/live"
)

// stack is one that moves are made on, and that can be asked.
type stack struct {
	mu        sync.Mutex
	instances []string
	refuse    error         // of each move
	fail      string        // what each move says
	takes     time.Duration // each move
	answers   map[string][]float64
	after     time.Duration // that long after the first question there are answers
	broken    error         // of each question
	always    bool          // x and y are answered also before the first move
	moves     []string
	asked     []string
	since     time.Time
}

func (s *stack) Move(words string) (live.Moved, error) {
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves = append(s.moves, words)
	if s.refuse != nil {
		return live.Moved{}, s.refuse
	}
	return live.Moved{Step: words, Took: s.takes, Error: s.fail}, nil
}

func (s *stack) Standing() live.Standing { return live.Standing{Up: true, Instances: s.instances} }

func (s *stack) Ask(ctx context.Context, expr string) ([]float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, expr)
	if s.since.IsZero() {
		s.since = time.Now()
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.broken != nil:
		return nil, s.broken
	case time.Since(s.since) < s.after, !s.always && len(s.moves) == 0 && strings.ContainsAny(expr, "xy"):
		return nil, nil
	}
	return s.answers[expr], nil
}

// smallPlayer plays the small talk on a stack that is up.
func smallPlayer(t *testing.T, s *stack) *Player {
	t.Helper()
	talk, err := Parse("t.md", []byte(strings.NewReplacer("seen: y", "seen: y{i=\"$it\"}", "seen: x == 1", "seen: x == $serving").Replace(small)))
	if err != nil {
		t.Fatal(err)
	}
	p := NewPlayer(talk, s, nil)
	p.Up(s)
	return p
}

func TestPlay(t *testing.T) {
	web := []string{"web-1", "web-2"}
	all := map[string][]float64{"x == 1": {1}, `y{i="web-2"}`: {0}, "z": {3}}
	for _, c := range []struct {
		name  string
		stack *stack
		state State
		why   string
		took  time.Duration
	}{
		{"it is seen at once", &stack{instances: web, answers: all, takes: time.Second}, Seen, "", time.Second},
		{"it is seen later", &stack{instances: web, answers: all, after: 19 * time.Second}, Seen, "", 19 * time.Second},
		{"it was seen before", &stack{instances: web, answers: all, always: true}, Unseen, "all of it was to be seen before anything was done: that it is proves nothing", 0},
		{"it comes too late", &stack{instances: web, answers: all, after: 21 * time.Second}, Unseen, `not to be seen within 20s: x == 1; y{i="web-2"}`, 20 * time.Second},
		{"one of two is not to be seen", &stack{instances: web, answers: map[string][]float64{"x == 1": {1}}}, Unseen, `not to be seen within 20s: y{i="web-2"}`, 20 * time.Second},
		{"the move is refused", &stack{instances: web, answers: all, refuse: errors.New("kill: there is none")}, Unseen, "kill: there is none", 0},
		{"the move fails", &stack{instances: web, answers: all, fail: "it lives"}, Unseen, "kill web-2  FAILED after less than 1 ms: it lives", 0},
		{"nobody serves", &stack{answers: all}, Unseen, "kill newest: no instance serves; launch one first", 0},
		{"the collector is away", &stack{instances: web, broken: errors.New("nobody answers")}, Unseen, "nobody answers", 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := smallPlayer(t, c.stack)
				began := time.Now()
				got, err := p.Play(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); got.State != c.state || got.Why != c.why || took != c.took {
					t.Errorf("%s after %v: %q; want %s after %v: %q", got.State, took, got.Why, c.state, c.took, c.why)
				}
				if place, _ := p.Place(); place.Progress.State != c.state {
					t.Errorf("the page is told of %q, want %q", place.Progress.State, c.state)
				}
			})
		})
	}
}

func TestPlayOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stack{instances: []string{"web-1"}, takes: time.Second}
		p := smallPlayer(t, s)
		go p.Play(t.Context())
		synctest.Wait()
		if place, _ := p.Place(); place.Progress.State != Moving {
			t.Errorf("while it moves it is %q", place.Progress.State)
		}
		if _, err := p.Play(t.Context()); err == nil || err.Error() != "One is under way: wait until it is over" {
			t.Errorf("a second one at a time: %v", err)
		}
		if err := p.Go(1); err == nil {
			t.Error("the next step while one is under way")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if place, _ := p.Place(); place.Progress.State != Looking || len(place.Progress.Sights) != 2 || place.Progress.Sights[0].Holds {
			t.Errorf("while it is looked for: %+v", place.Progress)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(s.moves) != 1 {
			t.Errorf("moves: %q", s.moves)
		}
	})
}

func TestGo(t *testing.T) {
	p := smallPlayer(t, &stack{})
	where := func() string {
		place, ok := p.Place()
		return fmt.Sprint(place.Slide, place.Part, place.Of, ok)
	}
	for _, c := range []struct {
		by   int
		want string
	}{{-1, "1 1 2 true"}, {1, "1 2 2 true"}, {1, "0 0 0 false"}, {1, "0 0 0 false"}, {-1, "1 2 2 true"}} {
		if err := p.Go(c.by); err != nil || where() != c.want {
			t.Errorf("%+d: %s (%v), want %s", c.by, where(), err, c.want)
		}
	}
	if err := p.Go(1); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Play(t.Context()); err == nil {
		t.Error("a slide without steps was played")
	}
	if _, err := NewPlayer(Talk{Slides: []Slide{{Steps: []Step{{}}}}}, &stack{}, nil).Play(t.Context()); err == nil || !strings.Contains(err.Error(), "not up yet") {
		t.Errorf("before the stack is up: %v", err)
	}
}

func TestReadings(t *testing.T) {
	s := &stack{answers: map[string][]float64{"a > 1": {7}}}
	if got := smallPlayer(t, s).Readings(t.Context()); len(got) != 1 || got[0].Name != "name" || !slices.Equal(got[0].Values, []float64{7}) {
		t.Errorf("%+v", got)
	}
	s.broken = errors.New("away")
	if got := smallPlayer(t, s).Readings(t.Context()); len(got) != 1 || got[0].Values != nil {
		t.Errorf("of a collector that is away: %+v", got)
	}
}

func TestUnattended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stack{instances: []string{"web-1"}, takes: time.Second, answers: map[string][]float64{"x == 0": {1}, `y{i="web-1"}`: {1}}}
		var out strings.Builder
		unseen, err := smallPlayer(t, s).Unattended(t.Context(), &out)
		want := "seen      1. One (1 of 2)\n             kill web-1  (took effect in 1.0 s)\nunseen    1. One (2 of 2)\n             not to be seen within 15s: z\n"
		if err != nil || unseen != 1 || out.String() != want {
			t.Errorf("%d unseen (%v):\n%swant\n%s", unseen, err, out.String(), want)
		}
		s.answers["z"], s.moves = []float64{1}, nil
		if unseen, err := smallPlayer(t, s).Unattended(t.Context(), &out); err != nil || unseen != 0 {
			t.Errorf("%d unseen (%v), want none", unseen, err)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := smallPlayer(t, s).Unattended(over, &out); !errors.Is(err, context.Canceled) {
			t.Errorf("called off: %v", err)
		}
	})
}
