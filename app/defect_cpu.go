package app

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

// Wrong views: whose CPU time is told.

func cpuDefects() []Defect {
	return []Defect{
		{Name: "cpu-of-the-machine", Metric: cpuTime, About: "the CPU time that is told is that of the machine, as /proc/stat has it inside an instance too (with CPU_EVERY)",
			begin: func(_ Config, l *harm) (wrong, error) {
				before, err := machineCPU(os.ReadFile)
				if err != nil {
					return wrong{}, err
				}
				own, err := usedCPU()
				if err != nil {
					return wrong{}, err
				}
				return wrong{cpu: func() (time.Duration, error) {
					all, err := machineCPU(os.ReadFile)
					if err != nil {
						return 0, err
					}
					if used, err := usedCPU(); err == nil {
						l.book(0, max(0, ((all-before)-(used-own)).Microseconds()))
						before, own = all, used
					}
					return all, nil
				}}, nil
			}},
	}
}

// machineCPU is the CPU time that all of the machine has used: all that /proc/stat has in its first line, in ticks of 10 ms, but
// idle time, waiting for disks, and what is counted as user's already.
// Source: proc_stat(5)
func machineCPU(read func(string) ([]byte, error)) (time.Duration, error) {
	text, err := read("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, errors.New("/proc/stat: the first line is not that of all CPUs")
	}
	var ticks int64
	for i, name := range []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"} {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return 0, errors.New("/proc/stat: " + name + " is no number")
		}
		if name != "idle" && name != "iowait" {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
