package httpd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Control is what is done to one httpd beside its requests. The platform starts and ends it; this goes by the files that
// Config.Dir has, and so works on this machine alone.
type Control struct {
	Serves string // the name of the instance behind it
	Addr   string // where it is reached, host:port
	Dir    string
}

func (c Control) pidFile() string   { return filepath.Join(c.Dir, c.Serves+".httpd.pid") }
func (c Control) limitFile() string { return filepath.Join(c.Dir, c.Serves+".httpd.conf") }

// pid is the number of its first process.
func (c Control) pid() (int, error) {
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		return 0, fmt.Errorf("httpd of %s: which process is it? %w", c.Serves, err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n <= 1 {
		return 0, fmt.Errorf("httpd of %s: %s holds %q, which is no process", c.Serves, c.pidFile(), text)
	}
	return n, nil
}

// Reload has it begin anew with its configuration as it is (apachectl graceful), and returns when it has. What is under way
// is seen to its end; connections that wait for their next request are closed, and one that is just coming is lost.
func (c Control) Reload(ctx context.Context) error {
	before, err := c.await(ctx, func(Numbers) bool { return true })
	if err != nil {
		return err
	}
	pid, err := c.pid()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		return fmt.Errorf("reload httpd of %s: process %d: %w", c.Serves, pid, err)
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
		if err := os.Remove(c.limitFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("lift the limit of httpd of %s: %w", c.Serves, err)
		}
	} else {
		text := fmt.Sprintf("MinSpareThreads 1\nMaxSpareThreads %d\nThreadsPerChild %d\nMaxRequestWorkers %d\n", most+1, most, most)
		if err := os.WriteFile(c.limitFile(), []byte(text), 0o644); err != nil {
			return fmt.Errorf("limit httpd of %s: %w", c.Serves, err)
		}
	}
	if err := c.Reload(ctx); err != nil {
		return err
	}
	_, err := c.await(ctx, func(n Numbers) bool { return most == 0 || n[Busy]+n[Idle] <= float64(most) })
	return err
}

// Crash ends all its processes without warning, and returns when another one serves. Something must start it again.
func (c Control) Crash(ctx context.Context) error {
	// It listens before it writes down which process it is, and answers after.
	if _, err := c.await(ctx, func(Numbers) bool { return true }); err != nil {
		return err
	}
	pid, err := c.pid()
	if err != nil {
		return err
	}
	// One that stands still starts no others while they are listed.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("kill httpd of %s: process %d: %w", c.Serves, pid, err)
	}
	all, err := family(pid)
	if err != nil {
		return fmt.Errorf("kill httpd of %s: %w", c.Serves, err)
	}
	for _, one := range all {
		if err := syscall.Kill(one, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill httpd of %s: process %d: %w", c.Serves, one, err)
		}
	}
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		if again, err := c.pid(); err == nil && again != pid {
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

// family is a process and those that it has started, itself first.
func family(pid int) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	if len(dirs) == 0 {
		return nil, errors.New("this system has no /proc, by which the processes of httpd are found")
	}
	all := []int{pid}
	for _, path := range dirs {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// "PID (NAME) STATE PARENT …", and a name may hold anything.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			all = append(all, child)
		}
	}
	return all, nil
}
