package haproxy

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// Kind is what a row of the statistics is about.
type Kind int

// The kinds, with the letters that `show stat typed` gives them.
const (
	FrontendRow Kind = iota + 1 // F
	BackendRow                  // B
	Server                      // S
	Listener                    // L
)

var kinds = map[string]Kind{"F": FrontendRow, "B": BackendRow, "S": Server, "L": Listener}

// Row is what HAProxy says of one frontend, backend or server. A field that it
// does not give is in neither map. Fields says what each field means.
type Row struct {
	Proxy   string // fe_main, be_web
	Server  string // FRONTEND, BACKEND or the server's name
	Kind    Kind
	Removed bool // the server is no longer there; its counters are its last
	Values  map[string]float64
	Text    map[string]string
}

// Statistics reads every row (`show stat typed`) and adds one for each server
// that Remove removed, with the counters it had in the end: so a sum over the
// servers never goes backwards. A removed server's row has no gauges, because
// nothing is on it any more, and its status is "MAINT (removed)".
//
// These hold in any run with this configuration, once nothing is in flight
// (BE is the backend's row, FE the frontend's, srv the servers', removed ones
// included):
//
//	BE.stot = FE.req_tot
//	BE.req_tot = FE.hrsp_1xx + … + FE.hrsp_5xx + FE.hrsp_other
//	BE.hrsp_2xx = sum srv.hrsp_2xx
//	BE.stot + BE.wredis - BE.econ <= BE.lbtot <= BE.stot + BE.wredis
//	BE.econ <= BE.hrsp_5xx - sum srv.hrsp_5xx <= BE.econ + BE.eresp
//	BE.wredis - BE.econ <= sum srv.stot - BE.stot <= BE.wretr + BE.wredis
//
// The bounds are equalities only where nothing failed. A request for which there
// was no server at all is in BE.stot and BE.econ, but no server was chosen for
// it. Of the 5xx that HAProxy made, a 503 because no server could be reached is
// in econ; a 502 or 504 because a server failed after it got the request is in
// eresp, which also has failures without a 5xx.
func (r *Runtime) Statistics(ctx context.Context) ([]Row, error) {
	r.counting.Lock()
	defer r.counting.Unlock()
	rows, err := r.rows(ctx)
	if err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	for _, row := range r.removed {
		row.Values, row.Text = maps.Clone(row.Values), maps.Clone(row.Text)
		rows = append(rows, row)
	}
	return rows, nil
}

// serverRows is how `show stat` asks for rows of servers.
const serverRows = "4"

// rows reads all rows, or those of which: proxy, type and server id.
func (r *Runtime) rows(ctx context.Context, which ...string) ([]Row, error) {
	text, err := r.command(ctx, strings.Join(append(append([]string{"show stat"}, which...), "typed"), " "))
	if err != nil {
		return nil, err
	}
	return parseTyped(text)
}

// tombstone is the last row of a server that is about to go.
func tombstone(row Row) Row {
	last := Row{
		Proxy: row.Proxy, Server: row.Server, Kind: row.Kind, Removed: true,
		Values: map[string]float64{}, Text: map[string]string{"status": "MAINT (removed)"},
	}
	for name, value := range row.Values {
		switch Fields[name].Nature {
		case Counter, Maximum, Key:
			last.Values[name] = value
		}
	}
	for _, name := range []string{"pxname", "svname", "addr"} {
		if text, ok := row.Text[name]; ok {
			last.Text[name] = text
		}
	}
	return last
}

// parseTyped reads the answer to `show stat typed` (management.txt, section
// 9.2): one line for each value,
//
//	S.3.1.7.stot.1:MCP:u64:42
//	│ │ │ │ │    │  │   │   └ value
//	│ │ │ │ │    │  │   └ type: s32 s64 u32 u64 flt str
//	│ │ │ │ │    │  └ origin, nature, scope
//	│ │ │ │ └────┴ field and process
//	└─┴─┴─┴ kind, proxy id, server id, field number
func parseTyped(text string) ([]Row, error) {
	var rows []Row
	index := map[string]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		var parts [4]string
		if !cut(line, ':', parts[:]) {
			return nil, fmt.Errorf("haproxy says %q instead of statistics", line)
		}
		var path [6]string
		if !cut(parts[0], '.', path[:]) || strings.Contains(path[5], ".") || kinds[path[0]] == 0 {
			return nil, fmt.Errorf("%q is not a line of `show stat typed`", line)
		}
		id := parts[0][:len(path[0])+len(path[1])+len(path[2])+2]
		at, ok := index[id]
		if !ok {
			at = len(rows)
			index[id] = at
			rows = append(rows, Row{Kind: kinds[path[0]], Values: map[string]float64{}, Text: map[string]string{}})
		}
		row, field := &rows[at], path[4]
		if parts[2] == "str" {
			row.Text[field] = parts[3]
			continue
		}
		value, err := strconv.ParseFloat(parts[3], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: not a number: %w", line, err)
		}
		row.Values[field] = value
	}
	for i := range rows {
		rows[i].Proxy, rows[i].Server = rows[i].Text["pxname"], rows[i].Text["svname"]
		if rows[i].Proxy == "" || rows[i].Server == "" {
			return nil, fmt.Errorf("haproxy's statistics have a row without a name: %v", rows[i].Text)
		}
	}
	return rows, nil
}

// cut cuts a text into as many parts as there are places for, the last of which is all that is
// left; false: there are fewer. Unlike strings.Split it needs no memory: the statistics of a hundred
// servers are 9,000 lines, every interval.
func cut(text string, sep byte, into []string) bool {
	last := len(into) - 1
	for i := range last {
		at := strings.IndexByte(text, sep)
		if at < 0 {
			return false
		}
		into[i], text = text[:at], text[at+1:]
	}
	into[last] = text
	return true
}
