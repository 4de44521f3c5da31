//go:build linux

package host

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"throughline/cluster/plan"
)

// daemon is a process that outlives this one. It is found again by its control group.
type daemon struct {
	name  string
	log   string
	ended chan error
}

// spawn starts a program within a group of the cluster: a shell enters it and becomes the program, so that there is no
// moment in which a cluster that is cut short would lose the process.
func (c *Cluster) spawn(group, name, program string, args ...string) (*daemon, error) {
	cmd := exec.Command("sh", append([]string{"-c", `echo 0 >"$0" && exec "$@"`, c.groups.Door(group), program}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c.launch(cmd, name)
}

func (c *Cluster) launch(cmd *exec.Cmd, name string) (*daemon, error) {
	d := &daemon{name: name, log: c.at("log", name+".log"), ended: make(chan error, 1)}
	to, err := os.OpenFile(d.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer to.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, to, to
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() { d.ended <- cmd.Wait() }()
	return d, nil
}

// why is what a daemon said last.
func (d *daemon) why(err error) error {
	return fmt.Errorf("%s: has ended (%v):\n%s", d.name, err, tail(d.log))
}

// tail gives the last lines of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-10):], []byte("\n")))
}

// process gives the id of a node's process 1, or 0 where the node does not run.
func (c *Cluster) process(n plan.Node) int {
	for _, id := range c.groups.Processes(daemons(n)) {
		if isFirst(id) {
			return id
		}
	}
	return 0
}

// isFirst says whether a process is the first of a namespace just below this one's, by the line NSpid of proc_pid_status(5):
// its id here, then there.
func isFirst(id int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(id), "status"))
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(status), "\n") {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			ids := strings.Fields(ids)
			return len(ids) == 2 && ids[1] == "1"
		}
	}
	return false
}

// named gives the id of a node's process with a name, or 0.
func (c *Cluster) named(n plan.Node, name string) int {
	for _, id := range c.groups.Processes(daemons(n)) {
		comm, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(id), "comm"))
		if err == nil && strings.TrimSpace(string(comm)) == name {
			return id
		}
	}
	return 0
}
