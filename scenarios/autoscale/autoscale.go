// Package autoscale is the arithmetic of an autoscaler: from what a metric says, and from how many instances there
// are, to how many there should be. Formula and rules are those of Kubernetes' HorizontalPodAutoscaler.
//
// It is pure: it asks nobody, starts nobody, and has no clock. scenarios/run gives it what the collector answered and
// makes the moves; the judge gives it what the record holds, or the truth, and compares; scenarios/script refuses what
// a policy cannot do.
//
// Source: pkg/controller/podautoscaler/replica_calculator.go and horizontal.go of Kubernetes v1.36. It differs in this:
//
//   - The present number of instances is of those that there are, not a number that was once set: nobody else replaces
//     who dies, so the autoscaler itself does.
//   - Samples are floats. Kubernetes counts in thousandths, and cuts off what is below.
//   - There is one metric, and one tolerance for both directions. Of several bounds the largest holds (select: Max), and
//     all of a direction have one period.
//   - Least is 1 instance: it never scales to none, or from none.
//   - WarmUp is for any metric of the form Mean; Kubernetes knows it of CPU alone. Zero and Ignore are no choices there:
//     Zero is how KEDA takes an empty answer, Ignore what a plain average does.
//   - A sample that is negative, or not a number, or infinite, is missing.
package autoscale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

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
	Zero   = "zero"   // for a sample of 0; when nobody answered, a fleet stays as it is all the same
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

// Sample is one element of what the metric gave. In JSON a value that is not finite is a text, "NaN", "+Inf" or "-Inf".
type Sample struct {
	Instance string  // "": of the whole fleet
	Value    float64 // what is negative or not finite counts as missing
}

// jsonSample is how a Sample is written down.
type jsonSample struct {
	Instance string          `json:"instance,omitempty"`
	Value    json.RawMessage `json:"value"`
}

