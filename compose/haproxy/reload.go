package haproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// worker sends a command of the master's socket on to the newest worker.
// Source: https://docs.haproxy.org/2.6/management.html#9.4
const worker = "@1 "

// NewMaster speaks to the workers of a HAProxy in master-worker mode, through
// the master's socket at addr, host:port. It always reaches the newest worker,
// while the old one may still be there.
func NewMaster(addr string) *Runtime {
	r := NewRuntime(addr)
	r.prefix = worker
	return r
}

// Reload makes HAProxy start a new worker from its configuration and lets the
// old one finish what is in flight. The new worker counts from zero and knows
// none of the servers that were added at run time: they are added again at
// once, and users may be answered 503 until they are. What the old worker does
// from here on is in no statistics. It is for what NewMaster gives.
func (r *Runtime) Reload(ctx context.Context) error {
	if r.prefix == "" {
		return errors.New("reload haproxy: it does not run in master-worker mode; set Config.Master")
	}
	if err := r.replace(ctx, func(string) error { return r.askMaster(ctx) }); err != nil {
		return fmt.Errorf("reload haproxy: %w", err)
	}
	return nil
}

// Crash has crash end the process that serves users, and waits until what watches over HAProxy (an init system, say) has
// started it again. As after a reload it counts from zero, and the servers are added again. Where it runs in
// master-worker mode the master ends too when a worker has crashed.
func (r *Runtime) Crash(ctx context.Context, crash func(pid int) error) error {
	err := r.replace(ctx, func(before string) error {
		pid, err := strconv.Atoi(before)
		if err != nil {
			return err
		}
		return crash(pid)
	})
	if err != nil {
		return fmt.Errorf("crash haproxy: %w", err)
	}
	return nil
}

// replace puts another process into the place of the one that serves users, whose number it gives to how, and adds all
// servers to it.
func (r *Runtime) replace(ctx context.Context, how func(before string) error) error {
	// Statistics waits until the servers are there again: a poll between would
	// see a backend without servers.
	r.counting.Lock()
	defer r.counting.Unlock()
	before, err := r.pid(ctx)
	if err != nil {
		return err
	}
	if err := how(before); err != nil {
		return err
	}
	if err := r.awaitWorker(ctx, before); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(r.live)) {
		if err := r.add(ctx, name, r.live[name]); err != nil {
			return fmt.Errorf("add server %s again: %w", name, err)
		}
	}
	return nil
}

// askMaster sends the master its own command. Releases differ in what they
// answer, and the oldest close the connection without a word: whether it was
// done is seen by the new worker.
func (r *Runtime) askMaster(ctx context.Context) error {
	said, err := r.send(ctx, "reload")
	if err != nil && !errors.Is(err, errNoAnswer) {
		return err
	}
	if strings.Contains(said, "Success=0") || strings.Contains(said, "Unknown command") {
		return fmt.Errorf("haproxy says %q", said)
	}
	return nil
}

// awaitWorker returns when the newest worker is another process than before.
func (r *Runtime) awaitWorker(ctx context.Context, before string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		// The master's socket is away for a moment while it reloads, so an
		// error is no news.
		now, err := r.pid(ctx)
		if err == nil && now != before {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err == nil {
				err = fmt.Errorf("process %s still is the newest worker", before)
			}
			return fmt.Errorf("wait for a new worker: %w: %w", err, context.Cause(ctx))
		}
	}
}

// pid is the process id of the newest worker.
func (r *Runtime) pid(ctx context.Context) (string, error) {
	said, err := r.command(ctx, "show info")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(said) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "Pid: "); ok {
			return pid, nil
		}
	}
	return "", fmt.Errorf("haproxy says %q instead of its process id", firstLine(said))
}
