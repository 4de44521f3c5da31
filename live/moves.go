package live

import (
	"fmt"
	"strings"
	"time"
)

// Moved is a move that was made by hand.
type Moved struct {
	Step  string        `json:"step"`            // "kill web-2"
	Took  time.Duration `json:"took_ns"`         // until it had its effect, or had failed
	Error string        `json:"error,omitempty"` // why it had none
}

// String tells what became of the move, on one line.
func (m Moved) String() string {
	took := m.Took.Round(time.Millisecond / 10)
	if m.Error != "" {
		return fmt.Sprintf("%s  FAILED after %v: %s", m.Step, took, strings.TrimPrefix(m.Error, m.Step+": "))
	}
	return fmt.Sprintf("%s  (took effect in %v)", m.Step, took)
}

// Standing is how a stack stands that moves are made on.
type Standing struct {
	Up        bool     `json:"up"`               // moves can be made
	Instances []string `json:"instances"`        // that serve, oldest first
	Faults    []string `json:"faults"`           // that have begun and are not healed
	Moving    string   `json:"moving,omitempty"` // the move that is under way
	Moved     []Moved  `json:"moved"`            // the moves that were made, the latest last
	Load      *Status  `json:"load,omitempty"`   // nil: there is none
}
