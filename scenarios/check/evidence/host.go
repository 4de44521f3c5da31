package evidence

import "time"

// The series of collector/poll that tell the two views, by instance.
const (
	HostSeconds   = "host_cpu_seconds_total"
	HostLimit     = "host_cpu_limit_cores"
	HostPeriods   = "host_cpu_periods_total"
	HostThrottled = "host_cpu_throttled_periods_total"
	hostStopped   = "host_cpu_throttled_seconds_total" // summed over CPUs
	AgentSeconds  = "agent_cpu_seconds_total"
)

// Stretch is a part of a run.
type Stretch struct{ From, To time.Duration }
