// Package verdict has the words of a judgement: findings, the ledgers that were
// compared, what differences were booked to, and the outcome. They are what
// verdict.json holds.
//
// It decides nothing and imports nothing of ours: the rooms of scenarios/check fill
// it in, and scenarios/report, scenarios/gallery and cmd/throughline read it.
package verdict

import (
	"fmt"
	"time"
)

// Outcome is what a finding or a whole run comes to.
type Outcome int

// The outcomes. The zero value is the one that claims nothing.
const (
	Inconclusive Outcome = iota // it proves nothing, and the finding says why
	Pass
	Fail
)

var outcomeNames = [...]string{Inconclusive: "inconclusive", Pass: "pass", Fail: "fail"}

// String gives the word used in files and reports.
func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomeNames) {
		return "inconclusive"
	}
	return outcomeNames[o]
}

// MarshalText writes the word.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the word.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, name := range outcomeNames {
		if name == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("outcome %q: not one of pass, fail, inconclusive", text)
}

// Finding is what one check says about one thing, with its evidence.
type Finding struct {
	Check   string  `json:"check"` // "conservation"
	Outcome Outcome `json:"outcome"`
	// Summary is one sentence: what, where, when, how many, and the likely
	// cause.
	Summary  string `json:"summary"`
	Layer    string `json:"layer,omitempty"`    // users, lb, web or db
	Instance string `json:"instance,omitempty"` // empty: not of one instance
	// From and To are seconds since the start of the run; both 0: the whole run.
	From float64 `json:"from"`
	To   float64 `json:"to"`
	// Lost and Extra are how many requests the layer counted too few or too
	// many; Bound is how far either may be off (requests whose fate nobody
	// can know).
	Lost  int64 `json:"lost"`
	Extra int64 `json:"extra"`
	Bound int64 `json:"bound"`
	// Cause is the likely cause as a short stable word ("lost-on-exit",
	// "sample-rate-not-sent", …); RunnerUp the next likely where it is close.
	// "undecided": several explain it about as well, which Possible names, the
	// likeliest first; or none does, and Possible is empty.
	Cause    string   `json:"cause,omitempty"`
	RunnerUp string   `json:"runner_up,omitempty"`
	Possible []string `json:"possible,omitempty"`
	// Alike is how many findings this one stands for, where so many say the
	// same of one instance that they are told as one; Lost, Extra and Bound
	// are their sums, and From and To enclose them.
	Alike int `json:"alike,omitempty"`
	// Waived is the reason why the scenario accepts this failure; its
	// Outcome is Pass then.
	Waived string `json:"waived,omitempty"`
	// Noticed says that no check asked about it: it is told, and decides
	// nothing. Its Outcome is Pass, its Check "noticed".
	Noticed bool `json:"noticed,omitempty"`
}

// Waiver is a failure that a scenario accepts, and what it covered.
type Waiver struct {
	Check    string `json:"check"`
	Instance string `json:"instance,omitempty"` // empty: any
	Reason   string `json:"reason"`
	Findings int    `json:"findings"` // how many failures were waived
	Lost     int64  `json:"lost"`     // their sums
	Extra    int64  `json:"extra"`
}

// Residual is a difference between two ledgers that was booked to a named
// cause, or not (Cause "unexplained").
type Residual struct {
	Between  string `json:"between"` // "users→web"
	Instance string `json:"instance,omitempty"`
	Cause    string `json:"cause"`
	Lost     int64  `json:"lost"`
	Extra    int64  `json:"extra"`
	// Bound is the most that this cause could account for, from the record.
	Bound int64 `json:"bound"`
}

// Ledgers are what users, load balancer, web and database each counted of the same work.
type Ledgers struct {
	Users UsersLedger `json:"users"`
	LB    LBLedger    `json:"lb"`
	Web   WebLedger   `json:"web"`
	DB    DBLedger    `json:"db"`
}

// UsersLedger counts requests of all routes, and those of the checked route
// apart.
type UsersLedger struct {
	Requests int64 `json:"requests"`
	Attempts int64 `json:"attempts"` // writes to the wire
	Acked    int64 `json:"acked"`
	Refused  int64 `json:"refused"`
	Unknown  int64 `json:"unknown"`
	// NoAnswer is how many of the Unknown got no answer at all; the others
	// got one that acknowledges nothing, such as a 404.
	NoAnswer int64 `json:"no_answer"`
	// Answered counts by class ("4xx") those of the Unknown that got an answer
	// which acknowledges nothing: what they did nobody can know, what became of
	// them is known.
	Answered map[string]int64 `json:"answered,omitempty"`
	// Route is the route that the web and db ledgers count, and the fields
	// below are of this route alone, by instance where one answered.
	Route         string           `json:"route,omitempty"`
	RouteAcked    int64            `json:"route_acked"`
	RouteUnknown  int64            `json:"route_unknown"`
	RouteAnswered map[string]int64 `json:"route_answered,omitempty"`
	ByInstance    map[string]int64 `json:"by_instance,omitempty"` // acked of Route
}