// MarshalJSON implements json.Marshaler.
func (s Sample) MarshalJSON() ([]byte, error) {
	var value []byte
	if !finite(s.Value) {
		value = strconv.AppendQuote(nil, strconv.FormatFloat(s.Value, 'g', -1, 64))
	} else {
		var err error
		if value, err = json.Marshal(s.Value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(jsonSample{s.Instance, value})
}

// UnmarshalJSON implements json.Unmarshaler. It refuses unknown keys, and texts that MarshalJSON does not write.
func (s *Sample) UnmarshalJSON(data []byte) error {
	var raw jsonSample
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return err
	}
	s.Instance = raw.Instance
	switch text := string(raw.Value); text {
	case `"NaN"`, `"+Inf"`, `"-Inf"`:
		s.Value, _ = strconv.ParseFloat(text[1:len(text)-1], 64)
		return nil
	case "", "null":
		return fmt.Errorf("autoscale: a sample has no value: want a number")
	default:
		return json.Unmarshal(raw.Value, &s.Value)
	}
}

// counts tells whether the value is one that a metric can have.
func (s Sample) counts() bool { return s.Value >= 0 && finite(s.Value) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Reading is what an autoscaler sees in one moment.
type Reading struct {
	Samples []Sample // in the order of the names of the instances, one for each; of the form Sum there is one, or none
	Error   string   // why there are none; "": the question was answered
	Had     int      // the instances that are there: they serve, or are launched; who is being ended is not
	Ready   []string // who serves and has warmed up
	Unready []string // who is being launched, or warms up
}

// Level is what an autoscaler sees of had instances that all serve, where the metric's sum is that, and each has an equal
// part of it.
func (p Policy) Level(had int, sum float64) Reading {
	r := Reading{Had: had}
	if p.Form == Sum {
		r.Samples = []Sample{{Value: sum}}
	}
	for n := range had {
		name := fmt.Sprintf("web-%d", n+1)
		r.Ready = append(r.Ready, name)
		if p.Form == Mean {
			r.Samples = append(r.Samples, Sample{Instance: name, Value: sum / float64(had)})
		}
	}
	return r
}

// Proposal is what the formula wanted in one moment, before any window, pace or bound.
type Proposal struct {
	At       time.Duration `json:"at"`
	Proposed int           `json:"proposed"`
}

// Decision is how an autoscaler came from a reading to a number of instances. It holds all that is needed to come to it
// again.
type Decision struct {
	// At is the time for which the metric was asked, ns since the start of the run: an interval end of the collector, in
	// whole microseconds. Windows and paces count in it.
	At      time.Duration `json:"at"`
	Samples []Sample      `json:"samples,omitempty"`
	Error   string        `json:"error,omitempty"`
	Had     int           `json:"had"`
	Ready   []string      `json:"ready,omitempty"`
	Unready []string      `json:"unready,omitempty"`
	Missing []string      `json:"missing,omitempty"` // of the form Mean: who is ready and has no sample
	// Value is the sum, or the mean of the samples of who is ready, without what stands in for who is missing; nil:
	// there was no sample.
	Value *float64 `json:"value,omitempty"`
	// Proposed is what the formula gives, with tolerance and who is missing, or NoProposal; Window are the proposals
	// before it that its stabilisation looked at, oldest first; Stabilised is what that made of it; Wanted what paces
	// and bounds did.
	Proposed   int        `json:"proposed"`
	Window     []Proposal `json:"window,omitempty"`
	Stabilised int        `json:"stabilised"`
	Wanted     int        `json:"wanted"`
	// Because is the rule that had the last word.
	Because Reason `json:"because"`
}

// NoProposal is in the place of a proposal where the formula was not asked (OutOfBounds), or had no metric (NoMetric).
// No stabilisation window remembers it.
const NoProposal = -1

// Reading gives back the reading that a decision was made from, so that it can be made again.
func (d Decision) Reading() Reading {
	return Reading{Samples: d.Samples, Error: d.Error, Had: d.Had, Ready: d.Ready, Unready: d.Unready}
}

// String tells it in a few words, like "3 → 5 (value 280, formula)".
func (d Decision) String() string {
	why := string(d.Because)
	if d.Value != nil {
		why = fmt.Sprintf("value %.4g, %s", *d.Value, why)
	}
	if d.Error != "" {
		why += ": " + d.Error
	}
	return fmt.Sprintf("%d → %d (%s)", d.Had, d.Wanted, why)
}

// Needed is how many instances a rate calls for if nothing is late, and neither tolerance nor window nor pace holds it
// up: ⌈sum ÷ target⌉ within min and max. Of the form Mean that is the same, with the sum over all instances.
func (p Policy) Needed(sum float64) int {
	return p.within(ceil(sum/p.Target, p.Min))
}

// Outside tells whether so many instances are fewer than min or more than max: the metric is not asked then.
func (p Policy) Outside(had int) bool { return had < p.Min || had > p.Max }

func (p Policy) within(n int) int { return max(min(n, p.Max), p.Min) }

// most is more instances than anybody can want; a proposal is never above it.
const most = math.MaxInt32

// ceil rounds up to a number of instances from 0 to most; what is not a number is otherwise.
func ceil(n float64, otherwise int) int {
	if math.IsNaN(n) {
		return otherwise
	}
	return int(math.Ceil(max(0, min(n, most))))
}

// Reason is the rule that had the last word in a decision.
type Reason string

// The reasons.
const (
	Formula     Reason = "formula"       // value and target
	Within      Reason = "tolerance"     // the value is within the tolerance of the target
	NoMetric    Reason = "no metric"     // nobody answered, or there was nothing
	MissingSome Reason = "missing"       // who is missing or unready could turn it round, so nothing changes
	Stabilised  Reason = "stabilisation" // the window
	Paced       Reason = "pace"          // at_most
	AtMin       Reason = "min"
	AtMax       Reason = "max"
	OutOfBounds Reason = "out of bounds" // there were fewer than min, or more than max: the metric was not looked at
)
