// Package script is the scenario language: it turns one YAML file into a [Scenario], or into the complete list of what
// is wrong with it, each error with file, line and column.
//
// A file is read whole and refused whole: nothing of a refused file is handed out, so nothing can be started from half
// of it. What can be known before a run is decided here, also that every step is possible: instances are numbered in
// the order in which they are launched, so the reader plays the moves through and refuses `kill: web-9` where no web-9
// can run.
//
// The package knows nothing of platforms, load generators or judges and imports none of them; it does not know PromQL
// either and hands an expression on as text. The command line calls it to read and to check files, the runner to learn
// what to do, the judges to learn what was promised. The language itself is described in docs/SCENARIOS.md.
package script

import (
	"fmt"
	"slices"
	"time"
)

// Scenario is one file, complete: every default is filled in.
type Scenario struct {
	Name   string // the file's `scenario:`, fit for a file name
	About  string // one line, "" if the file says none
	Stack  Stack
	Load   Load
	Phases []Phase
	Checks []Check
	Waive  []Waiver
	Source []byte // the file's bytes, as read
	File   string // the file's name, as given
}

// Limits tells whether a step limits the CPU of an instance.
func (s Scenario) Limits() bool {
	return slices.ContainsFunc(s.Phases, func(p Phase) bool {
		return slices.ContainsFunc(p.Do, func(s Step) bool { return s.Kind == Limit })
	})
}

// Duration is how long the phases last together, if no step takes longer than its phase.
func (s Scenario) Duration() time.Duration {
	var sum time.Duration
	for _, p := range s.Phases {
		sum += p.For
	}
	return sum
}

// Stack is what runs.
type Stack struct {
	Web   Web
	Mongo string // "": the embedded database or what the command line names; MongoNone: no database at all
	// Forget n: the embedded database acknowledges every nth update and does not keep it; 0: it keeps all.
	Forget int
	// RetryAll: the load balancer also sends requests again that a server may have executed; else only those that reached
	// none.
	RetryAll bool
	// Tags is in which style of [TagStyles] the collector understands tags in names, beside DogStatsD's; "": in no other.
	Tags string
}

// MongoNone is the [Stack.Mongo] of an application without a database.
const MongoNone = "none"

// Web is the application: the reference app unless Command or Image names another.
type Web struct {
	Instances int      // how many run when the load starts: web-1 to web-N
	Command   []string // a foreign app's program and arguments, nil for none; {{.Port}} and the like are left in
	Image     string   // a foreign app's container image, "" for none; whether there are containers is the platform's to say
	Env       map[string]string
	Health    string           // path that answers 2xx when the instance can serve
	Stop      time.Duration    // how long an instance may take from SIGTERM to its end, before it is killed
	Routes    map[string]Route // by name; never empty
	Defect    string           // what is wrong with the reference app's instrumentation, "" for nothing
}

// Route is one kind of request that the load can send and checks can name.
type Route struct {
	Method string
	Path   string // may contain {word}, which stands for the word of each request
	Writes bool   // executing it changes the application's state
}

// The load shapes. Rates are requests per second.
const (
	Constant = "constant" // always Rate
	Ramp     = "ramp"     // from Rate to To in Over, To from then on
	Steps    = "steps"    // the Levels one after the other, the last until the end
	Sine     = "sine"     // Rate + Swing × sin(2π t / Period)
)

// Load is what the users do.
type Load struct {
	Rate    float64 // mean; for a ramp where it begins, for steps the mean of the levels, weighted with their time
	Shape   string
	Swing   float64        // sine only: how far the rate goes up and down, at most Rate
	Period  time.Duration  // sine only
	To      float64        // ramp only
	Over    time.Duration  // ramp only
	Levels  []Level        // steps only
	Mix     map[string]int // weights by route name, all positive
	Words   int            // how many different words are used
	Timeout time.Duration  // how long a user waits for an answer
}

