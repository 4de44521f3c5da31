package poll

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/collector"
)

// The kinds of rows in HAProxy's statistics.
const (
	Frontend = "frontend"
	Backend  = "backend"
	Server   = "server"
	Listener = "listener"
)

// HAProxyRow is one row of HAProxy's statistics: a frontend, a backend, a
// server or a listener.
type HAProxyRow struct {
	Proxy  string // pxname
	Server string // svname: the server's name, FRONTEND or BACKEND
	Kind   string // Frontend, Backend, Server or Listener
	// Values are the fields that are numbers, by their names in the CSV.
	// Source: https://docs.haproxy.org/2.6/management.html#9.1
	Values map[string]float64
	Status string // of a server, as HAProxy writes it: "UP", "DOWN 1/2", "MAINT (via be/web-1)", "no check"
	Check  string // of a server, the result of its last health check: "L7OK", "L4CON"; "" before the first
	// Removed tells that the server is gone from HAProxy and that Values
	// are its last, so that nothing is missing in sums over the servers. A
	// [Loop] keeps them once.
	Removed bool
}

// HAProxy makes samples of HAProxy's statistics:
// haproxy_{frontend,backend,server,listener}_<field of the CSV>, with the
// labels proxy and server; for a server also instance, which is its name. Every
// field that is a number becomes a series, but for those that begin with agg_:
// HAProxy fills them for its own exporter alone, and here they are always 0.
//
// What is told in words becomes series as in that exporter, for each server:
// haproxy_server_status{state} for each of ServerStates, 1 for the one it is in
// and 0 for the others; haproxy_server_check_status{state="L7OK"}, 1, for the
// result of the last check alone; and as in haproxy_exporter haproxy_server_up, 1
// while HAProxy takes the server for alive.
// Sources: https://github.com/haproxy/haproxy/blob/master/addons/promex/README and
// https://github.com/prometheus/haproxy_exporter (parseStatusField)
type HAProxy struct {
	Rows func(context.Context) ([]HAProxyRow, error)
}

// haproxyCounters are the fields that only ever grow while HAProxy runs. All
// others are gauges; so is downtime, which HAProxy calls a counter: it is reckoned
// from the present state, and is seen to fall by a second when a server that is
// down is put into maintenance.
// Source: https://docs.haproxy.org/2.6/management.html#9.1, and the natures
// that `show stat typed` tells (C).
var haproxyCounters = fieldSet("stot", "bin", "bout", "dreq", "dresp", "ereq", "econ", "eresp", "wretr", "wredis",
	"chkfail", "chkdown", "lbtot", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other",
	"hanafail", "req_tot", "cli_abrt", "srv_abrt", "comp_in", "comp_out", "comp_byp", "comp_rsp", "conn_tot", "intercepted",
	"dcon", "dses", "wrew", "connect", "reuse", "cache_lookups", "cache_hits", "eint",
	"h1_total_connections", "h1_total_streams", "h2_total_connections", "h2_total_streams",
	"h2_headers_rcvd", "h2_data_rcvd", "h2_settings_rcvd", "h2_rst_stream_rcvd", "h2_goaway_rcvd",
	"h2_detected_conn_protocol_errors", "h2_detected_strm_protocol_errors", "h2_rst_stream_resp", "h2_goaway_resp",
	"ssl_sess", "ssl_reused_sess", "ssl_failed_handshake")

func fieldSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// Poll implements collector.Poller.
func (h *HAProxy) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	rows, err := h.Rows(ctx)
	if err != nil {
		return nil, err
	}
	var samples []collector.Sample
	names := map[[2]string]string{} // by kind and field: the rows of many servers have the same
	for i := range rows {
		row := &rows[i]
		labels := collector.NewLabels("proxy", row.Proxy, "server", row.Server)
		switch row.Kind {
		case Server:
			labels = labels.With("instance", row.Server)
		case Frontend, Backend, Listener:
		default:
			return nil, fmt.Errorf("row %s/%s is a %q, which is no kind of row (want %s, %s, %s or %s)",
				row.Proxy, row.Server, row.Kind, Frontend, Backend, Server, Listener)
		}
		for _, field := range slices.Sorted(maps.Keys(row.Values)) {
			if strings.HasPrefix(field, "agg_") {
				continue
			}
			meta := gaugeMeta
			if haproxyCounters[field] {
				meta = counterMeta
			}
			name, known := names[[2]string{row.Kind, field}]
			if !known {
				name = "haproxy_" + row.Kind + "_" + metricName(field)
				names[[2]string{row.Kind, field}] = name
			}
			sample := collector.Sample{Name: name, Labels: labels, Meta: meta, At: at, Value: row.Values[field], Observed: 1}
			if row.Removed {
				// Nothing was measured: the last value is carried on.
				sample.Observed = 0
			}
			samples = append(samples, sample)
		}
		if row.Kind == Server && !row.Removed {
			samples = append(samples, row.state(labels, at)...)
		}
	}
	return samples, nil
}

// ServerStates are the states of a server, as HAProxy's exporter names them: NOLB
// is one that ends by itself and is given nothing but what belongs to it already.
var ServerStates = [...]string{"DOWN", "UP", "MAINT", "DRAIN", "NOLB"}

// state makes samples of what a server's row says in words; none if it is not
// known.
func (r *HAProxyRow) state(labels collector.Labels, at time.Time) (out []collector.Sample) {
	sample := func(name string, labels collector.Labels, yes bool) {
		value := 0.0
		if yes {
			value = 1
		}
		out = append(out, collector.Sample{Name: "haproxy_server_" + name, Labels: labels, Meta: gaugeMeta, At: at, Value: value, Observed: 1})
	}
	if is := r.serverState(); is != "" {
		for _, state := range ServerStates {
			sample("status", labels.With("state", state), state == is)
		}
		sample("up", labels, is == "UP" || is == "DRAIN")
	}
	if r.Check != "" {
		sample("check_status", labels.With("state", r.Check), true)
	}
	return out
}

// serverState is one of ServerStates; "" if it is none. A server without checks is
// taken for up, and one that has no weight is given nothing new: HAProxy says
// DRAIN of it only where it has checks.
func (r *HAProxyRow) serverState() string {
	word, _, _ := strings.Cut(r.Status, " ") // "UP 1/3", "MAINT (via …)"
	word, _, _ = strings.Cut(word, "(")
	if r.Status == "no check" {
		word = "UP"
	}
	if weight, known := r.Values["weight"]; word == "UP" && known && weight == 0 {
		return "DRAIN"
	}
	if slices.Contains(ServerStates[:], word) {
		return word
	}
	return ""
}

// metricName makes a field's name one that Prometheus knows: a few fields of
// HAProxy's have a dash.
func metricName(field string) string {
	b := []byte(field)
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b)
}
