package workshop

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Path is where the forms of the aside are sent to.
const Path = "/workshop"

// Stage has a player and an encore led by people with a page. It is a http.Handler for
// [Path]; who may ask is for the server to know.
type Stage struct {
	player *Player
	encore *Encore // nil: there is none
	ctx    context.Context
	call   context.CancelFunc
	played sync.WaitGroup

	mu      sync.Mutex
	refused string // why what was asked for last was not done
}

// NewStage is for one talk. Close it.
func NewStage(player *Player, encore *Encore) *Stage {
	s := &Stage{player: player, encore: encore}
	s.ctx, s.call = context.WithCancel(context.Background())
	return s
}

// Close calls off what is played, and waits for it.
func (s *Stage) Close() {
	s.call()
	s.played.Wait()
}

// ServeHTTP does what a form asks for, and leads back to the page.
func (s *Stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	err := s.do(r)
	s.mu.Lock()
	s.refused = ""
	if err != nil {
		s.refused, status = err.Error(), http.StatusConflict
	}
	s.mu.Unlock()
	s.player.changed()
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("{}\n")) // what became of it is on the page
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Stage) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// do begins what a form asks for. One that was sent from another step, by another window or
// twice, is not followed.
func (s *Stage) do(r *http.Request) error {
	asked := r.PostFormValue("go")
	if at := r.PostFormValue("at"); at != "" && at != strconv.Itoa(s.player.index()) {
		return nil
	}
	switch asked {
	case "next":
		return s.player.Go(1)
	case "back":
		return s.player.Go(-1)
	case "play":
		return s.begin(func(ctx context.Context, begun func(error)) {
			_, err := s.player.play(ctx, begun)
			begun(err)
		})
	}
	if s.encore == nil {
		return fmt.Errorf("%q: there is nothing like that to do here", asked)
	}
	switch asked {
	case "pick":
		name := r.PostFormValue("defect")
		return s.begin(func(ctx context.Context, begun func(error)) {
			_, err := s.encore.play(ctx, name, begun)
			begun(err)
		})
	case "guess":
		return s.encore.Guess(r.PostFormValue("cause"))
	}
	return fmt.Errorf("%q: there is nothing like that to do here", asked)
}

// begin plays something beside the request, and returns when it has begun, or was refused.
func (s *Stage) begin(play func(ctx context.Context, begun func(error))) error {
	said := make(chan error, 1)
	begun := func(err error) {
		select {
		case said <- err:
		default: // it had begun
		}
	}
	s.played.Go(func() { play(s.ctx, begun) })
	return <-said
}