// Peak is the highest rate the load ever reaches, in requests per second.
func (l Load) Peak() float64 {
	switch l.Shape {
	case Sine:
		return l.Rate + l.Swing
	case Ramp:
		return max(l.Rate, l.To)
	case Steps:
		var peak float64
		for _, level := range l.Levels {
			peak = max(peak, level.Rate)
		}
		return peak
	}
	return l.Rate
}

// Level is one stretch of a load in steps. Rate 0 is a pause.
type Level struct {
	Rate float64
	For  time.Duration
}

// Phase is a named stretch of time. Its steps are done in order from its beginning; it lasts For, or until the last step
// has had its effect if that takes longer.
type Phase struct {
	Name    string
	Do      []Step
	For     time.Duration
	Require Require
	Pos     Pos
}

// Require is what must be true of a phase for the run to prove anything.
type Require struct {
	Users float64 // least acknowledged requests per second in this phase; 0 asks for nothing
	Pos   Pos     // of the rate, where there is one
}

// StepKind is what a step does, spelled as in the file.
type StepKind string

// The steps.
const (
	Kill      StepKind = "kill"      // end an instance without warning (SIGKILL)
	Terminate StepKind = "terminate" // drain it, ask it to end (SIGTERM), wait until it has
	Launch    StepKind = "launch"    // start new instances
	Replace   StepKind = "replace"   // launch one, wait until it serves, terminate the old one
	Scale     StepKind = "scale"     // launch or terminate (the newest first) until as many run as told
	Limit     StepKind = "limit"     // give an instance less CPU, or all again
	// BeginFault does something to the infrastructure; it lasts until Heal, or until the load ends.
	BeginFault StepKind = "fault"
	Heal       StepKind = "heal"
)

// ReplaceAll is the [Step.Instance] of a replace of every instance that is alive at that point, one after the other.
const ReplaceAll = "all"

// Step is one thing done to the stack.
type Step struct {
	Kind     StepKind
	Instance string        // kill, terminate, replace, limit: which; ReplaceAll for replace; fault: which, "" for all
	Count    int           // launch: how many; scale: to how many
	CPUs     float64       // limit: how many it may use; 0 lifts the limit
	Abrupt   bool          // terminate: without draining it first
	Fault    Fault         // fault; heal: its name alone
	Within   time.Duration // how long each move may take; one after the other, replace and scale in make several
	Pos      Pos
}

// String gives the step as the file has it, like "kill web-2".
func (s Step) String() string {
	switch {
	case s.Kind == Limit:
		return fmt.Sprintf("%s %s, cpus: %v", s.Kind, s.Instance, s.CPUs)
	case s.Fault.Name != "" && s.Instance != "":
		return fmt.Sprintf("%s %s on %s", s.Kind, s.Fault.Name, s.Instance)
	case s.Fault.Name != "":
		return fmt.Sprintf("%s %s", s.Kind, s.Fault.Name)
	case s.Abrupt:
		return fmt.Sprintf("%s %s without draining", s.Kind, s.Instance)
	}
	if s.Instance != "" {
		return fmt.Sprintf("%s %s", s.Kind, s.Instance)
	}
	return fmt.Sprintf("%s %d", s.Kind, s.Count)
}

// Check is one promise about the run. The field that Name names is set, the others are nil.
type Check struct {
	Name         string // the kind, as the file has it
	Pos          Pos
	Continuity   *Continuity
	Conservation *Conservation
	Correlation  *Correlation
	PromQL       *PromQL
	Identity     *Identity
	Nesting      *Nesting
	Gauge        *Gauge
	Shutdown     *Shutdown
	Hygiene      *Hygiene
	Alert        *Alert
	Audit        *Audit
	Failures     *Failures
	TwoViews     *TwoViews
}

// Continuity promises that a counter has a point in every interval in which its route had traffic.
type Continuity struct {
	Metric string // the StatsD name
	Route  string // whose traffic the metric counts
	MaxGap time.Duration
}

// Conservation promises that users and metric count the same requests, each once.
type Conservation struct {
	Metric       string        // the StatsD name
	Route        string        // whose requests the metric counts
	ClientWindow time.Duration // how long the StatsD client buffers: what a kill may lose
	MaxLag       time.Duration // how late a count may arrive beyond interval and client window
	SampleRate   float64       // what the client was told, in (0, 1]
	Confidence   float64       // two-sided, of the binomial interval where SampleRate < 1
	Status       string        // Successes: the metric counts no failures; "": it may count them or not
}

