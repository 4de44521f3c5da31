package httpd

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"
)

// Control is what is done to one httpd beside its requests. The platform starts and ends it; this goes by the files that
// Config.Dir has, with commands of the shell where the httpd runs.
type Control struct {
	Serves string // the name of the instance behind it
	Addr   string // where it is reached, host:port
	Dir    string // where it runs
	// Exec executes a command, given with its arguments, where the httpd runs, and gives what it wrote. Its error has
	// what the command complained of. nil: the httpd runs on this machine.
	Exec func(ctx context.Context, command ...string) ([]byte, error)
}

func (c Control) pidFile() string   { return path.Join(c.Dir, c.Serves+".httpd.pid") }
func (c Control) limitFile() string { return path.Join(c.Dir, c.Serves+".httpd.conf") }

// shell has the shell execute a script, which has the arguments as $1, $2, ….
func (c Control) shell(ctx context.Context, script string, args ...string) (string, error) {
	execute := c.Exec
	if execute == nil {
		execute = here
	}
	out, err := execute(ctx, append([]string{"sh", "-c", script, "sh"}, args...)...)
	return string(out), err
}

func here(ctx context.Context, command ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	return out, err
}

// pid is the number of its first process.
func (c Control) pid(ctx context.Context) (string, error) {
	text, err := c.shell(ctx, `cat "$1"`, c.pidFile())
	if err != nil {
		return "", fmt.Errorf("httpd of %s: which process is it? %w", c.Serves, err)
	}
	text = strings.TrimSpace(text)
	// 1 is httpd where it is all that runs in a container.
	if n, err := strconv.Atoi(text); err != nil || n < 1 || n == 1 && c.Exec == nil {
		return "", fmt.Errorf("httpd of %s: %s holds %q, which is no process", c.Serves, c.pidFile(), text)
	}
	return text, nil
}

// Reload has it begin anew with its configuration as it is (apachectl graceful), and returns when it has. What is under way
// is seen to its end; connections that wait for their next request are closed, and one that is just coming is lost.
func (c Control) Reload(ctx context.Context) error {
	before, err := c.await(ctx, func(Numbers) bool { return true })
	if err != nil {
		return err
	}
	pid, err := c.pid(ctx)
	if err != nil {
		return err
	}
	if _, err := c.shell(ctx, `kill -USR1 "$1"`, pid); err != nil {
		return fmt.Errorf("reload httpd of %s: process %s: %w", c.Serves, pid, err)
	}
	_, err = c.await(ctx, func(n Numbers) bool { return n[Generation] > before[Generation] })
	return err
}

// await asks for the status until it is as wanted.
func (c Control) await(ctx context.Context, as func(Numbers) bool) (Numbers, error) {
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		n, err := Status(ctx, c.Addr)
		if err == nil && as(n) {
			return n, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if err == nil {
				err = errors.New("it goes on as before")
			}
			return nil, fmt.Errorf("wait for httpd of %s: %w (%w)", c.Serves, ctx.Err(), err)
		}
	}
}

// Limit lets it work on at most so many requests at a time, from 1 up; others wait where the kernel has them, and so does who
// asks for its status. 0 lifts the limit. It returns when it holds: it is a reload, too.
func (c Control) Limit(ctx context.Context, most int) error {
	if most == 0 {
		if _, err := c.shell(ctx, `rm -f "$1"`, c.limitFile()); err != nil {
			return fmt.Errorf("lift the limit of httpd of %s: %w", c.Serves, err)
		}
	} else {
		text := fmt.Sprintf("MinSpareThreads 1\nMaxSpareThreads %d\nThreadsPerChild %d\nMaxRequestWorkers %d\n", most+1, most, most)
		if _, err := c.shell(ctx, `printf %s "$2" > "$1"`, c.limitFile(), text); err != nil {
			return fmt.Errorf("limit httpd of %s: %w", c.Serves, err)
		}
	}
	if err := c.Reload(ctx); err != nil {
		return err
	}
	_, err := c.await(ctx, func(n Numbers) bool { return most == 0 || n[Busy]+n[Idle] <= float64(most) })
	return err
}

// killAll ends process $1 and those that it has started, which it starts no more of while it stands still. /proc/PID/stat is
// "PID (NAME) STATE PARENT …", and a name may hold anything.
const killAll = `kill -STOP "$1" || exit
all=$1
for file in /proc/[0-9]*/stat; do
	read -r line 2>/dev/null <"$file" || continue # it has ended meanwhile
	pid=${line%% *}
	set -- "$1" ${line##*) }
	[ "$3" = "$1" ] && all="$all $pid"
done
[ -d "/proc/$1" ] || { echo "this system has no /proc, by which the processes of httpd are found" >&2; exit 1; }
for pid in $all; do
	kill -KILL "$pid" || ! [ -d "/proc/$pid" ] || exit
done`

// Crash ends all its processes without warning, and returns when another one serves. Something must start it again.
func (c Control) Crash(ctx context.Context) error {
	// It listens before it writes down which process it is, and answers after.
	if _, err := c.await(ctx, func(Numbers) bool { return true }); err != nil {
		return err
	}
	pid, err := c.pid(ctx)
	if err != nil {
		return err
	}
	if _, err := c.shell(ctx, killAll, pid); err != nil {
		return fmt.Errorf("kill httpd of %s: process %s: %w", c.Serves, pid, err)
	}
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		if again, err := c.pid(ctx); err == nil && again != pid {
			_, err = c.await(ctx, func(Numbers) bool { return true })
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("httpd of %s was killed, and nothing starts it again: %w", c.Serves, ctx.Err())
		}
	}
}
