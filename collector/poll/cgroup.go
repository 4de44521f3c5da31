package poll

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// cgroupDirs are where the kernel accounts for the CPU of one cgroup.
type cgroupDirs struct {
	cpu     string // v2: all of it
	cpuacct string // v1: the usage; often the same as cpu. "" = v2
}

// cgroupUsage is what a cgroup's files say of its CPU.
type cgroupUsage struct {
	used             float64 // seconds
	counts           bool    // the kernel counts periods here, as soon as there is a limit
	periods          uint64
	throttledPeriods uint64
	throttled        float64 // seconds
	cores            float64 // the limit; 0 = none
}

// findCgroup finds the directories of a process's cgroup among what is mounted.
// Where version 1 has the controller cpu, version 2 has it not.
func findCgroup(mounts []*procfs.MountInfo, memberships []procfs.Cgroup) (cgroupDirs, error) {
	find := func(controller string) (string, bool) {
		for _, c := range memberships {
			if controller == "" && c.HierarchyID != 0 || controller != "" && !slices.Contains(c.Controllers, controller) {
				continue
			}
			for _, m := range mounts {
				_, v1 := m.SuperOptions[controller]
				if m.FSType == "cgroup2" && controller == "" || m.FSType == "cgroup" && controller != "" && v1 {
					// A container's mount begins at a group of its own.
					return filepath.Join(m.MountPoint, strings.TrimPrefix(c.Path, strings.TrimSuffix(m.Root, "/"))), true
				}
			}
		}
		return "", false
	}
	if cpu, ok := find("cpu"); ok {
		cpuacct, ok := find("cpuacct")
		if !ok {
			return cgroupDirs{}, errors.New("its cgroup has the controller cpu, but cpuacct is not mounted, so nobody counts what it uses")
		}
		return cgroupDirs{cpu: cpu, cpuacct: cpuacct}, nil
	}
	if unified, ok := find(""); ok {
		return cgroupDirs{cpu: unified}, nil
	}
	return cgroupDirs{}, errors.New("no mounted cgroup accounts for its CPU")
}

func (d cgroupDirs) read() (cgroupUsage, error) {
	var texts []string
	names := []string{filepath.Join(d.cpu, "cpu.stat"), filepath.Join(d.cpu, "cpu.max")}
	if d.cpuacct != "" {
		names = []string{filepath.Join(d.cpu, "cpu.stat"), filepath.Join(d.cpu, "cpu.cfs_quota_us"),
			filepath.Join(d.cpu, "cpu.cfs_period_us"), filepath.Join(d.cpuacct, "cpuacct.usage")}
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return cgroupUsage{}, err
		}
		texts = append(texts, string(text))
	}
	if d.cpuacct == "" {
		return parseV2(texts[0], texts[1])
	}
	return parseV1(texts[0], texts[1], texts[2], texts[3])
}

// parseV2 reads cpu.stat, whose times are in microseconds, and cpu.max, which is
// "QUOTA PERIOD", both in microseconds, the quota "max" for no limit.
// Source: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
func parseV2(stat, limit string) (cgroupUsage, error) {
	keys, err := flatKeyed(stat)
	if err != nil {
		return cgroupUsage{}, err
	}
	used, ok := keys["usage_usec"]
	if !ok {
		return cgroupUsage{}, errors.New("cpu.stat: has no usage_usec")
	}
	a := cgroupUsage{used: float64(used) / 1e6, throttled: float64(keys["throttled_usec"]) / 1e6}
	a.periods, a.counts = keys["nr_periods"]
	a.throttledPeriods = keys["nr_throttled"]
	quota, period, ok := strings.Cut(strings.TrimSpace(limit), " ")
	if !ok {
		return cgroupUsage{}, fmt.Errorf("cpu.max: %q is not a quota and a period", limit)
	}
	if quota != "max" {
		a.cores, err = ratio(quota, period)
	}
	return a, err
}

// parseV1 reads cpu.stat and cpuacct.usage, whose times are in nanoseconds, and
// cpu.cfs_quota_us over cpu.cfs_period_us, the quota -1 for no limit.
// Sources: https://docs.kernel.org/scheduler/sched-bwc.html,
// https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html
func parseV1(stat, quota, period, used string) (cgroupUsage, error) {
	keys, err := flatKeyed(stat)
	if err != nil {
		return cgroupUsage{}, err
	}
	nanoseconds, err := strconv.ParseUint(strings.TrimSpace(used), 10, 64)
	if err != nil {
		return cgroupUsage{}, fmt.Errorf("cpuacct.usage: %q is not a number of nanoseconds", used)
	}
	a := cgroupUsage{used: float64(nanoseconds) / 1e9, throttled: float64(keys["throttled_time"]) / 1e9}
	a.periods, a.counts = keys["nr_periods"]
	a.throttledPeriods = keys["nr_throttled"]
	if strings.TrimSpace(quota) != "-1" {
		a.cores, err = ratio(quota, period)
	}
	return a, err
}

// flatKeyed reads lines of a key and a number.
func flatKeyed(text string) (map[string]uint64, error) {
	keys := map[string]uint64{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.ParseUint(value, 10, 64)
		if err != nil || key == "" {
			return nil, fmt.Errorf("cpu.stat: %q is not a key and a number", line)
		}
		keys[key] = number
	}
	return keys, nil
}

// ratio is how many CPUs a quota of a period is, both in microseconds.
func ratio(quota, period string) (float64, error) {
	q, errQ := strconv.ParseUint(strings.TrimSpace(quota), 10, 64)
	p, errP := strconv.ParseUint(strings.TrimSpace(period), 10, 64)
	if errQ != nil || errP != nil || q == 0 || p == 0 {
		return 0, fmt.Errorf("the quota %q of the period %q is no share of CPU", quota, period)
	}
	return float64(q) / float64(p), nil
}
