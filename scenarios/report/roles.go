package report

import (
	"cmp"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// roleRow is what the instances of one role were and did.
type roleRow struct {
	Name      string
	Instances string // how many there were
	Deaths    string
	Acked     string // by users, of all routes
	LB        string // answers with 2xx, as the load balancer counts them; none where it has no servers of the role
	Of        string // of which routes users had answers: "get, toplist"
}

// roleRows lists the roles of the application in the order of their names, the first first; none where there is one alone.
func roleRows(h record.History, v verdict.Verdict) []roleRow {
	type tally struct {
		births, deaths int
		acked, lb      int64
		served         bool
		routes         []string
	}
	var order []record.Role
	by, of := map[record.Role]*tally{}, map[string]*tally{}
	for _, l := range h.Lifetimes() {
		if !l.Role.Application() || l.Birth == record.Never {
			continue
		}
		t := by[l.Role]
		if t == nil {
			t = &tally{}
			by[l.Role], order = t, append(order, l.Role)
		}
		of[l.Instance] = t
		t.births++
		if l.Death != record.Never {
			t.deaths++
		}
		if n, known := v.Ledgers.LB.ByInstance[l.Instance]; known {
			t.lb, t.served = t.lb+n, true
		}
	}
	if len(order) < 2 {
		return nil
	}
	routes := map[*tally]map[string]bool{}
	for i := range h.Requests {
		r := &h.Requests[i]
		t := of[r.Instance]
		if t == nil || r.Outcome != record.Acked {
			continue
		}
		t.acked++
		if routes[t] == nil {
			routes[t] = map[string]bool{}
		}
		if !routes[t][r.Route] {
			routes[t][r.Route] = true
			t.routes = append(t.routes, printable(r.Route))
		}
	}
	slices.SortStableFunc(order, func(a, b record.Role) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(string(a), string(b)))
	})
	var rows []roleRow
	for _, role := range order {
		t := by[role]
		row := roleRow{Name: printable(string(role)), Instances: words.Number(t.births), Deaths: words.Number(t.deaths), Acked: words.Number(t.acked), LB: none,
			Of: "no users' requests"}
		if t.served {
			row.LB = words.Number(t.lb)
		}
		if len(t.routes) > 0 {
			row.Of = strings.Join(slices.Sorted(slices.Values(t.routes)), ", ")
		}
		rows = append(rows, row)
	}
	return rows
}

// CountingRole is the role whose instances count the requests of a route; "" where there is one role alone.
func CountingRole(of script.Scenario, route string) record.Role {
	if route == "" || len(of.Stack.Others) == 0 {
		return ""
	}
	return record.Role(of.Stack.OwnerOf(route))
}

// rank puts the first role first: roles are born side by side.
func rank(role record.Role) int {
	if role == record.Web {
		return 0
	}
	return 1
}

// roles writes the table of roles.
func (t *text) roles(rows []roleRow) {
	if len(rows) == 0 {
		return
	}
	t.title("Roles")
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	name, cell, head := t.columns(names, "instances", "deaths", "acked", "lb 2xx")
	t.line(head + "  routes")
	for _, r := range rows {
		t.wrapped("  "+padRight(truncate(r.Name, name), name)+padLeft(r.Instances, cell)+padLeft(r.Deaths, cell)+padLeft(r.Acked, cell)+padLeft(r.LB, cell)+"  ", r.Of)
	}
}
