// Package record is what happened in one run: the journal, the users' ledger,
// the samples and the documents, in memory and as a directory.
//
// It judges nothing. scenarios/run writes it while it happens;
// scenarios/check and scenarios/report read it afterwards. Everything is timed
// by one clock: the offset from Run.Start.
package record

import (
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/autoscale"
)

// History is everything that was seen in one run. Judging needs nothing else.
type History struct {
	Run      Run
	Scenario []byte    // the scenario file as it was run
	Events   []Event   // in the order of their times
	Requests []Request // the users' ledger, in the order of Seq
	// Executions are the requests as the load balancer saw them end, in the
	// order of their ends; nil: they are not in the record.
	Executions []Execution
	// Passages are the requests as the Apache HTTP servers saw them end, in the order of their ends; nil: they
	// are not in the record.
	Passages []Passage
	// Beacons are the users' ledger of what their pages told, in the order of Seq, and Arrivals what the
	// collector took of it, in the order in which it did; nil: they are not in the record.
	Beacons  []Beacon
	Arrivals []Arrival
	Series   []Series // what the collector stored
	Before   *Documents
	After    *Documents // nil: never read
	// Damage lists what could not be read of a directory (a line cut short
	// by a crash, a missing file) and what is not as the run wrote it, each
	// beginning with the file. A damaged record proves nothing.
	Damage []string
}

// Run is what was fixed when the run began.
type Run struct {
	ID       string        `json:"id"` // prefix of every X-Request-Id
	Scenario string        `json:"scenario"`
	File     string        `json:"file"` // where the scenario came from; positions in findings name it
	Seed     uint64        `json:"seed"`
	Platform string        `json:"platform"`
	Start    time.Time     `json:"start"`    // wall clock of offset 0
	Interval time.Duration `json:"interval"` // the collector's, in ns
	Database string        `json:"database"` // "docstore", "mongodb" or "none"
	// Versions of what took part, by name ("throughline", "haproxy", …).
	Versions map[string]string `json:"versions"`
	// Rules are the files of alerting rules that the scenario's checks name, as they were, by name.
	Rules map[string]string `json:"rules,omitempty"`
}

// Kind is what an Event tells.
type Kind string

// The kinds of events. "of an instance" means that Instance and Role are set.
const (
	RunBegin   Kind = "run-begin"   // first line; carries Run
	PhaseBegin Kind = "phase-begin" // Phase
	PhaseEnd   Kind = "phase-end"   // Phase
	StepBegin  Kind = "step-begin"  // Step, Phase
	StepEnd    Kind = "step-end"    // the step has taken effect (Error empty) or did not (Error says why); Instance: for whom its word (newest) stood
	LoadBegin  Kind = "load-begin"  // first request due
	LoadEnd    Kind = "load-end"    // last request answered or given up
	Birth      Kind = "birth"       // of an instance: its process was started; Version, in a scenario that has versions; Cloud, in a cloud; Serves, of an agent
	Ready      Kind = "ready"       // of an instance: its probe answered
	Serving    Kind = "serving"     // of an instance: the load balancer marks it up, or it is ready in a role without users; of a member of the database: it follows the primary
	Elected    Kind = "elected"     // of a member of the database: it is the primary, and takes writes
	Sidelined  Kind = "sidelined"   // of a member of the database: asked, it says that it is the primary no more, or, where it followed one, that it does not
	Draining   Kind = "draining"    // of an instance: the load balancer sends it nothing new
	Noticed    Kind = "noticed"     // of an instance: the metadata service gives notice that it will be ended at Deadline
	Asked      Kind = "asked"       // of an instance: it asked the metadata service about About for the first time
	Told       Kind = "told"        // of an instance: it was told of About for the first time
	Signalled  Kind = "signalled"   // of an instance: Signal was sent
	Down       Kind = "down"        // of an instance: the load balancer marks it down, or its port refuses
	Death      Kind = "death"       // of an instance: it is gone; Code, Signal; Expected
	Removed    Kind = "removed"     // of an instance: the load balancer no longer has it
	Limited    Kind = "limited"     // of an instance: the host holds it to CPUs; 0 = no longer
	FaultBegin Kind = "fault-begin" // Fault; of an instance, if it is done to one alone
	FaultEnd   Kind = "fault-end"   // Fault: it is over, after it touched Count things; About: whose
	// Of a collector in a process of its own, which it has where the scenario kills it:
	CollectorBegin Kind = "collector-begin" // it was started: ID
	CollectorEnd   Kind = "collector-end"   // it is gone: ID, Code, Signal; Expected
	// Of a worker of the load, where several processes share it: Worker.
	WorkerBegin    Kind = "worker-begin"    // it was started: ID
	WorkerCompared Kind = "worker-compared" // its clock was compared with the run's, Count times by now: Offset, Bound
	WorkerEnd      Kind = "worker-end"      // it has ended: ID; Expected, it had told all; else Error, and Count requests that it may have sent

	Decided     Kind = "decided"     // an autoscaler has decided: Decision; what it then did is told by the instances
	Commanded   Kind = "commanded"   // a command of the user's was executed from At on: About, with the exit status Code; Error: what it wrote; of an instance, if it was for one
	Quiesced    Kind = "quiesced"    // load has ended and the clients have had their window to flush
	Trouble     Kind = "trouble"     // the harness could not see or do something: About, Error
	Note        Kind = "note"        // something out of the ordinary that spoils nothing: About, Error
	Interrupted Kind = "interrupted" // the harness was told to end before the run was over and had settled
	RunEnd      Kind = "run-end"     // last of all, with a Tally; without it the record is not whole
)

