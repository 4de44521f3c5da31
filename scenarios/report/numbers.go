package report

import (
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// numberView is what one layer counted of the same requests.
type numberView struct {
	Number string
	Who    string // "acknowledged by users"
	Diff   string // from what users had acknowledged, with its sign; empty: none is told
	Class  string // "good", "bad", "open": explained, or not known yet
	Why    string
}

// endedNumbers are the four ledgers of the checked route, and how each differs from what
// users had acknowledged.
func endedNumbers(h record.History, v verdict.Verdict) []numberView {
	l := v.Ledgers
	acked := l.Users.RouteAcked
	all := []numberView{{Number: words.Number(acked), Who: "acknowledged by users" + ofRoute(l.Users.Route)}}
	if n, known := balancedOf(h, l.Users.Route); known {
		all = append(all, diffOf(v, record.LayerLB, n-acked, numberView{Number: words.Number(n), Who: "answered by the load balancer"}))
	}
	if l.Web.Metric != "" {
		all = append(all, diffOf(v, record.LayerWeb, l.Web.Counted-acked, numberView{Number: words.Number(l.Web.Counted), Who: "counted by the app"}))
	}
	if h.Run.Database != record.NoDatabase && h.Before != nil && h.After != nil {
		all = append(all, diffOf(v, record.LayerDB, l.DB.Increments-acked, numberView{Number: words.Number(l.DB.Increments), Who: "in the database"}))
	}
	return all
}

func ofRoute(route string) string {
	if route == "" {
		return ""
	}
	return " (" + printable(route) + ")"
}

// balancedOf is how many requests of a route the load balancer's log has with 2xx.
func balancedOf(h record.History, route string) (n int64, known bool) {
	if h.Executions == nil {
		return 0, false
	}
	mine := make(map[uint64]bool, len(h.Requests))
	for i := range h.Requests {
		if r := &h.Requests[i]; route == "" || r.Route == route {
			mine[r.Seq] = true
		}
	}
	for _, x := range h.Executions {
		if !x.Foreign && x.Status/100 == 2 && mine[x.Seq] {
			n++
		}
	}
	return n, true
}

// diffOf says how a layer differs from the users, and whether that is explained.
func diffOf(v verdict.Verdict, layer string, diff int64, of numberView) numberView {
	if diff == 0 {
		of.Diff, of.Class = "= users", "good"
		return of
	}
	of.Diff, of.Class = strings.Replace(signed(diff), "-", "−", 1), "open"
	if v.Outcome == verdict.Pass {
		of.Why = "explained"
	}
	for _, r := range v.Residuals {
		if _, to := r.Layers(); to == layer && r.Cause == verdict.CauseUnexplained {
			of.Class, of.Why = "bad", "unexplained"
		}
	}
	for _, f := range v.Findings {
		if f.Outcome == verdict.Fail && f.Layer == layer && f.Lost+f.Extra != 0 {
			of.Class = "bad"
		}
	}
	if of.Class == "bad" && of.Why == "" {
		of.Why = "lost"
		if diff > 0 {
			of.Why = "too many"
		}
	}
	return of
}

// runningNumbers are what the layers had counted at the end of the last interval.
func runningNumbers(s picture.Snapshot) []numberView {
	acked, counted := picture.Total(s.Acked[:s.Whole]), 0.0
	for _, i := range s.Instances {
		counted += picture.Total(i.Counted[:s.Whole])
	}
	polled := map[string]string{}
	for _, l := range s.Layers {
		for _, line := range l.Lines {
			polled[l.ID+" "+line.Name] = number(line.Total)
		}
	}
	all := []numberView{{Number: number(acked), Who: "acknowledged by users" + ofRoute(s.Counts.Route)}}
	if n, known := polled["lb requests"]; known {
		all = append(all, numberView{Number: n, Who: "at the load balancer, all routes"})
	}
	web := numberView{Number: number(counted), Who: "counted by the app", Diff: "= users", Class: "good"}
	if owed := int64(acked) - int64(counted); owed != 0 {
		web.Diff, web.Class, web.Why = strings.Replace(signed(-owed), "-", "−", 1), "open", "not counted yet"
		if owed < 0 {
			web.Why = "not acknowledged"
		}
	}
	if s.Counts.Metric != "" {
		all = append(all, web)
	}
	if n, known := polled["db update"]; known {
		all = append(all, numberView{Number: n, Who: "updates in the database"})
	}
	return all
}

func number(x float64) string { return words.Number(int64(x)) }
