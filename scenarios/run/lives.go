package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"throughline/compose"
	"throughline/scenarios/record"
)

// lives are the instances of a stack, whatever their role: who was born, who
// serves, who is ended by whom, and who is gone. It journals births and deaths. It
// is safe for concurrent use, and decides between those who act on the same
// instance at the same time.
type lives struct {
	journal *journal
	parts   *compose.Stack
	retire  func(context.Context, string) // hears of every instance of the application whose death was journalled
	cloud   *cloud                        // tells births who somebody is in the cloud; nil: nobody is in one

	open context.Context // bounds all moves: it ends with the run's context, or with the stack
	shut context.CancelCauseFunc

	moves    sync.WaitGroup // one for each move under way
	watching sync.WaitGroup // one for each living instance
	mu       sync.Mutex     // also held while deaths are journalled, so that none is after the end
	ending   bool           // the stack is being taken down: no move begins, and deaths are no news
	all      map[string]*life
}

// life is one instance. What may change is guarded by lives.mu.
type life struct {
	compose.Handle
	role    record.Role
	held    move          // that is under way with it; "" = none
	serving bool          // the load balancer sends it requests, and nobody wants its end
	since   time.Time     // when it came to serve
	asked   bool          // somebody wants it dead
	dead    bool          // it was seen to be gone
	limited bool          // its CPU is limited
	gone    chan struct{} // closed when its death is in the journal

	born, died    time.Time     // died: zero while it lives, as far as is known
	version, zone string        // as it was told; they do not change
	cloud         *record.Cloud // who it is in one; nil: it is in none
}

// move is something that is done to one instance by one at a time.
type move string

const (
	launching    move = "launch"
	killing      move = "kill"
	terminating  move = "terminate"
	interrupting move = "interrupt"
)

// errEnding is what a move gives that came too late, or was called off by the end.
var errEnding = errors.New("the stack is being taken down")

// taken is the error of a move on an instance that somebody else ends, or has
// ended.
type taken struct{ error }

func (t taken) Unwrap() error { return t.error }

// newLives knows no instance yet. When ctx ends, moves under way are called off.
func newLives(ctx context.Context, p compose.Platform, journal *journal, retire func(context.Context, string)) *lives {
	l := &lives{journal: journal, parts: compose.NewStack(p), retire: retire, all: map[string]*life{}}
	l.open, l.shut = context.WithCancelCause(ctx)
	return l
}

// start starts one instance, journals its birth and readiness, and watches it
// until it is gone. One of the application is held for its launch until release. A version
// is "" where there are none.
func (l *lives) start(ctx context.Context, i compose.Instance, role record.Role, version string) (*life, error) {
	return l.begin(ctx, i, record.Event{Role: role, Version: version})
}

// startBeside is start of what is there for one instance alone.
func (l *lives) startBeside(ctx context.Context, i compose.Instance, role record.Role, serves string) (*life, error) {
	return l.begin(ctx, i, record.Event{Role: role, Serves: serves})
}

// begin is start; as has what the birth tells beside.
func (l *lives) begin(ctx context.Context, i compose.Instance, as record.Event) (*life, error) {
	now := time.Now()
	born := l.journal.offset(now)
	handle, err := l.parts.Start(ctx, i)
	if err != nil {
		return nil, err
	}
	id := ""
	if known, ok := handle.(compose.Identified); ok {
		id = known.ID()
	}
	who := l.cloud.of(i.Name)
	as.At, as.Kind, as.Instance, as.ID, as.Cloud = born, record.Birth, i.Name, id, who
	l.journal.event(as)
	l.journal.event(record.Event{Kind: record.Ready, Instance: i.Name, Role: as.Role})
	one := &life{Handle: handle, role: as.Role, gone: make(chan struct{}), born: now, version: as.Version, zone: i.Env["ZONE"], cloud: who}
	if as.Role.Application() {
		one.held = launching
	}
	l.mu.Lock()
	l.all[i.Name] = one
	l.mu.Unlock()
	l.watching.Go(func() { l.watch(one) })
	return one, nil
}

// roleOf is the role of a living instance; "": there is none of that name.
func (l *lives) roleOf(name string) record.Role {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.all[name]; one != nil {
		return one.role
	}
	return ""
}

// watch waits until an instance is gone, and says so in the journal.
func (l *lives) watch(one *life) {
	defer close(one.gone)
	exit, err := one.Wait(context.Background())
	if l.bury(one, exit, err) && one.role.Application() {
		l.retire(context.Background(), one.Name())
	}
}

// bury takes an instance that is gone off the stack and journals its death. It is
// false when the stack is being taken down, and nothing is journalled.
func (l *lives) bury(one *life, exit compose.Exit, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.dead, one.serving, one.died = true, false, exit.At
	l.parts.Gone(one.Name())
	if l.ending {
		return false
	}
	if err != nil {
		l.journal.trouble("instance "+one.Name(), 0, fmt.Sprintf("wait for its end: %v", err))
	}
	l.journal.event(record.Event{At: l.journal.offset(exit.At), Kind: record.Death, Instance: one.Name(), Role: one.role,
		Code: exit.Code, Signal: exit.Signal, Expected: one.asked})
	return true
}

