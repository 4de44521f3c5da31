package docker

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"throughline/compose"
)

var (
	_ compose.Measured = (*instance)(nil)
	_ compose.Limiter  = (*instance)(nil)
)

// Footprint gives the host's number of the container's first process, which is the same
// for its whole life: the engine is not asked, which on a busy machine takes longer than
// somebody who reads all instances each second may wait. A container's cgroup is its own.
func (i *instance) Footprint(context.Context) (compose.Footprint, error) {
	err := i.do("measure", func(string) error {
		if i.pid == 0 || i.over.Load() { // its number may be another process's by now
			return errors.New("it has no process: it has just ended")
		}
		return nil
	})
	if err != nil {
		return compose.Footprint{}, err
	}
	return compose.Footprint{PID: i.pid, OwnCgroup: true}, nil
}

// period is what a quota of CPU refers to, in microseconds: the kernel's default.
const period = 100_000

// LimitCPU is `docker update` with a quota and a period: unlike its --cpus, they
// can be lifted again, with the quota -1.
func (i *instance) LimitCPU(ctx context.Context, cpus float64) error {
	if cpus != 0 && cpus < compose.MinCPUs {
		return fmt.Errorf("limit %s: %v CPUs are too few; want %v at least", i.name, cpus, compose.MinCPUs)
	}
	quota := int64(-1)
	if cpus > 0 {
		quota = int64(math.Round(cpus * period))
	}
	return i.do("limit", func(id string) error {
		_, err := i.client.ContainerUpdate(ctx, id, client.ContainerUpdateOptions{
			Resources: &container.Resources{CPUPeriod: period, CPUQuota: quota}})
		if err != nil {
			return err
		}
		found, err := i.made.Inspect(ctx)
		if err == nil && found.HostConfig.CPUQuota != quota {
			err = fmt.Errorf("the engine holds the quota %d µs after %d µs was set", found.HostConfig.CPUQuota, quota)
		}
		return err
	})
}
