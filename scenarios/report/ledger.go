package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/picture/draw"
	"throughline/scenarios/record"
)

// lbRequests is the series in which HAProxy counts the requests that came to it.
const lbRequests = record.FrontendPrefix + "req_tot"

// ledgerRow is one kind of number as the tiers have it, each in its column. A row with
// Head set only separates.
type ledgerRow struct {
	Name    string
	Cells   []string
	Head    bool
	byLayer cells
}

// cells are what a row has, by layer; a layer that is not there has no such number.
type cells map[string]string

func row(name string, by cells) ledgerRow { return ledgerRow{Name: name, byLayer: by} }

// ledgerHeads are the heads of the columns, in full or as short as layers are called.
func ledgerHeads(tiers record.Tiers, short bool) []string {
	var heads []string
	for _, tier := range tiers {
		if short {
			heads = append(heads, tier.Layer)
			continue
		}
		heads = append(heads, tier.Title)
	}
	return heads
}

// ledgerRows puts the ledgers side by side, with a column for each tier.
func ledgerRows(tiers record.Tiers, h record.History, v verdict.Verdict) []ledgerRow {
	rows := append(allRows(h, v), routeRows(h, v.Ledgers)...)
	for i := range rows {
		for _, tier := range tiers {
			rows[i].Cells = append(rows[i].Cells, rows[i].byLayer[tier.Layer])
		}
	}
	return rows
}

// allRows are the rows of all routes.
func allRows(h record.History, v verdict.Verdict) []ledgerRow {
	l := v.Ledgers
	lb := words.Number[int64]
	if l.LB.Requests == 0 && !hasSeries(h, lbRequests) {
		lb = func(int64) string { return "no data" }
	}
	rows := []ledgerRow{
		{Name: "all routes", Head: true},
		row("requests", furtherTiers("requests", cells{record.LayerUsers: words.Number(l.Users.Requests), record.LayerLB: lb(l.LB.Requests)}, v.LedgerEntries)),
		row("attempts at the wire", cells{record.LayerUsers: words.Number(l.Users.Attempts)}),
		row("acked (2xx)", furtherTiers("answered_2xx", cells{record.LayerUsers: words.Number(l.Users.Acked), record.LayerLB: lb(l.LB.Responses["2xx"])}, v.LedgerEntries)),
		row("refused", cells{record.LayerUsers: words.Number(l.Users.Refused)}),
		row("unknown", cells{record.LayerUsers: words.Number(l.Users.Unknown - sum(l.Users.Answered))}),
	}
	for _, class := range answerClasses(l) {
		users := "" // of those that were refused some got such an answer, too
		if n := l.Users.Answered[class]; n > 0 {
			users = words.Number(n)
		}
		rows = append(rows, row("answered "+printable(class), furtherTiers("answered_"+class, cells{record.LayerUsers: users, record.LayerLB: lb(l.LB.Responses[class])}, v.LedgerEntries)))
	}
	return append(rows,
		row("errors of its own", furtherTiers("errors", cells{record.LayerLB: lb(l.LB.Errors)}, v.LedgerEntries)),
		row("retries", cells{record.LayerLB: lb(l.LB.Retries)}),
		row("redispatches", cells{record.LayerLB: lb(l.LB.Redispatch)}))
}

// builtIn are the layers whose numbers are told in a way of their own.
var builtIn = []string{record.LayerUsers, record.LayerLB, record.LayerWeb, record.LayerDB}

// furtherTiers adds a count of the tiers that have no other way to tell it.
func furtherTiers(count string, of cells, entries []verdict.Ledger) cells {
	for _, e := range entries {
		if n, told := e.Counts[count]; told && e.Instance == "" && !slices.Contains(builtIn, e.Layer) {
			of[e.Layer] = words.Number(n)
		}
	}
	return of
}

// answerClasses are the classes of answers that acknowledge nothing, as far as there
// were any; 4xx and 5xx are always among them.
func answerClasses(l verdict.Ledgers) []string {
	classes := map[string]bool{"4xx": true, "5xx": true}
	for _, by := range []map[string]int64{l.Users.Answered, l.LB.Responses} {
		for class, n := range by {
			if n != 0 {
				classes[class] = true
			}
		}
	}
	delete(classes, "2xx") // it stands above
	return slices.Sorted(maps.Keys(classes))
}

func sum(by map[string]int64) (n int64) {
	for _, m := range by {
		n += m
	}
	return n
}

// routeRows are the rows of the route that web and database count too.
func routeRows(h record.History, l verdict.Ledgers) []ledgerRow {
	head := "checked route"
	if l.Users.Route != "" {
		head = "route " + printable(l.Users.Route)
	}
	if l.Web.Metric != "" {
		head += ", metric " + printable(l.Web.Metric)
	}
	counted := none
	if l.Web.Metric != "" {
		counted = words.Number(l.Web.Counted)
	}
	increments, documents, updates := words.Number(l.DB.Increments), words.Number(l.DB.Documents), words.Number(l.DB.Updates)
	if l.DB.Updates < 0 {
		updates = "not known"
	}
	if h.Run.Database == record.NoDatabase {
		increments, documents, updates = none, none, none
	} else if h.Before == nil || h.After == nil {
		increments, documents = "not read", "not read"
	}
	rows := []ledgerRow{
		{Name: head, Head: true},
		row("acked, counted, added", cells{record.LayerUsers: words.Number(l.Users.RouteAcked), record.LayerWeb: counted, record.LayerDB: increments}),
		row("unknown", cells{record.LayerUsers: words.Number(l.Users.RouteUnknown - sum(l.Users.RouteAnswered))}),
	}
	for _, class := range slices.Sorted(maps.Keys(l.Users.RouteAnswered)) {
		rows = append(rows, row("answered "+printable(class), cells{record.LayerUsers: words.Number(l.Users.RouteAnswered[class])}))
	}
	return append(rows,
		row("update commands", cells{record.LayerDB: updates}),
		row("documents", cells{record.LayerDB: documents}))
}