// LBLedger is what HAProxy counted, from its statistics.
type LBLedger struct {
	Requests   int64            `json:"requests"`              // frontend req_tot
	Responses  map[string]int64 `json:"responses"`             // by class: "2xx", …
	Errors     int64            `json:"errors"`                // 5xx that no server made: econ
	Retries    int64            `json:"retries"`               // wretr
	Redispatch int64            `json:"redispatches"`          // wredis
	ByInstance map[string]int64 `json:"by_instance,omitempty"` // 2xx by server
}

// WebLedger is what the application's own metric says.
type WebLedger struct {
	Metric     string           `json:"metric,omitempty"`
	Counted    int64            `json:"counted"`
	ByInstance map[string]int64 `json:"by_instance,omitempty"`
}

// DBLedger is what the database holds.
type DBLedger struct {
	Documents  int64 `json:"documents"`
	Increments int64 `json:"increments"` // the sum of count, after less before
	Updates    int64 `json:"updates"`    // the opcounter, after less before; -1 unknown
}

// Cells counts what continuity looked at: series × intervals.
type Cells struct {
	LookedAt int64 `json:"looked_at"`
	Missing  int64 `json:"missing"`
}

// Format is the version of verdict.json that a Verdict is written as. It rises when a
// reader of an earlier one could take something for what it is not; what is only added
// leaves it as it is. Before there was a version, verdict.json had none.
const Format = 1

// Explanation is what one cause did to a run, or what one kind of failure came to where
// no cause is known: what people are told of several findings at once.
type Explanation struct {
	Cause string `json:"cause,omitempty"` // as in Finding; empty: none is known
	// Title says it in a few words: "web-2 loses its last counts at every graceful exit".
	Title string `json:"title"`
	// Sentence has amounts, instances and times.
	Sentence string `json:"sentence"`
	Repair   string `json:"repair,omitempty"` // what to do about it, in one sentence
	// Findings are those of the verdict that say so, by their place in its list from 0,
	// the weightiest first. Consequences are those that follow from them.
	Findings     []int `json:"findings"`
	Consequences []int `json:"consequences,omitempty"`
}

// Alert is one alert of a rule, from when its expression had the element on until it no longer had it, or, of one
// that fired, until it no longer fired.
type Alert struct {
	Name string `json:"name"`
	File string `json:"file"` // that has the rule
	// Labels are those of the element and of the rule, but for alertname. They and the Annotations are expanded, the latter as they
	// were when it began to fire.
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Pending, Firing and Ended are seconds since the start of the run: when its expression had it first, when it began to
	// fire, when it was over. Firing is 0 if it never did, and Ended if it was there to the end.
	Pending float64 `json:"pending"`
	Firing  float64 `json:"firing,omitempty"`
	Ended   float64 `json:"ended,omitempty"`
}

// Verdict is what a record comes to.
type Verdict struct {
	Version int `json:"version"` // see Format
	// ToolVersion is the program's that judged, which may be another than the one that
	// ran the scenario (Versions has that); empty: nobody told.
	ToolVersion string  `json:"tool_version"`
	Scenario    string  `json:"scenario"`
	Outcome     Outcome `json:"outcome"`
	// Title and Sentence say for people what the run comes to: what failed, by how much,
	// who, and the repair; or what was done to the stack, and that all is accounted for; or
	// what to change so that the run proves something.
	Title    string `json:"title"`
	Sentence string `json:"sentence"`
	// Explanations are the causes of what is not a pass, the weightiest first.
	Explanations []Explanation `json:"explanations"`
	// ChecksFrom is the file of the checks, where they are not the run's own;
	// then this is not the run's verdict.
	ChecksFrom string    `json:"checks_from,omitempty"`
	Seed       uint64    `json:"seed"`
	Platform   string    `json:"platform"`       // that the run was on: "local", "docker"
	Start      time.Time `json:"start,omitzero"` // wall clock of the run's start, in UTC
	// Versions are those of what took part in the run, by name ("throughline", "haproxy").
	Versions map[string]string `json:"versions"`
	Phases   []Phase           `json:"phases"` // that began, in their order
	Findings []Finding         `json:"findings"`
	Ledgers  Ledgers           `json:"ledgers"`
	// LedgerEntries are the same as a list, which further tiers and instances can
	// join, and all metrics and routes that the scenario checks. Ledgers has the four
	// tiers, and the first metric, that there were when it was made, and gets no more.
	LedgerEntries []Ledger `json:"ledger_entries"`
	// WebVersions compares the versions of the application that there were in the run, metric
	// by metric; none where there was one, or none has a name.
	WebVersions []Version `json:"web_versions,omitempty"`
	// Alerts are those that there were in the run of the rule files that the scenario's checks name, in the
	// order of their beginnings.
	Alerts      []Alert    `json:"alerts,omitempty"`
	Residuals   []Residual `json:"residuals"`
	Unexplained int64      `json:"unexplained"`
	Cells       Cells      `json:"cells"`
	// Waived are the scenario's waivers, used or not.
	Waived []Waiver `json:"waived,omitempty"`
	// Notes tell what went otherwise than usual and touches no outcome: polls of
	// what the scenario had frozen, an instance that had to be killed when the
	// stack was taken down.
	Notes   []string `json:"notes,omitempty"`
	Seconds float64  `json:"seconds"` // length of the run
}