// over tells whether an instance was seen to be gone.
func (l *lives) over(one *life) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return one.dead
}

// tell journals what is no news any more when the stack is being taken down.
func (l *lives) tell(ev record.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ending {
		l.journal.event(ev)
	}
}

// makeMove makes a move, unless the stack is being taken down, which waits for moves
// under way and ends their contexts.
func (l *lives) makeMove(ctx context.Context, move func(context.Context) error) error {
	if err := l.beginMove(); err != nil {
		return err
	}
	return l.finishMove(ctx, move)
}

// beginMove is the first half of makeMove: a move is under way, and finishMove has to make it.
func (l *lives) beginMove() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return errEnding
	}
	l.moves.Add(1)
	return nil
}

func (l *lives) finishMove(ctx context.Context, move func(context.Context) error) error {
	defer l.moves.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.open, func() { cancel(context.Cause(l.open)) })()
	err := move(ctx)
	if err != nil && errors.Is(context.Cause(l.open), errEnding) && !errors.Is(err, errEnding) {
		return fmt.Errorf("%w (%w)", errEnding, err)
	}
	return err
}

// end makes a move that ends an instance of the application. Of several at the same time one does
// it; to the others the error is taken. One that fails lets go of the instance.
func (l *lives) end(ctx context.Context, name string, how move, do func(context.Context, *life) error) error {
	return l.makeMove(ctx, func(ctx context.Context) error {
		one, err := l.condemn(name, how)
		if err != nil {
			return err
		}
		defer l.release(one, how)
		return do(ctx, one)
	})
}

// condemn finds an instance of the application and notes that its death is wanted, and by which
// move.
func (l *lives) condemn(name string, how move) (*life, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[name]
	if _, err := l.parts.Find(name); err != nil {
		if one != nil && one.asked {
			return nil, taken{err}
		}
		return nil, err
	}
	switch {
	case one == nil || one.held == launching:
		return nil, fmt.Errorf("%s: its launch is under way; wait until it serves", name)
	case !one.role.Application():
		return nil, fmt.Errorf("%s: is no instance of the application (have %s)", name, strings.Join(l.servingLocked(""), ", "))
	case one.held != "":
		return nil, taken{fmt.Errorf("%s: another %s of it is under way; let that end it", name, one.held)}
	}
	one.held, one.asked, one.serving = how, true, false
	return one, nil
}

// condemnMember finds a member of the database and notes that its death is wanted.
func (l *lives) condemnMember(name string) (*life, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.parts.Find(name); err != nil {
		return nil, err
	}
	one := l.all[name]
	one.asked = true
	return one, nil
}

// release lets go of an instance, if this move still holds it.
func (l *lives) release(one *life, how move) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.held == how {
		one.held = ""
	}
}

// admit ends the launch of an instance: the load balancer sends it requests. One
// that has died meanwhile serves nobody.
func (l *lives) admit(one *life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.held, one.serving, one.since = "", !one.dead, time.Now()
	l.journal.event(record.Event{Kind: record.Serving, Instance: one.Name(), Role: one.role})
}

// serving lists the instances of a role that the load balancer sends requests to,
// or that are ready where no users come to the role, oldest first; "": of all roles.
func (l *lives) serving(role record.Role) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.servingLocked(role)
}

// servingLocked is serving where l.mu is held.
func (l *lives) servingLocked(role record.Role) []string {
	var names []string
	for name, one := range l.all {
		if one.serving && (role == "" || role == one.role) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, record.CompareNames)
	return names
}

// members are those of a role that serve, and since when.
func (l *lives) members(role record.Role) []member {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []member
	for _, name := range l.servingLocked(role) {
		out = append(out, member{name, l.all[name].since})
	}
	return out
}

// find gives instances that run: those of these names, or with none those that
// serve, less who has just gone.
func (l *lives) find(names ...string) ([]compose.Handle, error) {
	all := len(names) == 0
	if all {
		names = l.serving("")
	}
	var out []compose.Handle
	for _, name := range names {
		handle, err := l.parts.Find(name)
		if err != nil && !all {
			return nil, err
		}
		if err == nil {
			out = append(out, handle)
		}
	}
	return out, nil
}

// limit notes whether an instance's CPU is limited.
func (l *lives) limit(name string, limited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[name].limited = limited
}

// limited lists those of a role that serve with a limit.
func (l *lives) limited(role record.Role) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(l.servingLocked(role), func(name string) bool { return !l.all[name].limited })
}

// stopAll lets no move begin any more, calls off what is under way, and ends all
// instances of the application side by side, as compose.Stack.Stop does.
func (l *lives) stopAll(ctx context.Context) (overdue []string, err error) {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	l.shut(errEnding)
	l.moves.Wait()

	l.mu.Lock()
	var names []string
	for name, one := range l.all {
		if one.role.Application() {
			names = append(names, name)
		}
	}
	l.mu.Unlock()
	return l.parts.Stop(ctx, names...)
}

// close ends all that is left, and closes the platform.
func (l *lives) close(ctx context.Context) error {
	err := l.parts.Close(ctx)
	if err == nil { // else somebody may be there for ever
		l.watching.Wait()
	}
	return err
}
