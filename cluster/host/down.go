//go:build linux

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Down ends the cluster and removes all of it: processes, control groups, network, files; and with the last cluster it puts
// back the machine's settings. It is safe to repeat, and where there is nothing it does nothing.
func (c *Cluster) Down() error {
	if os.Geteuid() != 0 {
		return errors.New("down: what root has brought up, root alone takes down: run as root")
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return c.remove()
}

// remove is Down for whoever has the lock.
func (c *Cluster) remove() error {
	if err := c.end(); err != nil {
		return err
	}
	unlock, err := lockMachine()
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	if others, err := filepath.Glob(filepath.Join(Home, "*", "cluster.json")); err != nil || len(others) > 0 {
		return err
	}
	if err := machine().restore(); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	if err := os.Remove(Home); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("down: %w", err)
	}
	return nil
}

// end ends all that runs, and leaves the files.
func (c *Cluster) end() error {
	if err := c.groups.Kill("", patience); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	if err := errors.Join(c.groups.Remove(""), c.unplug()); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	return nil
}

// Left lists all that is there of a cluster: after Down, nothing.
func (c *Cluster) Left() []string {
	var left []string
	for _, id := range c.groups.Processes("") {
		left = append(left, fmt.Sprintf("process %d", id))
	}
	if c.groups.Exists("") {
		left = append(left, "control group "+c.groups.Path(""))
	}
	for _, path := range []string{filepath.Join("/run/netns", c.Name()), filepath.Join("/sys/class/net", c.Name()), c.dir} {
		if _, err := os.Lstat(path); err == nil {
			left = append(left, path)
		}
	}
	if err := c.free(); err != nil {
		left = append(left, err.Error())
	}
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), c.dir) {
		left = append(left, fmt.Sprintf("a mount in %s (%v)", c.dir, err))
	}
	return left
}
