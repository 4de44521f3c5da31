package poll

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"throughline/collector"
)

// HostInstance is an instance as the host's kernel knows it.
type HostInstance struct {
	Name string
	PID  int // its first process, as the host numbers it
	// OwnCgroup: the cgroup of PID holds the instance and nothing else. Without
	// it the instance is the process group PID.
	OwnCgroup bool
}

// Host makes samples of the CPU and the memory of instances, as the host sees
// them and as an agent inside sees them. The host's view, with the label
// instance:
//
//	host_cpu_seconds_total            what the instance used
//	host_cpu_limit_cores              what it may use; absent without a limit
//	host_cpu_periods_total            periods (of 100 ms, mostly) in which it wanted to run under a limit
//	host_cpu_throttled_periods_total  of these, in which it was stopped because it had used up its share
//	host_cpu_throttled_seconds_total  how long it was stopped, summed over its CPUs
//	host_memory_bytes                 resident memory of its processes; pages that they share count for each
//
// Limit, periods and throttling are told of instances with a cgroup of their own
// only; of others nobody keeps them. The agent's view is /proc/stat as the
// instance finds it, which is the whole machine's:
//
//	agent_cpu_seconds_total{instance, mode="user"|"nice"|"system"|"idle"|"iowait"|"irq"|"softirq"|"steal"}
//
// It is left out where this user may not look into the instance.
//
// Sources: proc_pid_stat(5) and proc_stat(5), read by procfs; see cgroup.go for
// the cgroups.
type Host struct {
	instances func(context.Context) ([]HostInstance, error)
	proc      procfs.FS
	mounts    []*procfs.MountInfo
}

// NewHost returns a poller of what instances lists at each poll. The error says
// that this system has no /proc to read.
func NewHost(instances func(context.Context) ([]HostInstance, error)) (*Host, error) {
	proc, err := procfs.NewFS(procfs.DefaultMountPoint)
	if err != nil {
		return nil, fmt.Errorf("the host's view of CPU: needs Linux: %w", err)
	}
	mounts, err := procfs.GetMounts()
	if err != nil {
		return nil, fmt.Errorf("the host's view of CPU: %w", err)
	}
	return &Host{instances: instances, proc: proc, mounts: mounts}, nil
}

// Poll implements collector.Poller. An instance that ends meanwhile is left out.
func (h *Host) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	instances, err := h.instances(ctx)
	if err != nil {
		return nil, err
	}
	var samples []collector.Sample
	var groups map[int]usage // read when first needed
	seen := inside{}
	for _, i := range instances {
		var mine []collector.Sample
		if i.OwnCgroup {
			mine, err = h.fromCgroup(i, at)
		} else {
			if groups == nil {
				if groups, err = h.groups(); err != nil {
					return nil, err
				}
			}
			mine = groups[i.PID].samples(i.Name, at)
		}
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", i.Name, err)
		}
		samples = append(append(samples, mine...), seen.by(i, at)...)
	}
	return samples, nil
}

// gone tells whether an error says that a process or its cgroup has ended.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENODEV)
}

// usage is what processes used together.
type usage struct {
	seconds float64 // with that of their children that have ended
	bytes   int
}

func (u usage) samples(instance string, at time.Time) []collector.Sample {
	if u == (usage{}) {
		return nil
	}
	s := sampler{collector.NewLabels("instance", instance), at}
	return []collector.Sample{
		s.sample("host_cpu_seconds_total", secondsMeta, u.seconds),
		s.sample("host_memory_bytes", bytesMeta, float64(u.bytes)),
	}
}

func (u usage) with(s procfs.ProcStat) usage {
	ended := procfs.ProcStat{UTime: uint(s.CUTime), STime: uint(s.CSTime)}
	u.seconds += s.CPUTime() + ended.CPUTime()
	u.bytes += s.ResidentMemory()
	return u
}

// groups adds the processes of this machine up by process group.
func (h *Host) groups() (map[int]usage, error) {
	all, err := h.proc.AllProcs()
	if err != nil {
		return nil, err
	}
	groups := map[int]usage{}
	for _, p := range all {
		// A process that ends meanwhile is its parent's from now on.
		if stat, err := p.Stat(); err == nil {
			groups[stat.PGRP] = groups[stat.PGRP].with(stat)
		}
	}
	return groups, nil
}

