// Package respawn runs a program and starts it again when it has crashed, as the init system of a machine does for a service:
// systemd with Restart=on-failure, whose pause it keeps.
//
// It is what an instance executes whose program a scenario will kill, and which must come back by itself; the command line
// calls it. A platform restarts nothing.
package respawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// pause is how long after a crash the program is started again.
// Source: RestartSec in systemd.service(5).
const pause = 100 * time.Millisecond

// script is what Run does, for the shell: SIGTERM is handed on, and then nothing is started again.
const script = `ended= child=
trap 'ended=1; [ -z "$child" ] || kill -TERM "$child"' TERM INT
while [ -z "$ended" ]; do
	"$@" & child=$!
	wait "$child"; status=$?
	[ -z "$ended" ] || wait "$child"
	[ -z "$ended" ] && [ "$status" != 0 ] || exit 0
	child=
	echo "respawn: $1 ended ($status); starting it again" >&2
	sleep 0.1
done`

// Shell is the command that has the shell do what Run does with a command, where this program is not: in a container of
// another image, which ends with its first process.
func Shell(command []string) []string {
	return append([]string{"sh", "-c", script, "respawn"}, command...)
}

// Run executes a command, given with its arguments, and executes it again whenever a signal or a status other than 0 ended
// it. It returns when the command has ended with 0, or by whatever after ctx has ended: who asks this process to end has
// asked the command too, which is of the same process group, and both get their time. It is an error if it cannot be
// started at all.
func Run(ctx context.Context, command []string, out, errs io.Writer) error {
	for {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = out, errs
		cmd.SysProcAttr = withParent()
		err := start(cmd)
		if err != nil {
			return fmt.Errorf("start %s: %w", command[0], err)
		}
		err = cmd.Wait()
		if failed := new(exec.ExitError); err == nil || ctx.Err() != nil || !errors.As(err, &failed) {
			return nil // what it said is in its log
		}
		if _, werr := fmt.Fprintf(errs, "respawn: %s ended (%v); starting it again\n", command[0], err); werr != nil {
			return werr
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}
