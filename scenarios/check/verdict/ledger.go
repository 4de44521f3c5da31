package verdict

// Ledger is what one tier counted of one thing: an entry of Verdict.LedgerEntries, which
// stand in the order in which a request comes to the tiers. Of a tier that has entries of
// several kinds, what it counted as a whole comes before what it counted of single
// instances, and these are in the order of their names.
type Ledger struct {
	Layer string `json:"layer"` // who counted: "users", "lb", "web", "db"
	// Instance is the instance of which the counts are, whoever counted; empty: they are
	// of no single one.
	Instance string `json:"instance,omitempty"`
	// Route is whose requests were counted; empty: those of all routes, or, where there is
	// a Metric, those that it counts.
	Route  string `json:"route,omitempty"`
	Metric string `json:"metric,omitempty"` // in which they were counted, where it is the application's
	// Counts are by what was counted: "requests", "acked", "answered_2xx", … A number that
	// nobody knows is not among them.
	Counts map[string]int64 `json:"counts"`
}

// Phase is a named stretch of the scenario as it took place.
type Phase struct {
	Name string `json:"name"`
	// From and To are seconds since the start of the run. A phase that did not come to its
	// end, because the run did not, ends with the record.
	From float64 `json:"from"`
	To   float64 `json:"to"`
}
