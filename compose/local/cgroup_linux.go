package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/prometheus/procfs"

	"throughline/compose"
)

var (
	_ compose.Measured = (*instance)(nil)
	_ compose.Limiter  = (*instance)(nil)
)

// period is what a quota of CPU refers to, in microseconds: the kernel's default.
const period = 100_000

// cpuTree is where cgroups that limit CPU can be made.
type cpuTree struct {
	v2 bool
	// dirs hold the platforms' groups. v1: the runner's own group of the
	// controllers cpu, which limits, and cpuacct, which counts; one directory
	// where they are mounted together. v2: the root, because the runner's own
	// group holds processes and so cannot have children that are limited.
	dirs []string
}

// findCPUTree looks at what is mounted. Where version 1 has the controller cpu,
// version 2 has it not.
func findCPUTree() (cpuTree, error) {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return cpuTree{}, err
	}
	self, err := procfs.Self()
	if err != nil {
		return cpuTree{}, err
	}
	groups, err := self.Cgroups()
	if err != nil {
		return cpuTree{}, err
	}
	return cpuTreeOf(mounts, groups)
}

func cpuTreeOf(mounts []*procfs.MountInfo, groups []procfs.Cgroup) (cpuTree, error) {
	var tree cpuTree
	unified := ""
	for _, m := range mounts {
		if m.FSType == "cgroup2" {
			unified = m.MountPoint
		}
	}
	for _, controller := range []string{"cpu", "cpuacct"} {
		for _, g := range groups {
			for _, m := range mounts {
				if _, has := m.SuperOptions[controller]; !has || m.FSType != "cgroup" || !slices.Contains(g.Controllers, controller) {
					continue
				}
				// A container's mount begins at a group of its own.
				dir := filepath.Join(m.MountPoint, strings.TrimPrefix(g.Path, strings.TrimSuffix(m.Root, "/")))
				if !slices.Contains(tree.dirs, dir) {
					tree.dirs = append(tree.dirs, dir)
				}
			}
		}
	}
	switch {
	case len(tree.dirs) > 0:
		return tree, nil
	case unified != "":
		return cpuTree{v2: true, dirs: []string{unified}}, nil
	}
	return cpuTree{}, errors.New("no cgroups are mounted")
}

// CanLimitCPU says why this user cannot limit the CPU of instances on this
// machine; nil if it can. It tries, and leaves nothing behind.
func CanLimitCPU() error {
	cannot := func(err error) error {
		return fmt.Errorf("limit CPU: %w; it needs root and a cgroup controller cpu (version 1, or version 2 with cpu in the root's cgroup.subtree_control)", err)
	}
	tree, err := findCPUTree()
	if err != nil {
		return cannot(err)
	}
	platform := "throughline-probe-" + strconv.Itoa(os.Getpid())
	_, err = tree.make(platform, "probe")
	if err == nil {
		err = tree.limit(filepath.Join(tree.dirs[0], platform, "probe"), compose.MinCPUs)
	}
	if err = errors.Join(err, tree.remove(platform)); err != nil {
		return cannot(err)
	}
	return nil
}

// make makes the group of an instance and gives its directories.
func (t cpuTree) make(platform, name string) ([]string, error) {
	var made []string
	for _, dir := range t.dirs {
		parent := filepath.Join(dir, platform)
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return nil, err
		}
		if t.v2 {
			if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+cpu"), 0o644); err != nil {
				return nil, fmt.Errorf("the controller cpu is not to be had: %w", err)
			}
		}
		mine := filepath.Join(parent, name)
		if err := os.MkdirAll(mine, 0o755); err != nil {
			return nil, err
		}
		made = append(made, mine)
	}
	return made, nil
}

// limit writes the quota of the group in dir and reads it back.
// Sources: https://docs.kernel.org/scheduler/sched-bwc.html,
// https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
func (t cpuTree) limit(dir string, cpus float64) error {
	quota := strconv.Itoa(int(math.Round(cpus * period)))
	file, text := "cpu.cfs_quota_us", quota
	switch {
	case t.v2 && cpus == 0:
		file, text = "cpu.max", fmt.Sprintf("max %d", period)
	case t.v2:
		file, text = "cpu.max", fmt.Sprintf("%s %d", quota, period)
	case cpus == 0:
		text = "-1"
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	holds, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(holds)) != text {
		err = fmt.Errorf("%s: holds %q after %q was written", path, strings.TrimSpace(string(holds)), text)
	}
	return err
}

// remove removes a platform's groups, in which nothing runs any more.
func (t cpuTree) remove(platform string) error {
	var errs []error
	for _, dir := range t.dirs {
		parent := filepath.Join(dir, platform)
		entries, err := os.ReadDir(parent)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		errs = append(errs, err)
		for _, e := range entries {
			if e.IsDir() {
				errs = append(errs, syscall.Rmdir(filepath.Join(parent, e.Name())))
			}
		}
		errs = append(errs, syscall.Rmdir(parent))
	}
	return errors.Join(errs...)
}

// removeGroups removes what a platform may have made.
func removeGroups(platform string) error {
	tree, err := findCPUTree()
	if err != nil {
		return nil // nothing can have been made
	}
	return tree.remove(platform)
}

// Footprint is the leader's number, and whether LimitCPU gave the instance a
// cgroup of its own.
func (i *instance) Footprint(context.Context) (compose.Footprint, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.reaped {
		return compose.Footprint{}, i.isGone("measure")
	}
	return compose.Footprint{PID: i.pid, OwnCgroup: i.limited}, nil
}

// LimitCPU puts the group into a cgroup of its own, at the first time, and sets
// the quota of that.
func (i *instance) LimitCPU(ctx context.Context, cpus float64) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.reaped {
		return i.isGone("limit")
	}
	if cpus != 0 && cpus < compose.MinCPUs {
		return fmt.Errorf("limit %s: %v CPUs are too few; want %v at least", i.name, cpus, compose.MinCPUs)
	}
	tree, err := findCPUTree()
	if err == nil {
		var dirs []string
		if dirs, err = tree.make(i.platform, i.name); err == nil {
			if err = i.enter(ctx, dirs); err == nil {
				err = tree.limit(dirs[0], cpus)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("limit %s to %v CPUs: %w", i.name, cpus, err)
	}
	i.limited = true
	return nil
}

// enter moves every process of the group. One that is born meanwhile may be born
// outside, so it looks again until none was.
func (i *instance) enter(ctx context.Context, dirs []string) error {
	for moved := true; moved; {
		moved = false
		for _, dir := range dirs {
			procs := filepath.Join(dir, "cgroup.procs")
			inside, err := os.ReadFile(procs)
			if err != nil {
				return err
			}
			members := strings.Fields(string(inside))
			for _, p := range processes() {
				pid := strconv.Itoa(p.pid)
				if p.group != i.pid || !p.alive() || slices.Contains(members, pid) {
					continue
				}
				if err := os.WriteFile(procs, []byte(pid), 0o644); err != nil && !errors.Is(err, syscall.ESRCH) {
					return err
				}
				moved = true
			}
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}
