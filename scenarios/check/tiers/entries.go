package tiers

import (
	"maps"
	"slices"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// entries makes the list of ledgers, tier by tier.
type entries struct {
	e    *evidence.Index
	l    verdict.Ledgers     // the four, as they are told apart
	webs []verdict.WebLedger // of all metrics that were compared
	list []verdict.Ledger
}

// Entries writes the ledgers of all tiers down as one list: in the order of the tiers,
// and of each first what it counted as a whole. l is what Ledgers gives, and webs has an
// entry for each conservation check.
func Entries(e *evidence.Index, l verdict.Ledgers, webs []verdict.WebLedger) []verdict.Ledger {
	all := entries{e: e, l: l, webs: webs, list: []verdict.Ledger{}}
	for _, tier := range e.Tiers {
		switch tier.Layer {
		case record.LayerUsers:
			all.users(tier)
		case record.LayerLB:
			all.balancer(tier)
		case record.LayerWeb:
			all.web(tier)
		case record.LayerHTTPD:
			all.httpd(tier)
		case record.LayerDB:
			all.database(tier)
		default:
			all.answers(tier)
		}
	}
	return all.list
}

// add puts in an entry of what is known.
func (a *entries) add(entry verdict.Ledger) {
	if len(entry.Counts) > 0 {
		a.list = append(a.list, entry)
	}
}

// addPerInstance puts in an entry like this for each instance, which has one number.
func (a *entries) addPerInstance(like verdict.Ledger, count string, by map[string]int64) {
	for _, instance := range slices.SortedFunc(maps.Keys(by), record.CompareNames) {
		if instance != "" {
			like.Instance, like.Counts = instance, map[string]int64{count: by[instance]}
			a.add(like)
		}
	}
}

// answeredAs is the name of the count of answers of a class: "answered_2xx".
func answeredAs(class string) string { return "answered_" + class }

// users adds the users' ledger of all routes, and of each that a metric is to count.
func (a *entries) users(tier record.Tier) {
	u := a.l.Users
	whole := verdict.Ledger{Layer: tier.Layer, Counts: map[string]int64{"requests": u.Requests, "attempts": u.Attempts,
		"acked": u.Acked, "refused": u.Refused, "unknown": u.Unknown, "no_answer": u.NoAnswer}}
	for class, n := range u.Answered {
		whole.Counts[answeredAs(class)] = n
	}
	a.add(whole)
	known := map[string]bool{}
	for _, c := range script.Promised[script.Conservation](a.e.Scenario) {
		if known[c.Route] {
			continue
		}
		known[c.Route] = true
		var r verdict.UsersLedger
		countRoute(&r, a.e, c.Route)
		of := verdict.Ledger{Layer: tier.Layer, Route: r.Route, Counts: map[string]int64{"acked": r.RouteAcked, "unknown": r.RouteUnknown}}
		for class, n := range r.RouteAnswered {
			of.Counts[answeredAs(class)] = n
		}
		a.add(of)
		a.addPerInstance(of, "acked", r.ByInstance)
	}
}

func (a *entries) balancer(tier record.Tier) {
	if _, known := evidence.NewBalancer(a.e); !known {
		return
	}
	lb := a.l.LB
	whole := verdict.Ledger{Layer: tier.Layer, Counts: map[string]int64{"requests": lb.Requests, "errors": lb.Errors, "retries": lb.Retries, "redispatches": lb.Redispatch}}
	for class, n := range lb.Responses {
		whole.Counts[answeredAs(class)] = n
	}
	a.add(whole)
	a.addPerInstance(whole, answeredAs("2xx"), lb.ByInstance)
}

// web adds a ledger of each metric. What no instance is known to have sent is in the whole, and is told
// beside it.
func (a *entries) web(tier record.Tier) {
	known := map[string]bool{}
	for _, w := range a.webs {
		if known[w.Metric] {
			continue
		}
		known[w.Metric] = true
		whole := verdict.Ledger{Layer: tier.Layer, Metric: w.Metric, Counts: map[string]int64{"counted": w.Counted}}
		if n := w.ByInstance[""]; n != 0 {
			whole.Counts["unattributed"] = n
		}
		a.add(whole)
		a.addPerInstance(whole, "counted", w.ByInstance)
	}
}

// database adds one of the documents, which are of no single member; its own counts are, where the record
// tells the members apart.
func (a *entries) database(tier record.Tier) {
	counts := map[string]int64{}
	if a.e.History.After != nil {
		counts["documents"] = a.l.DB.Documents
	}
	if n, known := increments(a.e); known {
		counts["increments"] = n
	}
	if a.l.DB.Updates >= 0 {
		counts["updates"] = a.l.DB.Updates
	}
	a.add(verdict.Ledger{Layer: tier.Layer, Counts: counts})
	by := map[string]int64{}
	set := a.e.Set()
	for member, updates := range set.By {
		by[member] = evidence.Whole(updates.Since(a.e.Begin))
	}
	if unseen, known := set.Unseen(a.e.Begin); known && len(set.Gone) == 1 {
		by[set.Gone[0].Member] += unseen
	}
	a.addPerInstance(verdict.Ledger{Layer: tier.Layer}, "updates", by)
}

// httpd adds what the Apache HTTP servers logged: answers of the instances by their class, and those that they made
// themselves, which are errors.
func (a *entries) httpd(tier record.Tier) {
	if len(a.e.History.Passages) == 0 {
		return
	}
	whole := verdict.Ledger{Layer: tier.Layer, Counts: map[string]int64{"requests": int64(len(a.e.History.Passages)), "errors": 0}}
	by := map[string]int64{}
	for _, x := range a.e.History.Passages {
		if !x.Answered {
			whole.Counts["errors"]++
			continue
		}
		class := x.Class()
		whole.Counts[answeredAs(class)]++
		if class == "2xx" {
			by[x.Instance]++
		}
	}
	a.add(whole)
	a.addPerInstance(whole, answeredAs("2xx"), by)
}

// answers adds that of a tier that tells no more than how often each instance answered.
func (a *entries) answers(tier record.Tier) {
	if len(a.e.Polled[tier.Answers]) == 0 {
		return
	}
	var whole int64
	by := map[string]int64{}
	for _, s := range a.e.Polled[tier.Answers] {
		n := evidence.Whole(evidence.SumOf([]*record.Series{s}).Since(a.e.Begin))
		whole += n
		by[s.Labels.Get(evidence.LabelInstance)] += n
	}
	like := verdict.Ledger{Layer: tier.Layer, Counts: map[string]int64{answeredAs("2xx"): whole}}
	a.add(like)
	a.addPerInstance(like, answeredAs("2xx"), by)
}