// Role is the part an instance plays in the stack. What is none of these is a further role of the application, by the
// name that the scenario gives it.
type Role string

// The roles that a stack may have without being asked for.
const (
	Web          Role = "web"
	LoadBalancer Role = "lb"
	HTTPD        Role = "httpd"
	Agent        Role = "agent"
	Database     Role = "db"
)

// Application tells whether it is a role of the application: web, or another one that the scenario names.
func (r Role) Application() bool {
	return r != "" && r != LoadBalancer && r != HTTPD && r != Agent && r != Database
}

// Event is one line of the journal.
type Event struct {
	At       time.Duration `json:"at"` // ns since Run.Start
	Kind     Kind          `json:"kind"`
	Phase    string        `json:"phase,omitempty"`
	Step     string        `json:"step,omitempty"`  // "kill web-2"
	Fault    string        `json:"fault,omitempty"` // "drop-datagrams"
	Hop      string        `json:"hop,omitempty"`   // of whose network a fault is: "lb-web"
	Instance string        `json:"instance,omitempty"`
	Role     Role          `json:"role,omitempty"`
	ID       string        `json:"id,omitempty"`       // the system's number for the instance, or the collector's process
	Signal   string        `json:"signal,omitempty"`   // "SIGKILL"
	Code     int           `json:"code,omitempty"`     // exit status; -1 = ended by Signal
	CPUs     float64       `json:"cpus,omitempty"`     // of Limited
	Deadline time.Duration `json:"deadline,omitempty"` // of Noticed, ns since Run.Start
	Version  string        `json:"version,omitempty"`
	Serves   string        `json:"serves,omitempty"` // of the Birth of an agent: beside which instance it is
	Cloud    *Cloud        `json:"cloud,omitempty"`  // of a Birth
	Worker   int           `json:"worker,omitempty"` // of the load, 1 to as many as there are
	// Offset is the run's clock less the worker's, and Bound by how much the worker's times in the record may have been
	// wrong until then.
	Offset time.Duration `json:"offset,omitempty"`
	Bound  time.Duration `json:"bound,omitempty"`
	// Expected is false for a death that nobody asked for.
	Expected bool                `json:"expected,omitempty"`
	About    string              `json:"about,omitempty"` // what a Trouble or a Note concerns: "load", "collector", "poller haproxy", …
	Count    int64               `json:"count,omitempty"` // how many a Trouble or a Note concerns, or a fault touched: datagrams, requests, …
	Error    string              `json:"error,omitempty"`
	Decision *autoscale.Decision `json:"decision,omitempty"` // of Decided
	Run      *Run                `json:"run,omitempty"`
	Tally    *Tally              `json:"tally,omitempty"` // of a RunEnd
}

// Cloud is what a metadata service tells an instance of itself.
type Cloud struct {
	ID       string            `json:"id"`   // "i-0a1b2c3d4e5f67890"
	Type     string            `json:"type"` // "t3.small"
	Zone     string            `json:"zone"` // "eu-central-1b"
	Launched time.Time         `json:"launched"`
	Tags     map[string]string `json:"tags"`
	// Monitoring is how CloudWatch tells of it; nil: there is none.
	Monitoring *Monitoring `json:"monitoring,omitempty"`
}

// Monitoring is how a hypervisor tells what an instance used, in [HypervisorCPU] and [HypervisorSamples].
type Monitoring struct {
	Period time.Duration `json:"period"` // that a point is of, which has the time of its beginning; ns
	Delay  time.Duration `json:"delay"`  // after its end it is told; ns
	CPUs   int           `json:"cpus"`   // that are 100 percent
	// Samples are those of a whole period.
	Samples int `json:"samples"`
}

// What an instance asks a metadata service about, the About of Asked and Told.
const (
	AboutTags     = "tags"
	AboutNotice   = "notice"
	AboutIdentity = "identity"
)

// Tally is how many rows the runner has written. The judge counts them again: a
// record that lost some, or has some twice, proves nothing.
type Tally struct {
	Requests   int64 `json:"requests"`
	Executions int64 `json:"executions"`
	Points     int64 `json:"points"`
	Passages   int64 `json:"passages,omitempty"`
	Beacons    int64 `json:"beacons,omitempty"`
	Arrivals   int64 `json:"arrivals,omitempty"`
}

// Outcome is what the users know of one request.
type Outcome uint8

// The outcomes. The zero value is the one that claims nothing.
const (
	Unknown Outcome = iota // it may have been executed or not
	Acked                  // a 2xx answer was received in full
	Refused                // proof that no instance executed it
)

