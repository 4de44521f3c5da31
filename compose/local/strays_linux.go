package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endStrays kills the processes that carry a mark beginning with the given one,
// whatever group or session they are in, waits until they are dead and names
// them: `process 123 (sleep)`. A process that has another environment, because
// it was started with one (env -i) or wrote over its own, carries no mark.
func (t *table) endStrays(mark string) (named []string) {
	want := []byte(markVariable + "=" + mark)
	seen := map[int]bool{}
	started := time.Now()
	// A process may start others while it is looked for.
	for ; time.Since(started) < strayGrace; time.Sleep(5 * time.Millisecond) {
		left, undecided := false, false
		for _, p := range t.carriers.ask(carriers) {
			has := p.carries(want)
			undecided = undecided || p.empty && p.pid != kthreadd && p.parent != kthreadd
			left = left || has || seen[p.pid] // one that is dying has no environment any more
			if !has {
				continue
			}
			name, _ := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/comm")
			if killMarked(p.pid, want) && !seen[p.pid] {
				seen[p.pid] = true
				named = append(named, fmt.Sprintf("process %d (%s)", p.pid, strings.TrimSpace(string(name))))
			}
		}
		if !left && (!undecided || time.Since(started) > execGrace) {
			break
		}
	}
	return named
}

const (
	// strayGrace is how long what is killed may take to die.
	strayGrace = 2 * time.Second
	// execGrace is how long an environment may be empty because its process is
	// just executing a program; after that it has none.
	execGrace = 100 * time.Millisecond
	// kthreadd is the parent of the kernel's threads, which have no environment.
	kthreadd = 2
)

// carrier is a process and the marks in its environment.
type carrier struct {
	process
	marks [][]byte
	empty bool // its environment has nothing at all
}

// carries tells whether a process carries a mark. One that ends in "/" is a beginning.
func (c carrier) carries(want []byte) bool {
	return slices.ContainsFunc(c.marks, func(mark []byte) bool {
		return bytes.Equal(mark, want) || bytes.HasSuffix(want, []byte("/")) && bytes.HasPrefix(mark, want)
	})
}

// carriers are the living processes but this one.
func carriers() []carrier {
	var all []carrier
	for _, p := range processes() {
		if p.pid != os.Getpid() && p.alive() {
			all = append(all, carrierOf(p))
		}
	}
	return all
}

// carrierOf reads the environment with which a process was started, as proc_pid_environ(5)
// shows it.
func carrierOf(p process) carrier {
	c := carrier{process: p}
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/environ")
	if err != nil {
		return c // gone, or another user's
	}
	for entry := range bytes.SplitSeq(data, []byte{0}) {
		if bytes.HasPrefix(entry, []byte(markVariable+"=")) {
			c.marks = append(c.marks, entry)
		}
	}
	c.empty = len(data) == 0
	return c
}

// killMarked kills the process if it is still the marked one.
func killMarked(pid int, want []byte) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.3
		return syscall.Kill(pid, syscall.SIGKILL) == nil
	}
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return carrierOf(process{pid: pid}).carries(want) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}
