//go:build linux

// Package node is process 1 of a node: in namespaces of its own it makes itself a machine (mounts, addresses, routes), starts
// the container runtime, and, each time that it is told, the kubelet and the kube-proxy where they do not run. When it is
// killed, all in it die at once, as if the plug were pulled. The command line calls it; package host starts and tells it.
//
// It does not start again what dies: to kill a kubelet is a fault that is meant to last.
package node

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"throughline/cluster/config"
	"throughline/cluster/plan"
)

// Socket is where the node's container runtime listens, as seen from within.
const Socket = "/run/containerd/containerd.sock"

// tools is where the node finds the programs of Kubernetes: wherever they are on this machine, its /var may hide them.
const tools = "/run/kubernetes"

// Start is the signal by which the kubelet and the kube-proxy are started.
const Start = syscall.SIGHUP

// Node is what process 1 has to know.
type Node struct {
	Cluster plan.Cluster
	Node    plan.Node
	Home    string // its folder on this machine, whose var is its own /var
	Bin     string // the programs of Kubernetes
	Door    string // by which it enters its control group
}

// Run makes a node of this process and returns only when that fails. It waits for a byte on cabled: its network card (eth0)
// has been plugged in then.
func Run(n Node, cabled io.Reader) error {
	starts := make(chan os.Signal, 1)
	signal.Notify(starts, Start)
	if err := os.WriteFile(n.Door, []byte("0"), 0o644); err != nil {
		return fmt.Errorf("%s: control group: %w", n.Node.Name, err)
	}
	if _, err := io.ReadFull(cabled, make([]byte, 1)); err != nil {
		return fmt.Errorf("%s: whoever started it has left before its network was there: %w", n.Node.Name, err)
	}
	if err := errors.Join(n.mount(), syscall.Sethostname([]byte(n.Node.Name))); err != nil {
		return fmt.Errorf("%s: %w", n.Node.Name, err)
	}
	if err := n.connect(); err != nil {
		return fmt.Errorf("%s: %w", n.Node.Name, err)
	}
	running := map[string]int{}
	if err := n.start(running, "containerd", "containerd", "--config", config.Containerd); err != nil {
		return err
	}
	ended := make(chan int)
	go reap(ended)
	for {
		select {
		case pid := <-ended:
			for name, p := range running {
				if p == pid {
					log.Printf("%s has ended", name)
					delete(running, name)
				}
			}
		case <-starts:
			err := errors.Join(
				n.start(running, "kubelet", filepath.Join(tools, "kubelet"), "--config="+config.Kubelet, "--kubeconfig="+config.KubeletProfile,
					"--hostname-override="+n.Node.Name, "--node-ip="+n.Node.Addr.String(), "--root-dir=/var/lib/kubelet"),
				n.start(running, "kube-proxy", filepath.Join(tools, "kube-proxy"), "--config="+config.Proxy))
			if err != nil {
				log.Print(err)
			}
		}
	}
}

// start starts a program unless it runs, with a log of its own. Nobody waits for it but reap.
func (n Node) start(running map[string]int, name, program string, args ...string) error {
	if running[name] != 0 {
		return nil
	}
	to, err := os.OpenFile(filepath.Join("/var/log", name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", n.Node.Name, name, err)
	}
	defer to.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = to, to
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %s: %w", n.Node.Name, name, err)
	}
	running[name] = cmd.Process.Pid
	return nil
}

// reap waits for all that end here, orphans too, as process 1 has to.
func reap(ended chan<- int) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for range children {
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if pid <= 0 || err != nil {
				break
			}
			ended <- pid
		}
	}
}

// mount gives the node its own /proc, /sys (that of its network), /run and /var, and leaves the rest as it is here.
func (n Node) mount() error {
	groups := filepath.Join(n.Home, "groups") // keeps the control groups while /sys changes
	for _, dir := range []string{groups, n.at("var/lib/kubelet"), n.at("var/log/pods"), n.at("var/log/containers"), n.at("var/tmp")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink("/run", n.at("var/run")); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, m := range []struct {
		from, at, kind string
		flags          uintptr
	}{
		{"none", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"/sys/fs/cgroup", groups, "", syscall.MS_BIND | syscall.MS_REC},
		{"sysfs", "/sys", "sysfs", 0},
		{groups, "/sys/fs/cgroup", "", syscall.MS_BIND | syscall.MS_REC},
		{"tmpfs", "/run", "tmpfs", 0},
		{n.Bin, tools, "", syscall.MS_BIND},
		{n.at("var"), "/var", "", syscall.MS_BIND}, // last: what it hides may be needed above
		{"none", "/", "", syscall.MS_REC | syscall.MS_SHARED},
	} {
		if strings.HasPrefix(m.at, "/run/") {
			if err := os.Mkdir(m.at, 0o755); err != nil {
				return err
			}
		}
		if err := syscall.Mount(m.from, m.at, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.from, m.at, err)
		}
	}
	return nil
}

func (n Node) at(path string) string { return filepath.Join(n.Home, path) }

// connect gives the card its address, and says by which node the pods of each are reached.
func (n Node) connect() error {
	lines := []string{
		"link set lo up",
		fmt.Sprintf("addr add %s/%d dev eth0", n.Node.Addr, n.Cluster.Network().Bits()),
		"link set eth0 up",
		"route add default via " + n.Cluster.Host().String(),
	}
	for _, other := range n.Cluster.All() {
		if other.Number != n.Node.Number {
			lines = append(lines, fmt.Sprintf("route add %s via %s", other.Pods, other.Addr))
		}
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("network: ip: %w: %s", err, out)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	// Without it a Service does not answer pods of the node that it is on. Where bridges are never filtered, the file is missing.
	err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0o644)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("network: %w", err)
	}
	return nil
}
