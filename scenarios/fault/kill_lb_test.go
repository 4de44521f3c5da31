package fault

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"testing"
)

// respawner is a load balancer whose process is a sleep.
type respawner struct {
	process *exec.Cmd
	order   *[]string
	err     error
}

func (r respawner) Crash(_ context.Context, crash func(pid int) error) error {
	*r.order = append(*r.order, "crash")
	if err := crash(r.process.Process.Pid); err != nil {
		return err
	}
	return r.err
}

func TestKillLB(t *testing.T) {
	for _, failed := range []error{nil, errors.New("nobody started it again")} {
		process := exec.Command("sleep", "60")
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		var order []string
		look := func(context.Context) error { order = append(order, "look"); return nil }
		heal, err := KillLB{LB: respawner{process, &order, failed}, Name: "haproxy-1", Look: look}.Inject(t.Context())
		if !errors.Is(err, failed) {
			t.Errorf("got %v, want %v", err, failed)
		}
		if err := process.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("its process ended with %v, want a SIGKILL", err)
		}
		if failed != nil {
			continue
		}
		if touched, err := heal(t.Context()); touched["haproxy-1"] != 1 || err != nil {
			t.Errorf("it touched %v, %v", touched, err)
		}
		if !slices.Equal(order, []string{"look", "crash", "look"}) {
			t.Errorf("in the order %v", order)
		}
	}
}
