//go:build unix && !linux

package local

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownGroup makes the child the leader of a process group. There is no
// PDEATHSIG here: the guard alone keeps the promise that nothing survives.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// table has nothing to tell here.
type table struct{}

// awaitGroup reaps the leader and returns when the group is empty. The leader
// cannot be kept as a zombie here, but its number is not given away while the
// group has members.
func (t *table) awaitGroup(pid int, cmd *exec.Cmd) {
	_ = cmd.Wait() // its error only repeats the status
	for t.groupAlive(pid) {
		time.Sleep(5 * time.Millisecond)
	}
}

func (*table) groupAlive(group int) bool {
	err := syscall.Kill(-group, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// groupStopped cannot be asked here.
func groupStopped(int) bool { return true }

// proveOwner cannot look into other processes here: that nobody listened right
// before the start, and that the instance is alive, is all the proof there is.
func (*table) proveOwner(int, int, bool) error { return nil }

// takesDatagrams cannot look into the kernel here. It sends a datagram without a byte, which is no line of any protocol of
// lines, and hears whether it is refused.
func (*table) takesDatagrams(port, _ int) error {
	conn, err := net.Dial("udp", hostPort(port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(nil); err != nil {
		return err
	}
	const refusal = 200 * time.Millisecond // on loopback it comes at once, unless the machine is busy
	if err := conn.SetReadDeadline(time.Now().Add(refusal)); err != nil {
		return err
	}
	if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func strangerOn(int, int) string { return "" }

// ephemeralPorts is the range IANA gives for outgoing connections, the default
// of macOS and the BSDs.
func ephemeralPorts() (first, last int) { return 49152, 65535 }

// lockPort does nothing: a lock of part of a file belongs to the whole process
// here, so it could not tell two platforms apart.
func lockPort(*os.File, int) error { return nil }

func signalName(s syscall.Signal) string { return unix.SignalName(s) }

// CanLimitCPU says why the CPU of instances cannot be limited here. An instance
// is neither compose.Limiter nor compose.Measured.
func CanLimitCPU() error { return errors.New("limit CPU: needs Linux, whose cgroups do it") }

// endStrays cannot look into the environment of other processes here.
func (*table) endStrays(string) []string { return nil }

// removeGroups has nothing to remove: there are no cgroups here.
func removeGroups(string) error { return nil }
