package socket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ofFiles are the networks whose address is a path.
func ofFiles(at string) []string { return []string{"unixgram://" + at, "unixstream://" + at} }

func TestFileIsMadeForEverybodyAndRemoved(t *testing.T) {
	for _, address := range ofFiles(path(t)) {
		s := open(t, address, Options{})
		at := s.Addr().Path
		info, err := os.Lstat(at)
		if err != nil || info.Mode() != fs.ModeSocket|0o722 {
			t.Errorf("%s: %v, %v, want a socket of mode 0722", s.Addr(), info.Mode(), err)
		}
		if err := s.Close(); err != nil || exists(at) {
			t.Errorf("%s: %v, the file is left: %v", s.Addr(), err, exists(at))
		}
	}
}

// stale leaves a socket's file at path, as a process that was killed does.
func stale(t *testing.T, kind int, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil || !exists(path) {
		t.Fatalf("no file was left behind: %v", err)
	}
}

func TestStaleFileIsReplaced(t *testing.T) {
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
		for _, address := range ofFiles(path(t)) {
			a, err := ParseAddress(address)
			if err != nil {
				t.Fatal(err)
			}
			stale(t, kind, a.Path)
			s := open(t, address, Options{})
			var g got
			stop := read(t, s, g.handle)
			send(t, dial(t, s), wire(s, "a:1|c"))
			until(t, "it came", func() bool { n, _, _ := g.sum(); return n == 1 })
			stop()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestSocketOfAnotherKindInUseIsRefused: also one that only reads, one that is
// bound and does not listen, and one that is connected to somebody else.
func TestSocketOfAnotherKindInUseIsRefused(t *testing.T) {
	bound := path(t)
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_SEQPACKET, unix.SOCK_DGRAM} {
		fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: bound}); err != nil {
			t.Fatal(err)
		}
		for _, address := range ofFiles(bound) {
			refused(t, address, "another process listens there")
			if !exists(bound) {
				t.Fatalf("%s: the file of another is gone", address)
			}
		}
		if kind == unix.SOCK_DGRAM {
			other := path(t)
			peer, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: other})
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Connect(fd, &unix.SockaddrUnix{Name: other}); err != nil {
				t.Fatal(err)
			}
			refused(t, ofFiles(bound)[0], "another process listens there")
			_ = peer.Close()
		}
		_ = unix.Close(fd)
		_ = os.Remove(bound)
	}
}

func refused(t *testing.T, address, want string) {
	t.Helper()
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(a, Options{MaxPayload: 1})
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), a.String()+": ") {
		t.Errorf("%s: got %v, want an error with %q", address, err, want)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	at := path(t)
	dir := filepath.Dir(at)
	plain, link := filepath.Join(dir, "plain"), filepath.Join(dir, "link")
	if err := os.WriteFile(plain, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(plain, link); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{plain, link, dir} {
		for _, address := range ofFiles(file) {
			refused(t, address, "is not a socket")
		}
	}
	for _, address := range ofFiles(dir + "/no/s.sock") {
		refused(t, address, "directory "+dir+"/no does not exist: make it")
	}
	for _, address := range ofFiles(plain + "/s.sock") {
		refused(t, address, "not a directory")
	}
	if text, err := os.ReadFile(plain); err != nil || string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestFileThatIsNotOursAnyMoreIsLeft(t *testing.T) {
	for _, address := range ofFiles(path(t)) {
		first := open(t, address, Options{})
		at := first.Addr().Path
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
		second := open(t, address, Options{})
		if err := first.Close(); err != nil || !exists(at) {
			t.Errorf("%v, the file of the second is there: %v", err, exists(at))
		}
		if err := second.Close(); err != nil || exists(at) {
			t.Errorf("%v, the file of the second is left: %v", err, exists(at))
		}
		// Somebody tidied up: no error.
		third := open(t, address, Options{})
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
		if err := third.Close(); err != nil {
			t.Error(err)
		}
	}
}

// targetVariable tells the child process of TestWithoutPermission where to look.
const targetVariable = "SOCKET_TEST_TARGET"

// TestWithoutPermission needs a user without privilege, to whom alone
// permissions matter: root runs itself again as nobody.
func TestWithoutPermission(t *testing.T) {
	if base := os.Getenv(targetVariable); base != "" {
		refusedForLackOfPermission(t, base)
		return
	}
	base := filepath.Dir(path(t))
	for _, dir := range []string{"readable", "closed", "scratch"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	stale(t, unix.SOCK_DGRAM, base+"/readable/private.sock")
	for name, mode := range map[string]fs.FileMode{"": 0o755, "/readable/private.sock": 0, "/readable": 0o555, "/closed": 0, "/scratch": 0o777} {
		if err := os.Chmod(base+name, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(base+"/readable", 0o700) })
	if os.Geteuid() != 0 {
		refusedForLackOfPermission(t, base)
		return
	}
	self := filepath.Join(base, "test")
	copyProgram(t, self)
	cmd := exec.Command(self, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), targetVariable+"="+base, "TMPDIR="+base+"/scratch", "GOCOVERDIR="+base+"/scratch")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = base
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED, NOTHING PROVED: nobody may not run %s (%v): set TMPDIR to where all may read", self, err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func refusedForLackOfPermission(t *testing.T, base string) {
	for _, address := range ofFiles(base + "/readable/s.sock") {
		refused(t, address, "permission denied: this user may not listen there")
	}
	for _, address := range ofFiles(base + "/closed/s.sock") {
		refused(t, address, "permission denied")
	}
	for _, address := range ofFiles(base + "/readable/private.sock") {
		refused(t, address, "whether a process listens there cannot be told")
	}
}

// copyProgram puts this test program where every user can run it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	from, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, program, 0o755); err != nil {
		t.Fatal(err)
	}
}
