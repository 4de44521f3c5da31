//go:build linux

// Package host brings a cluster up on this machine and takes it down: network, control plane, nodes, images, and what is done
// to nodes on purpose. All of it can be found again from the cluster's number alone (folder, control group, namespace), so each
// call is made by another process, and Down removes what one that was killed has left. The command line and the tests call it.
//
// It is no way to run Kubernetes for anything but tests: etcd does not sync, nobody renews certificates, nodes share a kernel.
package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"throughline/cluster/cgroup"
	"throughline/cluster/plan"
)

// Home is where clusters have their folders. A node needs it on a real disk: containers' file systems are overlays.
const Home = "/var/lib/throughline-cluster"

// locks outlive the folders of clusters, and are gone when the machine starts anew.
const locks = "/run/lock"

// Cluster is one on this machine, whether it runs or not.
type Cluster struct {
	plan.Cluster
	dir    string // everything that it has on disk
	bin    string // the programs of Kubernetes, and the pause image
	groups cgroup.Tree
	say    func(format string, args ...any)
}

// Open gives the cluster with a number. bin is the folder that `make cluster` fills. What goes on is told to progress.
func Open(index int, bin string, progress io.Writer) (*Cluster, error) {
	p, err := plan.New(index, 1)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	c := &Cluster{Cluster: p, bin: bin, dir: filepath.Join(Home, p.Name()), say: func(format string, args ...any) {
		fmt.Fprintf(progress, "cluster: %4.1f s: %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}}
	if c.groups, err = cgroup.Open(cgroup.Mount, p.Name()); err != nil {
		return nil, err
	}
	if s, err := c.state(); err == nil {
		c.Nodes = s.Nodes
	}
	return c, nil
}

// state is what the number of a cluster does not tell.
type state struct {
	Nodes int
	Held  bool // it goes when its last holder does
}

func (c *Cluster) state() (state, error) {
	var s state
	text, err := os.ReadFile(c.at("cluster.json"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

func (c *Cluster) save(s state) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(c.at("cluster.json"), text, 0o600)
}

func (c *Cluster) at(path ...string) string {
	return filepath.Join(append([]string{c.dir}, path...)...)
}

// Kubeconfig is the file with which an administrator talks to the cluster.
func (c *Cluster) Kubeconfig() string { return c.at("pki", "admin.kubeconfig") }

// lock waits until nobody else changes the cluster.
func (c *Cluster) lock() (unlock func(), err error) {
	f, err := flock(c.Name()+".lock", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// lockMachine waits until no other cluster comes or goes: the first notes the machine's settings, and the last puts them back.
func lockMachine() (unlock func(), err error) {
	f, err := flock("tl-k8s.lock", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

func flock(name string, how int) (*os.File, error) {
	if err := os.MkdirAll(locks, 0o755); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(locks, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		if err = syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// plugins is where network plugins are: Debian's folder, or that of everybody else.
var plugins = []string{"/usr/lib/cni", "/opt/cni/bin"}

// check says what this machine lacks for a cluster.
func (c *Cluster) check() error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster's nodes are namespaces and control groups, which root alone makes: run as root")
	}
	for _, name := range []string{"kubernetes", "kubelet", pauseFile} {
		if _, err := os.Stat(filepath.Join(c.bin, name)); err != nil {
			return fmt.Errorf("%w: make cluster builds it", err)
		}
	}
	for _, program := range []string{"ip", "iptables", "containerd", "ctr", "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: make cluster installs it", err)
		}
	}
	_, err := c.plugins()
	return err
}

func (c *Cluster) plugins() (string, error) {
	for _, dir := range plugins {
		if _, err := os.Stat(filepath.Join(dir, "host-local")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("network plugins (bridge, host-local, portmap): none in %v: make cluster installs them", plugins)
}
