package app

import (
	"fmt"
	"syscall"
	"time"
)

// usedCPU is the CPU time that this process has used, in user and system mode, with all its threads.
// Source: getrusage(2), RUSAGE_SELF.
func usedCPU() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}

// tellCPU counts, every so often, the CPU time that was used since, as an agent inside an instance does. The function that
// it returns ends that, and counts the rest.
func (p parts) tellCPU(c Config) (end func()) {
	if c.CPUEvery <= 0 {
		return func() {}
	}
	read := usedCPU
	if p.wrong.cpu != nil {
		read = p.wrong.cpu
	}
	told, err := read()
	if err != nil {
		p.log.Printf("CPU_EVERY: %v: nothing is told of CPU", err)
		return func() {}
	}
	tell := func() {
		// What is less than a microsecond is told with the next.
		if used, err := read(); err == nil && used-told >= time.Microsecond {
			n := (used - told).Microseconds()
			p.client.Count(cpuTime, n)
			told += time.Duration(n) * time.Microsecond
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(c.CPUEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				tell()
			case <-stop:
				tell()
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}
