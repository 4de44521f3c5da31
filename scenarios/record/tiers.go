package record

import (
	"slices"
	"strconv"
	"strings"
)

// The layers: where the same requests are counted, as findings, ledgers and scenarios
// call it.
const (
	LayerUsers = "users"
	LayerLB    = string(LoadBalancer)
	LayerHTTPD = string(HTTPD)
	LayerWeb   = string(Web)
	LayerDB    = string(Database)
)

// Tier is a stage on a request's way through the stack that counts it in a ledger which
// is nobody else's. What run, judge and report must know of a tier is here.
type Tier struct {
	Layer string // by which findings name it: "lb"
	Title string // as a column of a table has it: "load balancer"
	// Role is that of its instances, and Stem what their names begin with, before their
	// number; empty: it has no instances.
	Role Role
	Stem string
	// Counter is who counts, as findings name it: "HAProxy".
	Counter string
	// Series are what the names of the polled series begin with that it counts in; none:
	// its ledger is in another part of the record.
	Series []string
	// Answers is the polled series that counts for each web instance, by its label
	// instance, how many requests it answered with 2xx; empty: the tier does not tell.
	Answers string
	// Optional is a tier that not every stack has, nor every record of an earlier version: a
	// run has it if its journal tells of the birth of an instance of its Role.
	Optional bool
}

// Tiers are tiers in the order in which a request comes to them.
type Tiers []Tier

// AllTiers gives the tiers of every run. To judge and report a further tier is an entry
// here: it has a ledger in verdicts, is held against the users' by what Answers counts, and
// has a column in reports. A comparison of its own, where it can tell more, is for
// scenarios/check/tiers to have, and to start and poll it is for scenarios/run.
func AllTiers() Tiers {
	return Tiers{
		// Its ledger is users.csv.
		{Layer: LayerUsers, Title: "users", Counter: "the load generator"},
		{Layer: LayerLB, Title: "load balancer", Role: LoadBalancer, Stem: "haproxy-", Counter: "HAProxy",
			Series: []string{FrontendPrefix, BackendPrefix, ServerPrefix}, Answers: ServerPrefix + "hrsp_2xx"},
		// Most of its ledger is its access log, in passages.csv. Its instances have the numbers of the web
		// instances that they stand before, by whose names their series are labelled.
		{Layer: LayerHTTPD, Title: "Apache HTTP", Role: HTTPD, Stem: "httpd-", Counter: "httpd", Series: []string{ApachePrefix}, Answers: ApacheAnswers, Optional: true},
		// Its ledger is what instances send, under the names that a scenario gives.
		{Layer: LayerWeb, Title: "web", Role: Web, Stem: "web-", Counter: "the application"},
		// Most of its ledger is its documents.
		{Layer: LayerDB, Title: "database", Role: Database, Stem: "mongo-", Counter: "the database", Series: []string{Opcounters}},
	}
}

// In gives the tiers that a run had.
func (t Tiers) In(h History) Tiers {
	if h.Run.Platform == External { // its load balancer and its database are not seen
		return Tiers{t.Of(LayerUsers), t.Of(LayerWeb)}
	}
	born := map[Role]bool{}
	for _, e := range h.Events {
		if e.Kind == Birth {
			born[e.Role] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(t), func(t Tier) bool { return t.Optional && !born[t.Role] })
}

// Of gives the tier of a layer; the zero Tier if there is none.
func (t Tiers) Of(layer string) Tier {
	if k := slices.IndexFunc(t, func(t Tier) bool { return t.Layer == layer }); k >= 0 {
		return t[k]
	}
	return Tier{}
}

// Name is what a tier's instance of a number (1, 2, …) is called: "web-2".
func (t Tier) Name(number int) string { return t.Stem + strconv.Itoa(number) }

// Holds tells whether the tier counts in a polled series of this name.
func (t Tier) Holds(series string) bool {
	return slices.ContainsFunc(t.Series, func(prefix string) bool { return strings.HasPrefix(series, prefix) })
}
