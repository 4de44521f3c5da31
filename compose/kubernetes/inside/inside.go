// Package inside is the first process of a pod: it asks the runner what to execute, executes it, sends it the signals that the
// runner wants, and tells how it has ended.
//
// It is there because a cluster's API has no signals. Deleting a pod without grace takes it off the API's books at once, while its
// container gets SIGTERM, and SIGKILL two seconds later: an instance that is killed so has the time to send off what it holds,
// which one that is killed has not. And the status of a pod tells of its end to the second, and a second late.
//
// It is no init system: it restarts nothing. Where the runner is gone it ends what it has started. compose/kubernetes has its other end, and
// knows the cluster; this package knows neither.
package inside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	reachWithin = 30 * time.Second       // for the runner to be reached: a pod's network may come up after it
	reachAgain  = 100 * time.Millisecond // after an attempt that failed
	partWithin  = 2 * time.Second        // for the runner to have heard of the end
)

// Alive is how soon each end of the conversation learns that the other's machine is gone.
var Alive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 4}

// Dial connects with the runner at host:port and says hello.
func Dial(ctx context.Context, runner, instance, token string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	dialer := net.Dialer{Timeout: reachWithin, KeepAliveConfig: Alive}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", runner)
		if err == nil {
			host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
			return conn, json.NewEncoder(conn).Encode(Hello{Instance: instance, Token: token, Address: host, Clock: time.Now()})
		}
		select {
		case <-time.After(reachAgain):
		case <-ctx.Done():
			return nil, fmt.Errorf("reach the runner at %s: %w", runner, err)
		}
	}
}

// Run is the first process of the pod of an instance. It gives the exit status that the container is to have: that of the program, or 128 and
// the signal's number.
func Run(ctx context.Context, runner, instance string) (status int, err error) {
	token := os.Getenv(TokenVariable)
	conn, err := Dial(ctx, runner, instance, token)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	p := &pod{conn: conn, say: json.NewEncoder(conn), hear: json.NewDecoder(conn)}
	var first Order
	if err := p.hear.Decode(&first); err != nil {
		return 0, fmt.Errorf("hear from the runner what to execute: %w", err)
	}
	if first.Execute == nil {
		return 0, errors.New("the runner did not say first what to execute")
	}
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM) // the kubelet's, when somebody else deletes or evicts the pod
	defer signal.Stop(terms)
	if err := p.start(*first.Execute); err != nil {
		return 0, errors.Join(err, p.report(Report{ID: first.ID, Error: err.Error()}))
	}
	if err := p.report(Report{ID: first.ID}); err != nil {
		return 0, errors.Join(err, p.send(unix.SIGKILL))
	}
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		p.obey()
	}()
	go func() {
		for range terms {
			_ = p.send(unix.SIGTERM) // an error says that it has ended
		}
	}()
	end := p.wait()
	if p.report(Report{Ended: &end.Ended}) == nil {
		select {
		case <-lost:
		case <-time.After(partWithin):
		}
	}
	return end.status, nil
}

// pod is the program of one.
type pod struct {
	conn net.Conn
	hear *json.Decoder

	talk sync.Mutex
	say  *json.Encoder

	mu    sync.Mutex
	pid   int
	ended bool
}

func (p *pod) report(r Report) error {
	p.talk.Lock()
	defer p.talk.Unlock()
	return p.say.Encode(r)
}

// start executes the program in a process group of its own.
func (p *pod) start(what Program) error {
	if err := os.MkdirAll(what.Dir, 0o777); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(what.Files)) {
		if err := os.WriteFile(filepath.Join(what.Dir, filepath.Base(name)), []byte(what.Files[name]), 0o644); err != nil {
			return err
		}
	}
	path, words, err := executable(what)
	if err != nil {
		return err
	}
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer nothing.Close()
	process, err := os.StartProcess(path, words, &os.ProcAttr{
		Env: environment(os.Environ(), what.Env), Files: []*os.File{nothing, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return err
	}
	p.pid = process.Pid
	return nil
}

func executable(what Program) (path string, words []string, err error) {
	if what.Self {
		path, err = os.Executable()
		return path, append([]string{path}, what.Words...), err
	}
	if len(what.Words) == 0 {
		return "", nil, errors.New("nothing to execute")
	}
	if path, err = exec.LookPath(what.Words[0]); err != nil {
		return "", nil, fmt.Errorf("the image has no program %q: %w", what.Words[0], err)
	}
	return path, what.Words, nil
}

// environment is the image's, less what the cluster and this package have put into it, and the program's own.
func environment(image []string, own map[string]string) []string {
	env := slices.DeleteFunc(slices.Clone(image), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		_, ours := own[name]
		return ours || name == TokenVariable || strings.HasPrefix(name, "KUBERNETES_")
	})
	for _, name := range slices.Sorted(maps.Keys(own)) {
		env = append(env, name+"="+own[name])
	}
	return env
}

// obey sends signals until the runner is gone, and then ends the program.
func (p *pod) obey() {
	for {
		var o Order
		if err := p.hear.Decode(&o); err != nil {
			if p.send(unix.SIGKILL) == nil && !errors.Is(err, net.ErrClosed) {
				fmt.Fprintf(os.Stderr, "throughline: the runner is gone (%v), and with it this instance\n", err)
			}
			return
		}
		r := Report{ID: o.ID}
		if err := p.order(o.Signal); err != nil {
			r.Error = err.Error()
		}
		if err := p.report(r); err != nil && !errors.Is(err, io.EOF) {
			continue // the next Decode tells
		}
	}
}

func (p *pod) order(name string) error {
	switch s := unix.SignalNum(name); s {
	case unix.SIGTERM, unix.SIGKILL, unix.SIGCONT:
		return p.send(s)
	case unix.SIGSTOP:
		if err := p.send(s); err != nil {
			return err
		}
		return p.awaitStopped()
	}
	return fmt.Errorf("%q is no signal that is sent here", name)
}

// send sends a signal: SIGTERM to the program, and what no program can refuse to all that it has started too.
func (p *pod) send(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return errors.New("it has ended")
	case s == unix.SIGTERM:
		return unix.Kill(p.pid, s)
	}
	return unix.Kill(-p.pid, s)
}

const (
	askState    = time.Millisecond
	stopsWithin = 5 * time.Second
)

// awaitStopped returns when the kernel has stopped the program.
// Source: proc(5), /proc/pid/stat, the third field, which comes after the last parenthesis.
func (p *pod) awaitStopped() error {
	for deadline := time.Now().Add(stopsWithin); ; time.Sleep(askState) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
		if strings.HasPrefix(rest, "T") {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it is not stopped %v after SIGSTOP", stopsWithin)
		}
	}
}

// end is the end of a program.
type end struct {
	Ended
	status int // of the container
}

// wait returns when the program has ended. The first process of a pod inherits the children of those that have ended, and waits for them too.
func (p *pod) wait() end {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.EINTR || err == nil && pid != p.pid {
			continue
		}
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		switch {
		case err != nil: // there is no child: this cannot be, for nobody else waits
			return end{Ended{Code: -1}, 1}
		case status.Signaled():
			return end{Ended{Code: -1, Signal: unix.SignalName(status.Signal())}, 128 + int(status.Signal())}
		}
		return end{Ended{Code: status.ExitStatus()}, status.ExitStatus()}
	}
}

// Copy puts this binary into a directory, from where an image of somebody else's can execute it.
func Copy(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, Binary), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// Binary is what this program's file is called in images and by Copy.
const Binary = "throughline"