func hasSeries(h record.History, name string) bool {
	return slices.ContainsFunc(h.Series, func(s record.Series) bool { return s.Name == name && len(s.Points) > 0 })
}

// instanceRow is one instance as users, load balancer and web count it.
type instanceRow struct {
	Name     string
	Anchor   string // its id in the page
	Lived    string // "0.1–14.9 s, SIGKILL"
	Acked    string // of the checked route
	LB       string // 2xx of all routes
	Counted  string
	Residual string   // counted less acked
	Booked   []string // the causes it was booked to
	// Plain rows have no residual and nothing booked.
	Plain bool
}

// instanceRows lists the instances of all roles that the journal or a ledger knows, in
// the order of their names: that of their births, as none is used twice.
func instanceRows(h record.History, v verdict.Verdict) []instanceRow {
	lives := map[string]record.Lifetime{}
	known := map[string]bool{}
	for _, life := range h.Lifetimes() {
		if life.Role.Application() {
			lives[life.Instance] = life
			known[life.Instance] = true
		}
	}
	for _, by := range []map[string]int64{v.Ledgers.Users.ByInstance, v.Ledgers.LB.ByInstance, v.Ledgers.Web.ByInstance} {
		for name := range by {
			known[name] = true
		}
	}
	counting := map[record.Role]bool{} // the roles that the checked route concerns
	for _, by := range []map[string]int64{v.Ledgers.Users.ByInstance, v.Ledgers.Web.ByInstance} {
		for name := range by {
			if life, ok := lives[name]; ok {
				counting[life.Role] = true
			}
		}
	}
	booked := map[string][]string{}
	for _, r := range v.Residuals {
		booked[r.Instance] = append(booked[r.Instance], bookingText(r))
		known[r.Instance] = true
	}
	delete(known, "") // what no instance is known to have done
	names := slices.SortedFunc(maps.Keys(known), record.CompareNames)
	rows := make([]instanceRow, 0, len(names))
	for _, name := range names {
		life, ok := lives[name]
		r := newInstanceRow(name, v.Ledgers, booked[name], !ok || len(counting) == 0 || counting[life.Role])
		if ok {
			r.Lived = lifeText(life)
		}
		rows = append(rows, r)
	}
	return rows
}

// newInstanceRow has what the ledgers tell of an instance, and nothing of its life. The checked route may concern another
// role.
func newInstanceRow(name string, l verdict.Ledgers, booked []string, concerned bool) instanceRow {
	r := instanceRow{Name: printable(name), Anchor: draw.Anchor(name), Lived: "not in the journal", Booked: booked,
		Acked: none, LB: cellText(l.LB.ByInstance, name), Counted: none, Residual: none}
	if concerned && (l.Users.Route != "" || len(l.Users.ByInstance) > 0) {
		r.Acked = words.Number(l.Users.ByInstance[name])
	}
	if concerned && l.Web.Metric != "" {
		r.Counted = words.Number(l.Web.ByInstance[name])
	}
	residual := l.Web.ByInstance[name] - l.Users.ByInstance[name]
	if r.Acked != none && r.Counted != none {
		r.Residual = signed(residual)
	}
	r.Plain = len(r.Booked) == 0 && (r.Residual == none || residual == 0)
	return r
}

func cellText(by map[string]int64, name string) string {
	if n, ok := by[name]; ok {
		return words.Number(n)
	}
	return none
}

// lifeText says from when to when an instance was there, and how it ended.
func lifeText(l record.Lifetime) string {
	if l.Birth == record.Never {
		return "birth not in the journal"
	}
	if l.Death == record.Never {
		return offset(l.Birth) + " to the end"
	}
	how := l.Signal
	switch {
	case !l.Expected && l.Code >= 0:
		how = fmt.Sprintf("died by itself, exit status %d", l.Code)
	case !l.Expected:
		how = "died by itself"
	case how == "":
		how = "ended"
	}
	return strings.TrimSuffix(offset(l.Birth), " s") + "–" + offset(l.Death) + ", " + printable(how)
}

// bookingText says to what a difference between two ledgers was booked: "users→web:
// lost 41 (of at most 60): killed-in-flight".
func bookingText(r verdict.Residual) string {
	n := numbersText(verdict.Finding{Lost: r.Lost, Extra: r.Extra})
	if n == "" {
		n = "0"
	}
	if r.Bound != 0 {
		n += fmt.Sprintf(" (of at most %s)", words.Number(r.Bound))
	}
	return fmt.Sprintf("%s: %s: %s", printable(r.Between), n, printable(r.Cause))
}

// unplaced are the bookings that belong to no single instance.
func unplaced(v verdict.Verdict) []string {
	var out []string
	for _, r := range v.Residuals {
		if r.Instance == "" {
			out = append(out, bookingText(r))
		}
	}
	return out
}
