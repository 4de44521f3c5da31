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
	"path/filepath"
	"time"
)

// Scenario is one file, complete: every default is filled in.
type Scenario struct {
	Name  string // the file's `scenario:`, fit for a file name
	About string // one line, "" if the file says none
	Stack Stack
	// MetricsFrom is the server that scrapes the instances; nil: the run's own collector does.
	MetricsFrom *MetricsFrom
	Load        Load
	// Autoscale is what launches and ends instances by itself; nil: nobody does.
	Autoscale *Autoscale
	Phases    []Phase
	Checks    []Check
	Waive     []Waiver
	// Rules are the files of alerting rules that checks name (RuleFiles), by name. [Parse] does not read them: whoever
	// has the scenario from a file or from a record fills them in.
	Rules  map[string]string
	Source []byte // the file's bytes, as read
	File   string // the file's name, as given
}

// Dir is the directory in which commands of the application are executed: that of the file, unless the file says another.
func (s Scenario) Dir() string {
	if filepath.IsAbs(s.Stack.Dir) {
		return s.Stack.Dir
	}
	return filepath.Join(filepath.Dir(s.File), s.Stack.Dir)
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
	Dir string // in which commands are executed, from the file's own directory; "": that one
	// External is the stack, where it runs already; nil: the run starts one. Web has then how many Instances there are, their Routes
	// and Stop, and nothing else.
	External *External
	Web      Web
	// Others are the further roles, see Roles.
	Others []Web
	Mongo  string // "": the embedded database or what the command line names; MongoNone: no database at all
	// Forget n: the embedded database acknowledges every nth update and does not keep it; 0: it keeps all.
	Forget int
	// Members is how many members the database has, as a replica set: mongo-1 to mongo-N; 0: it is one that stands alone.
	Members int
	// Early: the application's driver has writes acknowledged by the primary alone (w=1), which may be rolled back; else by a
	// majority of the members.
	Early bool
	// Agent is between the instances of Web and the collector.
	Agent Agent
	// HTTPD: an Apache HTTP server stands before each instance.
	HTTPD bool
	// RetryAll: the load balancer also sends requests again that a server may have executed; else only those that reached
	// none.
	RetryAll bool
	// Cloud: each instance has an identity in a cloud, which a metadata service tells it, and can be interrupted.
	Cloud bool
	// CloudWatch is how the cloud tells what its hypervisor counts; its zero: there is no such service.
	CloudWatch CloudWatch
	// Tags is in which style of [TagStyles] the collector understands tags in names, beside DogStatsD's; "": in no other.
	Tags string
}

// MongoNone is the [Stack.Mongo] of an application without a database.
const MongoNone = "none"

// Web is what the instances of one role of the application are: the reference app unless Command or Image names another.
type Web struct {
	Role      string   // whose instances are called by it; "": FirstRole
	Instances int      // how many run when the load starts: web-1 to web-N
	Command   []string // a foreign app's program and arguments, nil for none; {{.Port}} and the like are left in
	Image     string   // a foreign app's container image, "" for none; whether there are containers is the platform's to say
	Env       map[string]string
	Health    string           // path that answers 2xx when the instance can serve; "": it listens nowhere
	Stop      time.Duration    // how long an instance may take from SIGTERM to its end, before it is killed
	Routes    map[string]Route // by name; never empty in the first role; a further one without any gets no requests of users
	Defect    string           // what is wrong with the reference app's instrumentation, "" for nothing
	Version   string           // the tag of its instances; "": the scenario knows no versions
	Metrics   Metrics          // how its metrics come to the collector, beside StatsD
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
	Beacons Beacons        // what they tell of the pages that they got
	Workers int            // processes that share it; 0: the run sends it itself
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

// Waiver accepts failures of a check, for a reason.
type Waiver struct {
	Check    string
	Instance string // "" = any, and failures that name none
	Reason   string
	Pos      Pos
}
