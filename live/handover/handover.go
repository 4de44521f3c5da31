// Package handover gives what a run shows and writes to somebody who started it elsewhere: the [Server] is beside the run, in
// the pod of a Job, and the [Client] where a person waits for it.
//
// Nothing of it is lost when the way between the two breaks: what was shown is kept from the beginning, and asked for from where
// the last answer ended; files are handed over as often as they are asked for, each time with the SHA-256 of all that was sent.
// It knows neither clusters nor verdicts: how the other side is reached is an [http.RoundTripper], and files are files.
// The command line calls both sides.
package handover

import (
	"time"

	"throughline/live"
)

// The paths of the server, all of the version of the protocol.
const (
	progressPath = "/v1/progress"
	stopPath     = "/v1/stop"
	filesPath    = "/v1/files"
	donePath     = "/v1/done"
)

// fromParameter is the number of the first entry that is asked for.
const fromParameter = "from"

// sumTrailer is the HTTP trailer with the SHA-256 of the files' archive, in hexadecimal digits.
const sumTrailer = "Throughline-Sha256"

// beatEvery is how often something is sent where there is no news; who hears nothing for silence takes the way for broken.
const (
	beatEvery = 2 * time.Second
	silence   = 5 * beatEvery
)

// line is a line of the answer about progress; one with nothing in it says that the way is whole.
type line struct {
	Event *live.Event `json:"event,omitempty"`
	Told  string      `json:"told,omitempty"` // something that is wrong, beside the run
	End   *End        `json:"end,omitempty"`
}

// End is what the run has come to.
type End struct {
	Status int `json:"status"` // the exit status of the program
}
