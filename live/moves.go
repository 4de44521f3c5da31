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
	if m.Error != "" {
		return fmt.Sprintf("%s  FAILED after %s: %s", m.Step, m.took(), strings.TrimPrefix(m.Error, m.Step+": "))
	}
	return fmt.Sprintf("%s  (took effect in %s)", m.Step, m.took())
}

// took is how long the move took, for people.
func (m Moved) took() string {
	switch {
	case m.Took < time.Millisecond:
		return "less than 1 ms"
	case m.Took < time.Second:
		return fmt.Sprintf("%d ms", m.Took.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", m.Took.Seconds())
}

// Standing is how a stack stands that moves are made on.
type Standing struct {
	Up        bool     `json:"up"`                // moves can be made
	Cloud     bool     `json:"cloud,omitempty"`   // instances can be given notice
	Members   []string `json:"members,omitempty"` // of the database, that are alive
	Instances []string `json:"instances"`         // that serve, oldest first
	Faults    []string `json:"faults"`            // that have begun and are not healed
	Moving    string   `json:"moving,omitempty"`  // the move that is under way
	Moved     []Moved  `json:"moved"`             // the moves that were made, the latest last
	Load      *Status  `json:"load,omitempty"`    // nil: there is none
}
