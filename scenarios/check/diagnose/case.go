// Package diagnose names the likely cause of a difference between what users had
// acknowledged and what a metric counted, from all instances of a run at once.
//
// It knows a number of hypotheses: things that go wrong in instrumentation, each with
// what it predicts of the amount, of its shape in time, of who is struck, and of what
// other series and ledgers say. [Explain] scores them against a [Case] and gives one
// explanation for the run: a single hypothesis if one does, or as few as the record
// asks for. Where two explain it about as well, it says so and names neither.
//
// It judges nothing: whether a difference is a failure is decided before, by bounds. It
// knows no record either: scenarios/check lays the Case out, and turns what comes back
// into findings.
package diagnose

import (
	"time"

	"throughline/scenarios/record"
)

// Case is one metric of a run, beside the requests that it should have counted.
type Case struct {
	Metric, Route string
	// Window is for how long the client may hold a count back, as declared.
	Window   time.Duration
	Interval time.Duration // the collector's
	// Probe is how often each instance is asked whether it can serve, by somebody who is no
	// user; 0: nobody knows.
	Probe time.Duration
	// NoLines tells that the metric did not come in lines of StatsD: what can go wrong with those and their datagrams cannot be
	// the cause. Lines and Datagrams of the accounts are points and requests then.
	NoLines  bool
	Accounts []Account // of all web instances
	// Scraped tells that the metric is fetched, not sent: what befalls lines and datagrams does not befall it.
	Scraped bool
	Outages []Outage // of the collector, as it says itself
}

// Outage is a time in which the collector was away; it is known to an interval.
type Outage struct{ From, To time.Duration }

// Account is what one instance acknowledged, and what its metric says.
type Account struct {
	Instance string
	Life     record.Lifetime
	Killed   time.Duration   // when it lost its chance to flush; record.Never if it had it
	Acked    []time.Duration // in order
	// Ticks are the collector's interval ends while it lived, and the end of the record. At
	// each of them Counted had been counted, and Sent requests had been sent to the instance.
	// What was acknowledged before Since has left a client that keeps to its window.
	Ticks   []time.Duration
	Since   []time.Duration
	Counted []float64
	Sent    []int64
	Total   int64 // counted in the end
	// Rate is the declared sample rate; 1: every request is counted.
	Rate float64
	// Open is what nothing explains: lost if positive, counted too much if negative.
	Open int64
	// Buffer is how many a kill may have taken with it, by the declared window; Spare how many
	// more than were acknowledged it may have executed.
	Buffer, Spare int64
	Early         int64 // missing shortly before its kill although the client's window was over
	Late          bool  // its counts came later than max_lag, and nothing excuses that
	// Beside is what else it answered: requests of other routes, and failures.
	Beside []Stream
	Twin   Twin
	// Kin are counters of other routes that are called alike.
	Kin   []Kin
	Parts []int64 // what each of the metric's series counted
	// Sampled is how many measurements came before the collector scaled them by their sample
	// rates; -1: it did not say.
	Sampled int64
	Also    string // another type under which the metric arrived; "": none
	// Alias is another counter that has about as many as were acknowledged, and that only
	// instances have which lack the metric; AliasCount is what it counted.
	Alias      string
	AliasCount int64
	// Bad and Cut are how many of its lines the collector could not read, and how many of
	// its datagrams had been cut.
	Bad, Cut int64
	Short    int64 // of the bad ones, how many ended before their type
	// Lines is how many values of the metric the collector took, each of which may stand for
	// several requests, and Datagrams how many came from the instance; 0: it did not say.
	Lines, Datagrams int64
	// LinesAt and DatagramsAt are how many of them had come at each of Ticks.
	LinesAt, DatagramsAt []float64
	// SourcesAt is from how many different sockets datagrams had come; nil where the collector
	// cannot tell.
	SourcesAt []float64
	// Spoke tells of each interval whether any other series of the instance got a value in it,
	// Others whether there is one at all.
	Spoke  []bool
	Others bool
}

// Stream is something else that an instance answered.
type Stream struct {
	What   string // "get", "insert answered with other than 2xx"
	Failed bool
	At     []time.Duration // in order
	Begun  []time.Duration // when those that failed had been sent, in order
}

// Twin is another metric that has a value for each of the same requests, such as the
// timer of a counter.
type Twin struct {
	Kind string // "timer", "counter"; "": none is known
	N    int64
	// At is how many of them had come at each of the account's Ticks; nil where nobody knows.
	At []float64
}

// Kin is a counter of another route, which should have counted what the instance answered
// of it.
type Kin struct {
	Acked []time.Duration // in order
	Total int64
}

// Diagnosis is what is said of one account.
type Diagnosis struct {
	// Cause is a word, [Undecided] where several fit about as well or none does.
	Cause string
	// Possible are the causes that fit, the likeliest first, where Cause is Undecided.
	Possible []string
	RunnerUp string // the next likely cause, where it is near
	Why      string // a clause for people
	From, To time.Duration
}

// Undecided is the cause of what the record does not decide.
const Undecided = "undecided"

// The causes that hypotheses stand for. docs/DIAGNOSES.md has a section for each.
const (
	LostOnExit   = "lost-on-exit"
	LargeBuffer  = "client-buffer-larger-than-declared"
	RareExport   = "rare-export"
	SilentStart  = "silent-start"
	FirstLost    = "first-sample-lost"
	WentSilent   = "went-silent"
	NotCounted   = "not-counted"
	Conditional  = "conditional-count"
	Wrapping     = "wrapping-count"
	RateNotSent  = "sample-rate-not-sent"
	QueueFull    = "client-queue-full"
	SilentWorker = "silent-worker"
	Turnover     = "worker-turnover"
	StillHeld    = "still-held"
	Burst        = "burst"
	NoMetric     = "no-metric"
	Renamed      = "renamed"
	WrongType    = "wrong-type"
	BadLines     = "bad-lines"
	Truncated    = "truncated-datagrams"
	Late         = "late"
	NetLost      = "datagrams-lost"
	Away         = "collector-away"
	AgentLost    = "agent-lost" // found by who lays the case out, and no hypothesis

	Twice          = "counted-twice"
	Double         = "double-instrumented"
	NetTwice       = "datagrams-duplicated"
	RateNotApplied = "sample-rate-not-applied"
	RunningTotal   = "total-as-counter"
	WindowTwice    = "last-window-twice"
	ForeignLines   = "foreign-lines"
	Failures       = "failures-counted"
	OtherRoute     = "other-route-counted"
	Probes         = "probes-counted"

	// Of what is scraped. The record says so by itself.
	ScrapeFailed = "scrapes-failed"
	Registries   = "registry-per-worker"
	Honored      = "labels-honored" // what is exposed says whose series it is
)
