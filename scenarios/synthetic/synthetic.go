// Package synthetic makes up runs: whole, consistent records of a web stack whose
// instrumentation is right, or wrong in one known way.
//
// A run is drawn from a seed and simulated: users send requests, a load balancer
// spreads them over instances and their workers, each worker's StatsD client holds
// its measurements and sends them in datagrams, a collector cuts what arrives into
// intervals. A defect changes one of these parts, as in real programs, and the truth
// (which defect, how many counts at which instances) is kept beside the record.
//
// It is the measuring instrument for a judge's diagnoses, and so it must not know
// how a judge comes to them: it imports the record's vocabulary and the scenario
// language, never scenarios/check. Package confusion holds verdicts against the
// truths.
package synthetic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"throughline/scenarios/record"
)

// Healthy is the cause of a run in which nothing is wrong.
const Healthy = "healthy"

// Made is a made-up run with what is true of it.
type Made struct {
	Seed   uint64
	Params Params
	Truth  Truth
	Record record.History
}

// Truth is what is wrong in a run.
type Truth struct {
	Cause string // Healthy, or a cause as docs/DIAGNOSES.md has it
	// Also are other causes that a judge may name: the record cannot tell them
	// apart from Cause in this run, not even in principle.
	Also []string
	// About is what the defect did, in words, with its numbers.
	About string
	// Instances are those that lost or gained counts by the defect, sorted.
	Instances map[string]Amount
}

// Amount is what an instance's counter has too few or too many, and how much of
// that the record can show.
type Amount struct {
	Due     int64 // requests that the counter should have counted
	Counted int64
	// Least and Most are what the run's own bounds allow it to have counted, for
	// all that users know: requests of unknown outcome, those acknowledged within
	// the client's window before a SIGKILL, noise of a declared sampling.
	Least, Most int64
	// Buffer is how many were acknowledged within the client's window before a
	// SIGKILL: what a client that is right may lose.
	Buffer int64
	// Late is how many of the counts came later than the scenario allows.
	Late int64
}

// Off is how far the counter is off: below 0 it lacks counts.
func (a Amount) Off() int64 { return a.Counted - a.Due }

// Shows tells whether the amount is beyond its bounds.
func (a Amount) Shows() bool { return a.Late > 0 || a.Counted < a.Least || a.Counted > a.Most }

// Shows tells whether any instance is off by more than its bounds hide.
func (t Truth) Shows() bool {
	for _, a := range t.Instances {
		if a.Shows() {
			return true
		}
	}
	return false
}

// Accepts tells whether a judge is right to name the cause.
func (t Truth) Accepts(cause string) bool {
	return cause == t.Cause || slices.Contains(t.Also, cause)
}

const (
	// tellingLosses is of how many counts, too few or too many, most causes can be told apart.
	tellingLosses = 16
	// tellingWindows is in how many of a client's windows a run must show them.
	tellingWindows = 16
)

// Telling tells whether there is much in a run's record by which a cause can be told from others: its instances
// lack, or have too many, some counts and not a few; clients sent often; and there is a timer of the same requests.
// It asks how the run was drawn, and nobody how it is judged.
func (m Made) Telling() bool {
	var off int64
	for _, a := range m.Truth.Instances {
		off += max(a.Off(), -a.Off())
	}
	return off >= tellingLosses && m.Params.Long() >= tellingWindows*max(m.Params.Declared, m.Params.Interval/2) && m.Params.Timers
}

// attempts is how often a run is drawn anew when its defect had nothing to strike.
const attempts = 30

// Make makes the run of a seed. Without a cause the seed draws that too. The same
// arguments make the same run. It is an error to ask for a cause that is not known.
func Make(seed uint64, cause string) (Made, error) {
	if cause == "" {
		cause = causeOf(seed)
	}
	ways := find(cause)
	if len(ways) == 0 {
		return Made{}, fmt.Errorf("cause %s: no run can be made up with it (have %s)", cause, strings.Join(Causes(), ", "))
	}
	var made Made
	for attempt := range uint64(attempts) {
		rnd := rand.New(rand.NewPCG(seed, attempt<<32|uint64(len(cause))))
		p, d := drawParams(rnd), oneOf(rnd, ways...)
		f := d.draw(&p, rnd)
		p.drawProcesses(rand.New(rand.NewPCG(seed, attempt<<32|0x50c)))
		w := newWorld(seed, p, f, rnd)
		w.run()
		made = Made{Seed: seed, Params: w.p, Truth: w.truth(cause), Record: w.h}
		if cause == Healthy || made.struck() {
			break
		}
	}
	return made, nil
}

// struck tells whether a defect did anything that chance and a kill do not do.
func (m Made) struck() bool {
	for _, a := range m.Truth.Instances {
		switch {
		case a.Shows():
			return true
		case m.Params.Rate1 == 1 && (a.Off() > 0 || a.Off() < -a.Buffer):
			return true
		}
	}
	return false
}

// healthyShare of all runs that are drawn have no defect.
const healthyShare = 0.25

func causeOf(seed uint64) string {
	rnd := rand.New(rand.NewPCG(seed, 0xca05e))
	if rnd.Float64() < healthyShare {
		return Healthy
	}
	return oneOf(rnd, Causes()[1:]...)
}

// Causes are all that Make takes, Healthy first and then sorted.
func Causes() []string {
	var names []string
	for _, d := range defects {
		names = append(names, d.cause)
	}
	slices.Sort(names)
	return append([]string{Healthy}, slices.Compact(names)...)
}

// find gives the ways in which programs come to a cause.
func find(cause string) []defect {
	if cause == Healthy {
		return []defect{{cause: Healthy, draw: func(*Params, *rand.Rand) faults { return faults{} }}}
	}
	return slices.DeleteFunc(slices.Clone(defects), func(d defect) bool { return d.cause != cause })
}
