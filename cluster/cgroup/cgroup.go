// Package cgroup keeps all processes of a cluster within one control group, by which they are found again and ended whoever
// started them: process ids in a file may long be others'. It knows both layouts of /sys/fs/cgroup. Package host makes
// and removes the groups; the kubelet makes further ones below, and containers are in those.
//
// Version 2 is as https://docs.kernel.org/admin-guide/cgroup-v2.html has it.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Mount is where control groups are on any Linux of today.
const Mount = "/sys/fs/cgroup"

// Tree is a group and all below it. Paths within it are relative: "node1/daemons", and "" for the group itself.
type Tree struct {
	name      string
	roots     []string // one for each hierarchy; version 2 has one
	processes string   // the root of the hierarchy in which processes are found
	unified   bool
}

// Open finds the hierarchies below a mount (Mount) and makes nothing.
func Open(mount, name string) (Tree, error) {
	t := Tree{name: name}
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil {
		t.unified, t.processes, t.roots = true, mount, []string{mount}
		return t, nil
	}
	entries, err := os.ReadDir(mount)
	if err != nil {
		return Tree{}, fmt.Errorf("control groups: %w", err)
	}
	for _, e := range entries {
		root := filepath.Join(mount, e.Name())
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil || !e.IsDir() || e.Name() == "unified" {
			continue // links to hierarchies with several controllers are none of their own
		}
		t.roots = append(t.roots, root)
		if e.Name() == "pids" || t.processes == "" {
			t.processes = root
		}
	}
	if t.processes == "" {
		return Tree{}, fmt.Errorf("control groups: %s has none", mount)
	}
	return t, nil
}

// Make makes a group, and those above it, in every hierarchy.
func (t Tree) Make(path string) error {
	for _, root := range t.roots {
		at := root
		for _, part := range strings.Split(filepath.Join(t.name, path), "/") {
			if t.unified {
				if err := delegate(at); err != nil {
					return err
				}
			}
			above := at
			at = filepath.Join(at, part)
			if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("control group: %w", err)
			}
			if err := inherit(above, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate lets a group's children have its controllers.
func delegate(dir string) error {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("control group: %w", err)
	}
	for _, controller := range strings.Fields(string(have)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("control group: controller %s for what is below: %w", controller, err)
		}
	}
	return nil
}

// inherit gives a new group of version 1 the CPUs and memory of the one above, without which nobody can be in it.
func inherit(above, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(above, file))
		if err != nil {
			continue // this hierarchy has no cpusets, or version 2, where to set nothing means all
		}
		if own, err := os.ReadFile(filepath.Join(dir, file)); err == nil && strings.TrimSpace(string(own)) == "" {
			if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
				return fmt.Errorf("control group: %w", err)
			}
		}
	}
	return nil
}

// Door is the file of a group to which a process writes "0" to be within, and with it all that it starts.
func (t Tree) Door(path string) string {
	return filepath.Join(t.processes, t.name, path, "cgroup.procs")
}

// Path is what the kubelet calls a group (cgroupRoot).
func (t Tree) Path(path string) string { return "/" + filepath.Join(t.name, path) }

// Exists says whether anything is left of a group, in any hierarchy.
func (t Tree) Exists(path string) bool {
	return slices.ContainsFunc(t.roots, func(root string) bool {
		_, err := os.Stat(filepath.Join(root, t.name, path))
		return err == nil
	})
}

// Processes gives the ids of all in a group and below.
func (t Tree) Processes(path string) []int {
	var ids []int
	_ = filepath.WalkDir(filepath.Join(t.processes, t.name, path), func(at string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil // a group may go while it is looked at, and nobody is in it then
		}
		list, _ := os.ReadFile(filepath.Join(at, "cgroup.procs"))
		for _, line := range strings.Fields(string(list)) {
			if id, err := strconv.Atoi(line); err == nil && id > 0 {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids
}

// Kill ends everybody in a group and below, and waits until they are gone. What they start meanwhile ends as well.
func (t Tree) Kill(path string, patience time.Duration) error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		ids := t.Processes(path)
		if len(ids) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("control group %s: processes %v do not end after SIGKILL", t.Path(path), ids)
		}
		for _, id := range ids {
			_ = syscall.Kill(id, syscall.SIGKILL) // it may have ended by itself
		}
	}
}

// Remove removes a group and all below, in which nobody may be.
func (t Tree) Remove(path string) error {
	var errs []error
	for _, root := range t.roots {
		var groups []string
		_ = filepath.WalkDir(filepath.Join(root, t.name, path), func(at string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				groups = append(groups, at)
			}
			return nil
		})
		slices.Reverse(groups) // what is below first
		for _, g := range groups {
			if err := os.Remove(g); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("control group: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}
