package run

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/scenarios/script"
)

// fleets are those of all roles of a stack, the first first.
type fleets []*fleet

// of is the fleet of a role, "" for the first; nil if there is no such role.
func (all fleets) of(role string) *fleet {
	for _, f := range all {
		if role == f.role.Role || role == f.role.RoleName() {
			return f
		}
	}
	return nil
}

// launch starts the instances that run when the load starts, all of them side by side.
func (all fleets) launch(ctx context.Context) error {
	group, starting := errgroup.WithContext(ctx)
	for _, f := range all {
		group.Go(func() error {
			_, err := f.launch(starting, f.role.Instances)
			return err
		})
	}
	return group.Wait()
}

// unlimit lifts what limits are left in any of them.
func (all fleets) unlimit(ctx context.Context) {
	for _, f := range all {
		f.unlimit(ctx)
	}
}

// interruptedStop is how long instances may take to end when the run was interrupted:
// somebody waits at a terminal.
const interruptedStop = 5 * time.Second

// silentWait is how long the end of the instances is waited for without a word.
const silentWait = 2 * time.Second

// stop refuses all further moves and ends the instances of all roles side by side, before
// database and load balancer are taken from them. Who has not ended within
// the stop of its role is killed, which the journal tells; when ctx ends while they stop,
// they are killed at once.
func (all fleets) stop(ctx context.Context) {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), interruptedStop)
		defer cancel()
	}
	first := all[0]
	slow := time.AfterFunc(silentWait, func() { first.cfg.Progress.Note("waiting for the web instances to end") })
	defer slow.Stop()
	overdue, err := first.lives.stopAll(ctx)
	for _, name := range overdue {
		all.of(script.RoleOf(name)).overdue(name)
	}
	if err != nil {
		first.journal.note("stop", 0, err.Error())
	}
}
