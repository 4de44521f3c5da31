package series

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"golang.org/x/sync/semaphore"
)

// maxRequests is how many requests are worked on at once with the light
// allowance, beside the one with the heavy one. Others wait.
const maxRequests = 10

// turns are the places for requests that are worked on.
type turns struct {
	light, heavy chan struct{}
	unread       *semaphore.Weighted // bytes of the answers that are being sent
	patience     time.Duration       // with who reads a piece of an answer
}

func newTurns() turns {
	return turns{light: make(chan struct{}, maxRequests), heavy: make(chan struct{}, 1), unread: semaphore.NewWeighted(maxUnread), patience: pieceTime}
}

// inTurn works on a request as soon as fewer than maxRequests are worked on,
// and keeps the store from closing meanwhile. Work that needs more than the
// light allowance is begun again in the heavy turn. It gives up after
// Options.Timeout.
func (s *Store) inTurn(r *http.Request, work func(*http.Request) error) error {
	err := s.inTurnOf(s.turns.light, light, r, work)
	if tooMuch(err) {
		err = s.inTurnOf(s.turns.heavy, heavy, r, work)
	}
	return heavy.advised(err)
}

func (s *Store) inTurnOf(turn chan struct{}, a *allowance, r *http.Request, work func(*http.Request) error) error {
	return s.lookInTurn(r.Context(), turn, a, func(ctx context.Context) error { return work(r.WithContext(ctx)) })
}

// lookInTurn works in a turn, with its allowance.
func (s *Store) lookInTurn(ctx context.Context, turn chan struct{}, a *allowance, work func(context.Context) error) error {
	if err := s.waitForTurn(ctx, turn); err != nil {
		return err
	}
	defer func() { <-turn }()
	ctx, release, err := s.use(withAllowance(ctx, a))
	if err != nil {
		return err
	}
	defer release()
	return work(ctx)
}

func (s *Store) waitForTurn(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(s.opts.Timeout)
	defer patience.Stop()
	const where = "query queue" // as Prometheus calls it
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return promql.ErrQueryCanceled(where)
	case <-patience.C:
		return promql.ErrQueryTimeout(where)
	}
}

const (
	// maxUnread is how many bytes the answers may have together that wait for
	// their readers.
	maxUnread = 256 << 20
	// shortAnswer is the length of an answer that is always sent.
	shortAnswer = 64 << 10
	// pieceBytes is how much of an answer has to be read in pieceTime.
	pieceBytes = 256 << 10
	pieceTime  = time.Minute
)

var errUnread = errors.New("the answers that wait for their readers have no room for another")

// reply is an answer, ready to be sent.
type reply struct {
	status int
	parts  [][]byte
	booked int64
}

// book takes the room for an answer, which send gives back.
func (s *Store) book(r *reply) error {
	var n int64
	for _, part := range r.parts {
		n += int64(len(part))
	}
	if n <= shortAnswer {
		return nil
	}
	if !s.turns.unread.TryAcquire(n) {
		return fmt.Errorf("%w of %d MiB (there are %d): ask again later, and read to the end what was asked for", errUnread, n>>20, int64(maxUnread)>>20)
	}
	r.booked = n
	return nil
}

// send sends an answer piece by piece: who does not read is left.
func (s *Store) send(w http.ResponseWriter, r reply) {
	if r.booked > 0 {
		defer s.turns.unread.Release(r.booked)
	}
	w.WriteHeader(r.status)
	control := http.NewResponseController(w)
	for _, part := range r.parts {
		for len(part) > 0 {
			piece := part[:min(pieceBytes, len(part))]
			_ = control.SetWriteDeadline(time.Now().Add(s.turns.patience)) // a recorder in a test has none
			if _, err := w.Write(piece); err != nil {
				return // the client has gone
			}
			part = part[len(piece):]
		}
	}
}
