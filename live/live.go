// Package live is what a running scenario shows: one stream of events, and any number
// of viewers. The terminal is one of them.
//
// It is not the record. Nothing is kept for who comes late, and a viewer that is too
// slow loses events, and is told how many: the run never waits for who watches it.
// What must not be lost is in the run directory, from which the verdict is judged.
//
// scenarios/trial publishes what a run tells of itself; the command line shows it.
package live

import "time"

// Kind is what an Event is about.
type Kind string

// The kinds of events, in the order in which a run has them.
const (
	Begin      Kind = "begin"       // a scenario begins; Scenario is set
	PhaseBegin Kind = "phase-begin" // Phase and Index are set
	StepEnd    Kind = "step-end"    // Step and Took are set; and Error, if it had no effect
	Tick       Kind = "tick"        // about twice a second; Status is set
	PhaseEnd   Kind = "phase-end"   // Took is set; and Status, over the whole phase
	Note       Kind = "note"        // Text is set
)

// Event is one thing that a running scenario shows. Its fields are set as its Kind says.
type Event struct {
	Kind     Kind          `json:"kind"`
	Scenario *Scenario     `json:"scenario,omitempty"`
	Phase    string        `json:"phase,omitempty"`
	Index    int           `json:"index,omitempty"` // of the phase, from 0
	Step     string        `json:"step,omitempty"`
	Took     time.Duration `json:"took_ns,omitempty"`
	Error    string        `json:"error,omitempty"`
	Text     string        `json:"text,omitempty"`
	Status   *Status       `json:"status,omitempty"`
}

// Scenario is which run begins.
type Scenario struct {
	Name   string `json:"name"`
	About  string `json:"about,omitempty"`
	Seed   uint64 `json:"seed"`
	Dir    string `json:"dir"`    // of the record
	Phases int    `json:"phases"` // 0: as many as will be made by hand
}

// Status is how a run does: at one moment, or over a phase.
type Status struct {
	Elapsed   time.Duration `json:"elapsed_ns"`    // since the load began
	PhaseLeft time.Duration `json:"phase_left_ns"` // until the phase ends, below 0 while its steps take longer; 0 if nobody knows
	Rate      float64       `json:"rate"`          // acknowledged per second, over the last second or the phase
	P50       time.Duration `json:"p50_ns"`        // latency from when requests were due, over the same time
	P99       time.Duration `json:"p99_ns"`
	Acked     uint64        `json:"acked"` // since the load, or the phase, began; and so the next three
	Refused   uint64        `json:"refused"`
	Unknown   uint64        `json:"unknown"`   // what became of them nobody can know
	Answered  [6]uint64     `json:"answered"`  // otherwise than with 2xx, by class: of Answered[4] with 4xx
	Instances []string      `json:"instances"` // that serve
}
