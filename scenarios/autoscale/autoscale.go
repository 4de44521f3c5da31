// Package autoscale is the arithmetic of an autoscaler: from what a metric says, and from how many instances there
// are, to how many there should be. Formula and rules are those of Kubernetes' HorizontalPodAutoscaler.
//
// It is pure: it asks nobody, starts nobody, and has no clock. scenarios/run gives it what the collector answered and
// makes the moves; the judge gives it what the record holds, or the truth, and compares; scenarios/script refuses what
// a policy cannot do.
package autoscale

import "time"

// The forms of a policy: what its metric is.
const (
	// Sum: the metric is of the whole fleet, and the target is for each instance: wanted = ⌈sum ÷ target⌉. The number of
	// instances has no part in it but in the tolerance. It is an external metric with an AverageValue.
	Sum = "sum"
	// Mean: the metric has a sample for each instance: wanted = ⌈mean ÷ target × instances⌉. It is a metric of pods.
	Mean = "mean"
)

// What an instance, or a fleet, without a sample is taken for.
const (
	Hold   = "hold"   // a fleet without any stays as it is; an instance without one never makes the fleet move further
	Zero   = "zero"   // for a sample of 0
	Ignore = "ignore" // for one that is not there; a fleet without any stays as it is
)

// Policy is how an autoscaler decides.
type Policy struct {
	Min, Max  int
	Form      string // Sum or Mean
	Target    float64
	Tolerance float64 // of value ÷ target around 1, both ends included
	Every     time.Duration
	Up, Down  Pace
	Missing   string
	// WarmUp is how long an instance that serves is not yet ready: the mean form leaves its sample out on the way down
	// and takes it for 0 on the way up, as a pod that is pending. Kubernetes knows that of CPU alone.
	WarmUp time.Duration
}

// Pace bounds how fast a fleet changes in one direction.
type Pace struct {
	// AtMost are bounds of the change in Per, of which the largest holds; none: there is no bound.
	AtMost []Bound
	Per    time.Duration
	// After is the stabilisation window: the least wanted in that time holds on the way up, and the most on the way down.
	After time.Duration
}

// Bound is a number of instances, or a share of those that there were.
type Bound struct {
	Count   int
	Percent int // 0: it is Count
}

// Sample is one element of what the metric gave.
type Sample struct {
	Instance string  `json:"instance,omitempty"` // "": of the whole fleet
	Value    float64 `json:"value"`
}

// Reading is what an autoscaler sees in one moment.
type Reading struct {
	Samples []Sample // in the order of the names of the instances; of the form Sum there is one, or none
	Error   string   // why there are none; "": the question was answered
	Had     int      // the instances that are there: they serve, or are launched; who is being ended is not
	Ready   []string // who serves and has warmed up
	Unready []string // who is being launched, or warms up
}

// Proposal is what the formula wanted in one moment, before any window, pace or bound.
type Proposal struct {
	At       time.Duration `json:"at"`
	Proposed int           `json:"proposed"`
}

// Decision is how an autoscaler came from a reading to a number of instances. It holds all that is needed to come to it
// again.
type Decision struct {
	At      time.Duration `json:"at"` // the time for which the metric was asked, ns since the start of the run
	Samples []Sample      `json:"samples,omitempty"`
	Error   string        `json:"error,omitempty"`
	Had     int           `json:"had"`
	Ready   []string      `json:"ready,omitempty"`
	Unready []string      `json:"unready,omitempty"`
	Missing []string      `json:"missing,omitempty"` // of the form Mean: who is ready and has no sample
	// Value is the sum, or the mean of the samples of who is ready; nil: there is none.
	Value *float64 `json:"value,omitempty"`
	// Proposed is what the formula gives, with tolerance and who is missing; Window are the proposals before it that its
	// stabilisation looked at, oldest first; Stabilised is what that made of it; Wanted what paces and bounds did.
	Proposed   int        `json:"proposed"`
	Window     []Proposal `json:"window,omitempty"`
	Stabilised int        `json:"stabilised"`
	Wanted     int        `json:"wanted"`
	// Because is the rule that had the last word.
	Because Reason `json:"because"`
}

// Reason is the rule that had the last word in a decision.
type Reason string

// The reasons.
const (
	Formula     Reason = "formula"       // value and target
	Within      Reason = "tolerance"     // the value is within the tolerance of the target
	NoMetric    Reason = "no metric"     // nobody answered, or there was nothing
	MissingSome Reason = "missing"       // who is missing or unready may turn it round
	Stabilised  Reason = "stabilisation" // the window
	Paced       Reason = "pace"          // at_most
	AtMin       Reason = "min"
	AtMax       Reason = "max"
	OutOfBounds Reason = "out of bounds" // there were fewer than min, or more than max: the metric was not looked at
)