// Successes is the [Conservation.Status] of a metric that counts requests answered with 2xx and no others.
const Successes = "2xx"

// Correlation promises that the layers' curves have one shape.
type Correlation struct {
	Layers  []string      // at least two of users, lb, web, db
	AtLeast float64       // Pearson's r, in (0, 1]
	MaxLag  time.Duration // how far one curve may be shifted against another
	Metric  string        // what stands for the layer web; "" where web is not among the layers
}

// WholeRun is the phase name that stands for all phases together in [PromQL].
const WholeRun = "run"

// PromQL promises that an expression holds: that its value is a vector with an element or a scalar that is not zero.
// Exactly one of Throughout and Within is set; it names a phase, or WholeRun.
type PromQL struct {
	Expr       string
	Throughout string // the phase in which every evaluation must hold
	Within     string // the phase in which one evaluation must hold
	NeverSeen  bool   // it may ask for series that never were
}

// Identity promises that each instance that serves has one series of a metric, of its own, for its own lifetime.
type Identity struct {
	Metric string   // the StatsD name
	Route  string   // whose requests make the series appear; "" = any
	Tags   []string // beside instance: each series has all of them, and no others
}

// Nesting promises that users wait longer than the application works, and the application longer than the database.
type Nesting struct {
	Web          string        // the StatsD name of the timer around a request
	DB           string        // of the timer around a call of the database; "" = none
	Route        string        // whose requests Web measures
	Unit         time.Duration // of values whose type does not tell it (h and d)
	Slack        time.Duration // how much longer than outside a time may be inside
	ClientWindow time.Duration // how long the StatsD client buffers
}

// Gauge promises that a gauge of the requests in flight tells the truth and comes back to rest.
type Gauge struct {
	Metric       string // the StatsD name
	AtRest       int    // its value while nothing is in flight
	Unqueued     bool   // the application takes up every request as it comes
	ClientWindow time.Duration
}

// Shutdown promises that an instance that is asked to end loses nothing, and one that is killed no more than its client
// held.
type Shutdown struct {
	Metric       string
	Route        string
	ClientWindow time.Duration
}

// AnyGrowth is the [Hygiene.Growth] of a scenario that does not limit it.
const AnyGrowth = -1

// Hygiene promises well-formed lines and a budget of series.
type Hygiene struct {
	MaxSeries int // of one instance; 0 = any number
	Growth    int // how many more series a later instance may have than any before it; AnyGrowth
}

// End is the [Deadline.In] that stands for the end of the last phase.
const End = ""

// Alert promises that an alerting rule fires when it should and is silent when it should be. Fires is set, or Silent is
// not empty, or both.
type Alert struct {
	Name   string
	Expr   string
	For    time.Duration // how long the expression must have had a result
	Fires  *Deadline
	Clears *Deadline // nil: it need not; In may be End
	Silent []string  // phases in which it must not fire; WholeRun

	NeverSeen bool // Expr may ask for series that never were
}

// Deadline is a time after the beginning of a phase.
type Deadline struct {
	In     string
	Within time.Duration
}

// Failures promises that instances answered no more than a few requests with 5xx.
type Failures struct {
	Route  string // "" = any
	AtMost int
}

// Audit promises that each document gained what users had acknowledged for its word.
type Audit struct{ Route string }

// TwoViews promises that host and agent disagree about the CPU of an instance that a step limits: the host sees it use up
// what it may and stopped for it, while the agent inside sees a machine with CPU to spare.
type TwoViews struct {
	Instance string
	Used     float64 // least share of its limit that the host sees it use, in (0, 1]
	Idle     float64 // least share of the machine that the agent sees idle, in (0, 1]
}

// Waiver accepts failures of a check, for a reason.
type Waiver struct {
	Check    string
	Instance string // "" = any, and failures that name none
	Reason   string
	Pos      Pos
}
