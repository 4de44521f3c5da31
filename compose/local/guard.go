package local

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"throughline/compose/guard"
)

// Guard is the other half of the promise that nothing survives the runner. It
// runs in a process of its own, which the Platform starts, and reads from the
// runner one line for each event:
//
//	=DIR    the directory to remove in the end
//	+PGID   a process group was started
//	-PGID   it is gone (sent before its number can be given away)
//
// When the runner has ended, Guard kills the groups that are still listed and the
// processes with the run's mark, removes the directory and the cgroups of that
// name, and returns. This reaches also what PDEATHSIG does not: the children of a
// user's shell, and every system that has no PDEATHSIG.
func Guard(from io.Reader, ready io.Writer) error {
	groups := map[int]bool{}
	dir := ""
	release := func() {}
	defer func() { release() }()
	bad := guard.Listen(from, ready, func(line string) error {
		if line[0] == '=' {
			dir = line[1:]
			release = keepAlive(dir)
			return nil
		}
		group, err := strconv.Atoi(line[1:])
		if err != nil || group < 2 || (line[0] != '+' && line[0] != '-') {
			return guard.Unknown(line)
		}
		if line[0] == '+' {
			groups[group] = true
		} else {
			delete(groups, group)
		}
		return nil
	})
	for group := range groups {
		_ = syscall.Kill(-group, syscall.SIGKILL) // an error says that it is gone
	}
	if dir == "" {
		return bad
	}
	return errors.Join(bad, removeAfter(dir, groups))
}

// removeAfter removes the directory once nobody can write into it any more.
func removeAfter(dir string, groups map[int]bool) error {
	deadline := time.Now().Add(2 * time.Second) // a killed process takes milliseconds
	var processes table
	for group := range groups {
		for processes.groupAlive(group) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	processes.endStrays(filepath.Base(dir) + "/")
	return errors.Join(os.RemoveAll(dir), removeGroups(filepath.Base(dir)))
}

// book is what the guard knows of the runner.
type book struct{ *guard.Guard }

func openBook(self string, args []string, dir string) (book, error) {
	g, err := guard.Start(append([]string{self}, args...), environment(nil))
	if err != nil {
		return book{}, err
	}
	return book{g}, g.Tell("=" + dir)
}

func (b book) watch(group int) error { return b.Tell("+" + strconv.Itoa(group)) }

// forget is not allowed to fail: a guard that is gone has nothing to forget.
func (b book) forget(group int) { _ = b.Tell("-" + strconv.Itoa(group)) }
