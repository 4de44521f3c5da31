package docstore

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"throughline/compose/docstore/replica"
)

// complainEvery is how often the log has a line about the same kind of trouble.
// A probe that comes every second must not fill a disk.
const complainEvery = 10 * time.Second

var errAccept = errors.New("accept a connection")

// complaints logs why connections were closed and commands failed: of each kind a line now and then,
// which says how many it stands for.
type complaints struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[error]*complaint
}

type complaint struct {
	last   time.Time
	untold int
}

// newComplaints logs to log, or nowhere if that is nil.
func newComplaints(log *slog.Logger, now func() time.Time) *complaints {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &complaints{log: log, now: now, kinds: make(map[error]*complaint)}
}

// connection says why the connection of a client was closed.
func (c *complaints) connection(client string, err error) {
	args := []any{"error", err}
	if client != "" {
		args = append([]any{"client", client}, args...)
	}
	c.say("docstore: connection closed", kind(err), args)
}

// storage says why a command could not be executed that was in order.
func (c *complaints) storage(err error) {
	c.say("docstore: command failed", errDamaged, []any{"error", err})
}

func (c *complaints) say(what string, kind error, args []any) {
	untold, tell := c.count(kind)
	if !tell {
		return
	}
	if untold > 0 {
		args = append(args, "more_of_these", untold)
	}
	c.log.Warn(what, args...)
}

// count counts a complaint. untold is how many of its kind no line was about.
func (c *complaints) count(kind error) (untold int, tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	k := c.kinds[kind]
	if k != nil && now.Sub(k.last) < complainEvery {
		k.untold++
		return 0, false
	}
	if k != nil {
		untold = k.untold
	}
	c.kinds[kind] = &complaint{last: now}
	return untold, true
}

// kind is what errors have in common that are the same trouble; nil is the kind
// of all others.
func kind(err error) error {
	for _, k := range []error{errTLS, errHTTP, errBudget, errArrival, errConnections, errAccept, errPeer, replica.ErrForeign, errProtocol} {
		if errors.Is(err, k) {
			return k
		}
	}
	return nil
}