// fromCgroup reads the usage of an instance's own cgroup.
func (h *Host) fromCgroup(i HostInstance, at time.Time) ([]collector.Sample, error) {
	process, err := h.proc.Proc(i.PID)
	if err != nil {
		return nil, err
	}
	memberships, err := process.Cgroups()
	if err != nil {
		return nil, err
	}
	dirs, err := findCgroup(h.mounts, memberships)
	if err != nil {
		return nil, err
	}
	cpu, err := dirs.read()
	if err != nil {
		return nil, err
	}
	members, err := os.ReadFile(filepath.Join(dirs.cpu, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var memory usage
	for pid := range strings.FieldsSeq(string(members)) {
		number, err := strconv.Atoi(pid)
		if err != nil {
			return nil, fmt.Errorf("cgroup.procs: %w", err)
		}
		// One that has ended meanwhile has no memory.
		if p, err := h.proc.Proc(number); err == nil {
			if stat, err := p.Stat(); err == nil {
				memory = memory.with(stat)
			}
		}
	}
	s := sampler{collector.NewLabels("instance", i.Name), at}
	samples := []collector.Sample{
		s.sample("host_cpu_seconds_total", secondsMeta, cpu.used),
		s.sample("host_memory_bytes", bytesMeta, float64(memory.bytes)),
	}
	if cpu.counts {
		samples = append(samples,
			s.sample("host_cpu_periods_total", counterMeta, float64(cpu.periods)),
			s.sample("host_cpu_throttled_periods_total", counterMeta, float64(cpu.throttledPeriods)),
			s.sample("host_cpu_throttled_seconds_total", secondsMeta, cpu.throttled))
	}
	if cpu.cores > 0 {
		samples = append(samples, s.sample("host_cpu_limit_cores", coresMeta, cpu.cores))
	}
	return samples, nil
}

// inside is what agents inside instances see, by the file that they read: processes of one
// machine share it, containers have one each.
type inside map[file]procfs.CPUStat

// file tells a file from all others.
type file struct{ device, number uint64 }

// by is what an agent inside an instance sees: /proc/stat in the instance's own root directory
// (proc_pid_root(5)).
func (seen inside) by(i HostInstance, at time.Time) []collector.Sample {
	proc := filepath.Join(procfs.DefaultMountPoint, strconv.Itoa(i.PID), "root", "proc")
	var is unix.Stat_t
	if err := unix.Stat(filepath.Join(proc, "stat"), &is); err != nil {
		return nil
	}
	which := file{uint64(is.Dev), is.Ino}
	all, known := seen[which]
	if !known {
		of, err := procfs.NewFS(proc)
		if err != nil {
			return nil
		}
		stat, err := of.Stat()
		if err != nil {
			return nil
		}
		all = stat.CPUTotal
		seen[which] = all
	}
	var samples []collector.Sample
	for _, m := range []struct {
		mode    string
		seconds float64
	}{
		{"user", all.User}, {"nice", all.Nice}, {"system", all.System}, {"idle", all.Idle},
		{"iowait", all.Iowait}, {"irq", all.IRQ}, {"softirq", all.SoftIRQ}, {"steal", all.Steal},
	} {
		s := sampler{collector.NewLabels("instance", i.Name, "mode", m.mode), at}
		samples = append(samples, s.sample("agent_cpu_seconds_total", secondsMeta, m.seconds))
	}
	return samples
}

// sampler makes samples of one moment with the same labels.
type sampler struct {
	labels collector.Labels
	at     time.Time
}

func (s sampler) sample(name string, meta *collector.Meta, value float64) collector.Sample {
	return collector.Sample{Name: name, Labels: s.labels, Meta: meta, At: s.at, Value: value, Observed: 1}
}

var (
	secondsMeta = &collector.Meta{Type: collector.Counter, Unit: "seconds"}
	bytesMeta   = &collector.Meta{Type: collector.Gauge, Unit: "bytes"}
	coresMeta   = &collector.Meta{Type: collector.Gauge, Unit: "cores"}
)
