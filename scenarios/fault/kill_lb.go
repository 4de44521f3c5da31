package fault

import (
	"context"
	"fmt"
	"os"
)

// KillLB ends the load balancer's process with SIGKILL. What starts it again counts from zero; of the requests that were on it
// nobody has a line of log, and most of their users no answer.
type KillLB struct {
	LB   Respawner
	Name string // of its instance
	// Look polls the load balancer: just before, so that nearly all that it counted is known, and just after.
	Look func(context.Context) error
}

// Respawner is a load balancer that something starts again when it has crashed.
type Respawner interface {
	// Crash has crash end the process that serves users, given its number, and returns when another one has its servers.
	Crash(ctx context.Context, crash func(pid int) error) error
}

// Possible is nil: the load balancer is under something that starts it again.
func (KillLB) Possible() error { return nil }

// Inject returns when the load balancer that was started again has all servers.
func (k KillLB) Inject(ctx context.Context) (Heal, error) {
	if err := k.Look(ctx); err != nil {
		return nil, err
	}
	if err := k.LB.Crash(ctx, killProcess); err != nil {
		return nil, err
	}
	if err := k.Look(ctx); err != nil {
		return nil, err
	}
	return func(context.Context) (Touched, error) { return Touched{k.Name: 1}, nil }, nil
}

func killProcess(pid int) error {
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return nil
}
