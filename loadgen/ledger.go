package loadgen

import (
	"net/http"
	"time"
)

// Outcome is what a user knows of one request.
type Outcome uint8

// The outcomes. The zero value is the one that claims nothing.
const (
	// Unknown: it may have been executed or not. That is every request
	// that is neither of the two below: timeouts and broken connections
	// after a byte was written, 502 and 504 of the load balancer, and each
	// answer that is no 2xx. A 404 of an instance was executed, surely, but
	// it acknowledges nothing; the row keeps the status for who knows more.
	Unknown Outcome = iota
	// Acked: a 2xx answer was received in full.
	Acked
	// Refused: proof that no instance executed it. Either not one byte of
	// it was written to a connection (connection refused, no answer to the
	// dial), or the load balancer itself answered 503.
	//
	// The second rests on HAProxy's configuration: that it names the server
	// on every answer that came from one (http-response set-header
	// X-Served-By %s, which HAProxy does not apply to answers it makes
	// itself), so that a 503 without the header is its own; and that
	// retry-on is left at conn-failure, its default, so that a request that
	// reached a server is never given up with a 503 after a retry. Without
	// such a load balancer in front, a 503 of the application itself would
	// be taken for a refusal: see Config.Foreign.
	Refused
)

// String is the word used in ledgers and reports: unknown, acked or refused.
func (o Outcome) String() string {
	switch o {
	case Acked:
		return "acked"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// Row is one request in the users' ledger. Its times carry monotonic clock
// readings; Sub with another time of the same process is exact.
type Row struct {
	Seq   uint64 // 0, 1, 2, … in the order of Due; none is left out
	Route string // Route.Name
	Word  string // what {word} was; empty when the path has none

	Due  time.Time // when the schedule wanted it sent
	Sent time.Time // when it was handed to the network; never before Due
	Done time.Time // when its outcome was known

	Outcome  Outcome
	Status   int    // HTTP status, also of an answer cut short; 0: no answer
	Instance string // Config.ServedBy: the server that answered; empty: none did, or none is named
	// Attempts is how often the request was written to a connection, counted
	// at the first write to the socket: 1, unless it was never written (0)
	// or the HTTP client repeated it (which it is kept from doing).
	Attempts int
	// Stale counts connections the request was given that turned out to be
	// closed before one byte was written. The request then went out on
	// another one, which repeats nothing.
	Stale int
	Err   string // why there is no full answer; empty: there is one
}

// Latency is what a user waited who came when the request was due: it counts
// from Due, so a generator or server that stalls cannot hide the requests it
// held up ("coordinated omission").
func (r Row) Latency() time.Duration { return r.Done.Sub(r.Due) }

// Lateness is by how much the generator missed the schedule.
func (r Row) Lateness() time.Duration { return r.Sent.Sub(r.Due) }

// Answered is the class of an answer that acknowledges nothing (4 for a 404); 0: there was
// none, or another.
func (r Row) Answered() int {
	if class := r.Status / 100; r.Outcome == Unknown && class > 0 && class < 6 && class != 2 {
		return class
	}
	return 0
}

// judge tells the outcome of a finished exchange. See the Outcome constants.
func judge(x *exchange, complete, foreign bool) Outcome {
	switch {
	case x.status == 0 && x.err != nil && x.attempts == 0:
		return Refused
	case x.status >= 200 && x.status < 300 && complete:
		return Acked
	case x.status == http.StatusServiceUnavailable && x.instance == "" && !foreign:
		return Refused
	}
	return Unknown
}
