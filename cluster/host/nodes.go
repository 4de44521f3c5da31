//go:build linux

package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"throughline/cluster/config"
	"throughline/cluster/node"
	"throughline/cluster/plan"
)

// daemons is the group of a node's own processes, and pods that below which the kubelet makes groups for containers: version
// 2 has processes in the leaves alone.
func daemons(n plan.Node) string { return filepath.Join(n.Name, "daemons") }
func pods(n plan.Node) string    { return filepath.Join(n.Name, "pods") }

// patience is how long anything may take that takes a second where nothing is wrong: a busy machine is not an error.
const patience = 2 * time.Minute

// NodeProgram is the first argument by which this program makes a node of itself (package node).
const NodeProgram = "node"

// StartNode starts a node that does not run, new or killed, and returns when its kubelet has been started.
func (c *Cluster) StartNode(name string) error {
	return c.change(name, func(n plan.Node) error {
		if c.process(n) != 0 {
			return fmt.Errorf("start %s: it runs already", n.Name)
		}
		return errors.Join(c.startNode(n), c.routeServices())
	})
}

// KillNode pulls a node's plug: all its processes end at once, and nobody answers for them.
func (c *Cluster) KillNode(name string) error {
	return c.change(name, func(n plan.Node) error {
		id := c.process(n)
		if id == 0 {
			return fmt.Errorf("kill %s: it does not run", n.Name)
		}
		if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill %s: %w", n.Name, err)
		}
		return errors.Join(c.groups.Kill(n.Name, patience), c.routeServices())
	})
}

// KillKubelet ends a node's kubelet alone; its containers go on.
func (c *Cluster) KillKubelet(name string) error {
	return c.change(name, func(n plan.Node) error {
		id := c.named(n, "kubelet")
		if id == 0 {
			return fmt.Errorf("kill kubelet of %s: it does not run", n.Name)
		}
		if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill kubelet of %s: %w", n.Name, err)
		}
		return nil
	})
}

// StartKubelet starts a kubelet that was killed.
func (c *Cluster) StartKubelet(name string) error {
	return c.change(name, func(n plan.Node) error {
		id := c.process(n)
		if id == 0 {
			return fmt.Errorf("start kubelet of %s: the node does not run: start-node starts it", n.Name)
		}
		return syscall.Kill(id, node.Start)
	})
}

// change finds a node of a cluster that is up, and keeps others away from it meanwhile.
func (c *Cluster) change(name string, do func(plan.Node) error) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	s, err := c.state()
	if err != nil {
		return fmt.Errorf("cluster %d: is not up: %w", c.Index, err)
	}
	c.Nodes = s.Nodes
	n, err := c.Find(name)
	if err != nil {
		return err
	}
	return do(n)
}

// startNode starts a node from nothing or from what a killed one has left, gives it the pause image, and then its kubelet.
func (c *Cluster) startNode(n plan.Node) error {
	// What a killed node leaves is empty, and the kubelet would wait seconds for each of these groups to go.
	if err := c.groups.Remove(n.Name); err != nil {
		return err
	}
	if err := errors.Join(c.groups.Make(daemons(n)), c.groups.Make(pods(n))); err != nil {
		return err
	}
	plugins, err := c.plugins()
	if err != nil {
		return err
	}
	home := c.at(n.Name)
	err = config.Write(home, c.at("pki"), config.Node{Cluster: c.Cluster, Node: n, Group: c.groups.Path(pods(n)), Pause: Pause, Plugins: plugins})
	if err != nil {
		return err
	}
	d, id, err := c.isolate(n, home)
	if err != nil {
		return err
	}
	if err := c.await(n, d, id); err != nil {
		return err
	}
	if err := load(n, id, filepath.Join(c.bin, pauseFile)); err != nil {
		return err
	}
	return syscall.Kill(id, node.Start)
}

// isolate starts process 1 of a node in namespaces of its own, and plugs its network in.
func (c *Cluster) isolate(n plan.Node, home string) (*daemon, int, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", n.Name, err)
	}
	hears, cabled, err := os.Pipe()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", n.Name, err)
	}
	defer cabled.Close()
	cmd := exec.Command(self, NodeProgram, "--index", strconv.Itoa(c.Index), "--nodes", strconv.Itoa(c.Nodes), "--home", home, "--bin", c.bin,
		"--door", c.groups.Door(daemons(n)), n.Name)
	cmd.ExtraFiles = []*os.File{hears}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET,
	}
	d, err := c.launch(cmd, n.Name)
	hears.Close()
	if err != nil {
		return nil, 0, err
	}
	id := cmd.Process.Pid
	if err := c.plug(n, id); err != nil {
		return nil, 0, err // the pipe closes without a byte, and so the process ends
	}
	_, err = cabled.Write([]byte{1})
	return d, id, err
}

// await returns when a node's container runtime answers.
func (c *Cluster) await(n plan.Node, d *daemon, id int) error {
	for end := time.Now().Add(patience); ; {
		conn, err := net.Dial("unix", within(id, node.Socket))
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-d.ended:
			return d.why(err)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: containerd does not answer (%w):\n%s", n.Name, err, tail(c.at(n.Name, "var/log/containerd.log")))
		}
	}
}

// within gives a path in the file system that a process sees.
func within(id int, path string) string {
	return filepath.Join("/proc", strconv.Itoa(id), "root", path)
}
