package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownGroup makes the child the leader of a process group that the kernel kills
// with the thread that starts it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// table is the processes of this machine. It is safe for concurrent use, and meant for it.
type table struct {
	all      joined[[]process]
	carriers joined[[]carrier]
	sockets  joined[map[int][]string]
}

// awaitGroup returns when nothing of the group is left but its leader, which
// it leaves as a zombie so that its number stays taken.
func (t *table) awaitGroup(pid int, _ *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	pause := time.Millisecond
	for t.groupAlive(pid) {
		time.Sleep(pause) // there is no event for the end of a process that is not our child
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// process is one line of /proc.
type process struct {
	pid, parent, group int
	state              byte
	threads            int
}

// alive is false for a zombie, unless only its first thread has ended.
func (p process) alive() bool {
	return p.state != 'X' && (p.state != 'Z' || p.threads > 1)
}

// processes reads /proc, whose stat lines proc_pid_stat(5) describes.
func processes() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var all []process
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readProcess(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

func readProcess(pid int) (process, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	text := string(data)
	// The name, in parentheses, may itself hold spaces and parentheses.
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 18 {
		return process{}, false
	}
	p := process{pid: pid, state: f[0][0]}
	var bad [3]error
	p.parent, bad[0] = strconv.Atoi(f[1])
	p.group, bad[1] = strconv.Atoi(f[2])
	p.threads, bad[2] = strconv.Atoi(f[17])
	return p, bad == [3]error{}
}

// groupAlive says whether a process of the group still runs.
func (t *table) groupAlive(group int) bool {
	if leader, ok := readProcess(group); ok && leader.group == group && leader.alive() {
		return true
	}
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return false
	}
	return slices.ContainsFunc(t.all.ask(processes), func(p process) bool { return p.group == group && p.alive() })
}

// groupStopped says whether every process of the group is stopped.
func groupStopped(group int) bool {
	return !slices.ContainsFunc(processes(), func(p process) bool {
		return p.group == group && p.alive() && p.state != 'T' && p.state != 't'
	})
}

// family is the group plus all descendants of its leader.
func family(group int) map[int]bool {
	all := processes()
	ours := map[int]bool{group: true}
	for grew := true; grew; {
		grew = false
		for _, p := range all {
			if !ours[p.pid] && (p.group == group || ours[p.parent]) {
				ours[p.pid] = true
				grew = true
			}
		}
	}
	return ours
}

// listeners gives the socket inodes that accept connections to 127.0.0.1, by port. The
// kernel goes through all connections of the machine for that.
func listeners() map[int][]string {
	// Addresses are printed as host-order words (proc_net(5)).
	word := func(b ...byte) string { return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b)) }
	zero := word(0, 0, 0, 0)
	v4 := word(127, 0, 0, 1)
	reach := map[string]bool{
		v4: true, zero: true,
		zero + zero + zero + zero:               true,
		zero + zero + word(0, 0, 255, 255) + v4: true,
	}
	inodes := map[int][]string{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		data, _ := os.ReadFile(table) // tcp6 is missing where IPv6 is off
		for line := range strings.Lines(string(data)) {
			if !strings.Contains(line, " 0A ") { // LISTEN
				continue
			}
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" {
				continue
			}
			addr, hex, _ := strings.Cut(f[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil && reach[addr] {
				inodes[int(port)] = append(inodes[int(port)], f[9])
			}
		}
	}
	return inodes
}

func familyHolds(group int, inode string) bool {
	for pid := range family(group) {
		if holds(pid, inode) {
			return true
		}
	}
	return false
}

func holds(pid int, inode string) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	fds, _ := os.ReadDir(dir)
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

// proveOwner is nil when every socket that listens on the port is held by the
// group or a descendant of its leader. Where must is false nobody needs to
// listen yet.
func (t *table) proveOwner(port, group int, must bool) error {
	var err error
	// The tables are not read in one instant, so a miss is asked again.
	for deadline := time.Now().Add(2 * time.Second); ; {
		if err = t.ownedBy(port, group, must); err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (t *table) ownedBy(port, group int, must bool) error {
	inodes := t.sockets.ask(listeners)[port]
	if len(inodes) == 0 && must {
		return fmt.Errorf("nobody listens on %s any more", hostPort(port))
	}
	for _, inode := range inodes {
		// Mostly it is the leader, for whom nobody else has to be looked into.
		if !holds(group, inode) && !familyHolds(group, inode) {
			who := strangerOn(port, group)
			if who == "" {
				who = "a process that cannot be looked into (another user's?)"
			}
			return fmt.Errorf("port %d was taken by %s, not by process %d that was started for it", port, who, group)
		}
	}
	return nil
}

// strangerOn names who else listens on the port: `pid 123 (nginx)`; empty when
// nobody does, or nobody that can be seen. The processes of the group are none.
func strangerOn(port, group int) string {
	inodes := listeners()[port]
	if len(inodes) == 0 {
		return ""
	}
	ours := map[int]bool{}
	if group != 0 {
		ours = family(group)
	}
	for _, p := range processes() {
		if ours[p.pid] {
			continue
		}
		if slices.ContainsFunc(inodes, func(inode string) bool { return holds(p.pid, inode) }) {
			name, _ := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/comm")
			return fmt.Sprintf("pid %d (%s)", p.pid, strings.TrimSpace(string(name)))
		}
	}
	return ""
}

// ephemeralPorts is the range the kernel takes ports of outgoing connections from.
func ephemeralPorts() (first, last int) {
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		if n, _ := fmt.Sscan(string(data), &first, &last); n == 2 && first <= last {
			return first, last
		}
	}
	return 32768, 60999 // the kernel's default
}

// lockPort locks one byte of the file for the port, until the file is closed:
// open file description locks (fcntl(2)) exclude other runners and other
// platforms of this process alike, and go with the process that held them.
func lockPort(file *os.File, port int) error {
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{
		Type: unix.F_WRLCK, Whence: io.SeekStart, Start: int64(port), Len: 1,
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errPortLocked
	}
	if err != nil {
		return fmt.Errorf("port locks: %w", err)
	}
	return nil
}

func signalName(s syscall.Signal) string { return unix.SignalName(s) }
