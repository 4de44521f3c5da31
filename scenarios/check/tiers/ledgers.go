package tiers

import (
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Ledgers writes down what each of the four tiers counted; web comes from
// conservation.
func Ledgers(e *evidence.Index) verdict.Ledgers {
	u := e.Users
	l := verdict.Ledgers{
		Users: verdict.UsersLedger{Requests: u.Requests, Attempts: u.Attempts, Acked: u.Acked, Refused: u.Refused, Unknown: u.Unknown, NoAnswer: u.NoAnswer},
		LB:    verdict.LBLedger{Responses: map[string]int64{}},
		DB:    verdict.DBLedger{Updates: -1},
	}
	l.Users.Answered = answered(e, func(record.Request) bool { return true })
	if all := script.Promised[script.Conservation](e.Scenario); len(all) > 0 {
		countRoute(&l.Users, e, all[0].Route)
	}
	if b, ok := evidence.NewBalancer(e); ok {
		l.LB = lbLedger(b)
	}
	if d := e.History.After; d != nil {
		l.DB.Documents = int64(len(d.Words))
	}
	l.DB.Increments, _ = increments(e)
	if updates := e.Updates(); len(updates.At) > 0 {
		l.DB.Updates = evidence.Whole(updates.Since(e.Begin))
	}
	return l
}

// answered counts answers that acknowledge nothing, by their class.
func answered(e *evidence.Index, want func(record.Request) bool) map[string]int64 {
	by := map[string]int64{}
	for i := range e.History.Requests {
		if class := e.History.Requests[i].Answered(); class != "" && want(e.History.Requests[i]) {
			by[class]++
		}
	}
	return by
}

func countRoute(l *verdict.UsersLedger, e *evidence.Index, route string) {
	l.Route, l.ByInstance = route, map[string]int64{}
	l.RouteAcked = ackedTotal(e, route)
	l.RouteAnswered = answered(e, func(r record.Request) bool { return r.Route == route })
	for _, life := range e.LivesFor(route) {
		if n := int64(len(e.Acked(life.Instance, route))); n > 0 {
			l.ByInstance[life.Instance] = n
		}
	}
	for _, s := range e.Users.Spans {
		if !s.Acked && s.Key.Route == route {
			l.RouteUnknown += s.Unknown
		}
	}
}

func lbLedger(b evidence.Balancer) verdict.LBLedger {
	l := verdict.LBLedger{Responses: map[string]int64{}, ByInstance: map[string]int64{}}
	l.Requests, _ = b.Since(record.FrontendPrefix, "req_tot")
	for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
		if n, ok := b.Since(record.FrontendPrefix, "hrsp_"+class); ok {
			l.Responses[class] = n
		}
	}
	l.Errors, _ = b.Since(record.BackendPrefix, "econ")
	l.Retries, _ = b.Since(record.BackendPrefix, "wretr")
	l.Redispatch, _ = b.Since(record.BackendPrefix, "wredis")
	for _, life := range b.Index.Lives {
		if n := b.OfServer(life.Instance, "hrsp_2xx"); n > 0 {
			l.ByInstance[life.Instance] = n
		}
	}
	return l
}

// ackedTotal counts the acknowledged requests of the routes, also those that
// name no instance. Without routes: of all.
func ackedTotal(e *evidence.Index, routes ...string) int64 {
	var n int64
	for key, at := range e.Users.AckedAt {
		if evidence.Wanted(routes, key.Route) {
			n += int64(len(at))
		}
	}
	for _, s := range e.Users.Spans {
		if s.Acked && evidence.Wanted(routes, s.Key.Route) {
			n++
		}
	}
	return n
}
