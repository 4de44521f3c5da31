package inside

import "time"

// The conversation of a pod's first process with the runner, one JSON value after the other over TCP. The pod says Hello; the
// runner says what to execute, and then which signals are to be sent; the pod reports each of these, and the program's end last.
// Who closes the connection lets go of the other.

// TokenVariable is the environment variable with the secret that tells a pod from anybody else who connects.
const TokenVariable = "THROUGHLINE_POD_TOKEN"

// Hello is what a pod says of itself.
type Hello struct {
	Instance string    `json:"instance"`
	Token    string    `json:"token"`
	Address  string    `json:"address"` // its own, as it sees it: where somebody hides it, the runner sees another one
	Clock    time.Time `json:"clock"`   // of its node, when it said so
}

// Order is what a runner wants: a program to be executed, the first time, or a signal to be sent to it.
type Order struct {
	ID      int      `json:"id,omitempty"`
	Execute *Program `json:"execute,omitempty"`
	Signal  string   `json:"signal,omitempty"` // SIGTERM, SIGKILL, SIGSTOP, SIGCONT
}

// Program is what is executed.
type Program struct {
	Self  bool              `json:"self,omitempty"` // Words are arguments of this binary
	Words []string          `json:"words"`          // else the first is looked for on the image's PATH
	Env   map[string]string `json:"env,omitempty"`  // beside the image's
	Dir   string            `json:"dir"`            // is made, for the program alone
	Files map[string]string `json:"files,omitempty"`
}

// Report is what a pod says after its Hello: what came of the order with the same id, or how the program has ended.
type Report struct {
	ID    int    `json:"id,omitempty"`
	Error string `json:"error,omitempty"`
	Ended *Ended `json:"ended,omitempty"`
}

// Ended is how a program has ended, as the kernel told its parent.
type Ended struct {
	Code   int    `json:"code"`             // -1: a signal ended it
	Signal string `json:"signal,omitempty"` // SIGKILL
}
