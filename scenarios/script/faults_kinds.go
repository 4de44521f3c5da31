package script

import "time"

// The defaults of the faults' parameters.
const (
	defaultShare = 0.1
	defaultBytes = 40
	defaultDelay = 5 * time.Second
	defaultAway  = time.Second
	defaultRate  = 20

	defaultLatency   = 200 * time.Millisecond
	defaultBandwidth = 100_000 // bytes per second
)

// mostBytes is the longest payload of a UDP datagram over IPv4.
const mostBytes = 65507

// DropDatagrams loses StatsD datagrams on their way to the collector.
type DropDatagrams struct{ Share float64 } // of the datagrams, in (0, 1]

// Name implements [Fault].
func (DropDatagrams) Name() string { return "drop-datagrams" }

func readDrop(m mapping) DropDatagrams { return DropDatagrams{m.share()} }

// DuplicateDatagrams delivers datagrams twice.
type DuplicateDatagrams struct{ Share float64 } // of the datagrams, in (0, 1]

// Name implements [Fault].
func (DuplicateDatagrams) Name() string { return "duplicate-datagrams" }

func readDuplicate(m mapping) DuplicateDatagrams { return DuplicateDatagrams{m.share()} }

// ReorderDatagrams delivers datagrams after the one that follows.
type ReorderDatagrams struct{ Share float64 } // of the datagrams, in (0, 1]

// Name implements [Fault].
func (ReorderDatagrams) Name() string { return "reorder-datagrams" }

func readReorder(m mapping) ReorderDatagrams { return ReorderDatagrams{m.share()} }

// TruncateDatagrams cuts datagrams.
type TruncateDatagrams struct{ Bytes int } // how long one may be

// Name implements [Fault].
func (TruncateDatagrams) Name() string { return "truncate-datagrams" }

func readTruncate(m mapping) TruncateDatagrams {
	if v, ok := m.get("bytes"); ok {
		return TruncateDatagrams{v.count(1, mostBytes)}
	}
	return TruncateDatagrams{defaultBytes}
}

// DelayDatagrams delivers datagrams late.
type DelayDatagrams struct{ By time.Duration }

// Name implements [Fault].
func (DelayDatagrams) Name() string { return "delay-datagrams" }

func readDelay(m mapping) DelayDatagrams {
	return DelayDatagrams{m.duration("by", shortest, defaultDelay)}
}

// LeftoverLines is somebody else who increments a metric at an instance's address of the collector.
type LeftoverLines struct{ Rate float64 } // lines per second, for each instance

// Name implements [Fault].
func (LeftoverLines) Name() string { return "leftover-lines" }

func readLeftoverLines(m mapping) LeftoverLines { return LeftoverLines{m.rateOr(defaultRate)} }

// LeftoverLoad is somebody else who sends requests to the load balancer.
type LeftoverLoad struct{ Rate float64 } // requests per second

// Name implements [Fault].
func (LeftoverLoad) Name() string { return "leftover-load" }

func readLeftoverLoad(m mapping) LeftoverLoad { return LeftoverLoad{m.rateOr(defaultRate)} }

// ReplayRequests sends requests to the load balancer twice.
type ReplayRequests struct{ Share float64 } // of the requests, in (0, 1]

// Name implements [Fault].
func (ReplayRequests) Name() string { return "replay-requests" }

func readReplay(m mapping) ReplayRequests { return ReplayRequests{m.share()} }

// Freeze stops an instance in the midst of whatever it does (SIGSTOP).
type Freeze struct{}

// Name implements [Fault].
func (Freeze) Name() string { return "freeze" }

// FreezeDatabase does that to the database.
type FreezeDatabase struct{}

// Name implements [Fault].
func (FreezeDatabase) Name() string { return "freeze-database" }

// FillDisk fills the disk of the database.
type FillDisk struct{}

// Name implements [Fault].
func (FillDisk) Name() string { return "fill-disk" }

// ReloadLB has the load balancer go on with a new worker, which counts from zero.
type ReloadLB struct{}

// Name implements [Fault].
func (ReloadLB) Name() string { return "reload-lb" }

// KillLB ends the load balancer without warning (SIGKILL). It is started again, and counts from zero.
type KillLB struct{}

// Name implements [Fault].
func (KillLB) Name() string { return "kill-lb" }

// RestartCollector stops the collector and starts another one.
type RestartCollector struct{ For time.Duration } // how long there is none

// Name implements [Fault].
func (RestartCollector) Name() string { return "restart-collector" }

func readRestart(m mapping) RestartCollector {
	return RestartCollector{m.duration("for", shortest, defaultAway)}
}

// KillCollector ends the collector without warning (SIGKILL) and starts another one.
type KillCollector struct{ For time.Duration } // how long there is none

// Name implements [Fault].
func (KillCollector) Name() string { return "kill-collector" }

func readKillCollector(m mapping) KillCollector {
	return KillCollector{m.duration("for", shortest, defaultAway)}
}

// share reads the parameter of that name.
func (m mapping) share() float64 { return m.fraction("share", true, defaultShare) }

// rateOr reads the parameter `rate`.
func (m mapping) rateOr(otherwise float64) float64 {
	if v, ok := m.get("rate"); ok {
		return v.rate(false)
	}
	return otherwise
}