// String gives the word used in files and reports.
func (o Outcome) String() string {
	return [...]string{"unknown", "acked", "refused"}[min(o, Refused)]
}

// Request is one row of the users' ledger. Offsets are from Run.Start.
type Request struct {
	Seq      uint64
	Due      time.Duration // when the schedule wanted it sent
	Sent     time.Duration // when it was sent
	Done     time.Duration // when its outcome was known
	Route    string        // name in the scenario: "insert"
	Word     string
	Instance string // from X-Served-By; empty when no instance is known to have answered
	Err      string
	Status   uint16 // 0 = no answer
	Attempts uint16 // times it was written to the wire
	Outcome  Outcome
}

// Answered is the class of the answer ("4xx") where a request got one that
// acknowledges nothing; "" where it was acknowledged, refused, or where nobody can
// know what became of it: it got no answer, or not all of one.
func (r Request) Answered() string {
	class := r.Status / 100
	if r.Outcome != Unknown || class < 1 || class > 5 || class == 2 {
		return ""
	}
	return string('0'+rune(class)) + "xx"
}

// Execution is one request as the load balancer saw it end, whoever sent it.
type Execution struct {
	At time.Duration // when it had ended, by the load balancer's clock
	// Seq is the request's number if its X-Request-Id is one of this run.
	// Foreign: it is not, and RequestID is what came instead, perhaps cut
	// short, perhaps nothing.
	Seq       uint64
	Foreign   bool
	RequestID string
	Server    string // the instance that had it last; empty: none was chosen
	Status    uint16 // as sent to the client; 0: none
	// Answered: an instance answered. Else the answer, if there was one, was
	// made by the load balancer.
	Answered     bool
	Retries      uint16 // times it was tried again, on whatever instance
	Redispatched bool   // the last of these gave up an instance for another
	Termination  string // HAProxy's two letters; "--" is a normal end
}

// Reached tells whether an instance may have got the request: one was chosen,
// and HAProxy was beyond connecting to it (the states Q and C, queue and
// connection) when the session ended.
// Source: https://docs.haproxy.org/2.6/configuration.html#8.5
func (x Execution) Reached() bool {
	if x.Answered {
		return true
	}
	return x.Server != "" && len(x.Termination) == 2 && !strings.ContainsRune("RQC", rune(x.Termination[1]))
}

// Passage is one request as the httpd before an instance saw it end, whoever sent it.
type Passage struct {
	At time.Duration // when it had ended, by httpd's clock
	// Seq, Foreign and RequestID are as in Execution.
	Seq       uint64
	Foreign   bool
	RequestID string
	Instance  string // before which httpd stands
	Status    uint16 // of the answer
	Answered  bool   // by the instance; else httpd made the answer, or closed the connection in place of one
	// Took is how long the request was on a worker, and First how long until its answer began; 0: none was sent.
	// Neither has the time that it waited for a worker.
	Took, First time.Duration
}

// Class is that of the status: "2xx".
func (x Passage) Class() string { return string('0'+rune(x.Status/100)) + "xx" }

// Beacon is what one page told, as its user knows it. A page that told nothing has none.
type Beacon struct {
	Seq     uint64        // of the page's request
	Route   string        // of the same
	Again   bool          // it had been sent before
	Latency time.Duration // that it tells, in whole microseconds
	Sent    time.Duration // when the page queued it
	Done    time.Duration // when its outcome was known
	// Outcome: Acked, the collector said that it took it. Refused, proof that it did not.
	Outcome  Outcome
	Status   uint16 // of the answer; 0: none
	Attempts uint16 // times it was written to the wire
	Err      string
}

// PreflightRefused begins the Err of a beacon that was never sent, because the collector did not grant what
// browsers ask for before they send JSON to another origin.
const PreflightRefused = "preflight refused"

// Arrival is one beacon that the collector took, whoever sent it.
type Arrival struct {
	At time.Duration // when it had come
	// Seq, Foreign and PageID are as in Execution: of the page's X-Request-Id.
	Seq     uint64
	Foreign bool
	PageID  string
	Route   string
	Latency time.Duration // that it tells
	Form    string        // "text" or "json"
}

// Series is one series of the collector with its points in time order.
type Series struct {
	Name   string
	Labels collector.Labels
	Meta   collector.Meta
	// Points of a record that was read belong to all series that have the same: clone them before
	// one is changed.
	Points []Point
}

// Point is one recorded sample. See collector.Sample for Observed and Stale.
type Point struct {
	At        time.Duration // ns since Run.Start; the end of its interval
	Value     float64
	Observed  uint64
	Stale     bool
	Histogram *collector.Histogram
}

// Documents is what the database held at one moment.
type Documents struct {
	At    time.Duration `json:"at"`
	Words []WordCount   `json:"words"` // one per document, sorted by word; a word may stand twice
}

// WordCount is one document of the collection.
type WordCount struct {
	Word  string `json:"word"`
	Count int64  `json:"count"`
}

// Sum adds up the counts of all documents.
func (d *Documents) Sum() int64 {
	if d == nil {
		return 0
	}
	var sum int64
	for _, w := range d.Words {
		sum += w.Count
	}
	return sum
}
