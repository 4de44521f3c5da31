package poll

import (
	"context"
	"fmt"
	"time"

	"throughline/collector"
)

// HTTPDRow is what one Apache HTTP server tells.
type HTTPDRow struct {
	Instance string // the web instance that it stands before
	// Numbers are those of its status page, by their names there; nil: it is gone, and Answered and Own are its last.
	Numbers map[string]float64
	// Answered counts, by its access log, the answers of the instance that it passed on, by their class ("2xx"), and Own
	// those that it made itself, by their status ("503").
	Answered, Own map[string]float64
}

// HTTPD makes samples of what Apache HTTP servers tell, each with the label instance: those of the status page as
// apache_exporter names them, and those of the access log as apache_answered_CLASS_total and apache_own_answers_total{code}.
// Source: https://github.com/Lusitaniae/apache_exporter
type HTTPD struct {
	Rows func(context.Context) ([]HTTPDRow, error)
}

// httpdFields are the numbers of the status page that become series: the name, and what tells it from others of it.
var httpdFields = []struct {
	field, name  string
	label, value string
	meta         *collector.Meta
}{
	{field: "Total Accesses", name: "apache_accesses_total", meta: counterMeta},
	{field: "Total kBytes", name: "apache_sent_kilobytes_total", meta: counterMeta},
	{field: "Total Duration", name: "apache_duration_ms_total", meta: counterMeta},
	{field: "ServerUptimeSeconds", name: "apache_uptime_seconds_total", meta: counterMeta},
	{field: "BusyWorkers", name: "apache_workers", label: "state", value: "busy", meta: gaugeMeta},
	{field: "IdleWorkers", name: "apache_workers", label: "state", value: "idle", meta: gaugeMeta},
	{field: "ConnsTotal", name: "apache_connections", label: "state", value: "total", meta: gaugeMeta},
	{field: "ConnsAsyncKeepAlive", name: "apache_connections", label: "state", value: "keepalive", meta: gaugeMeta},
	{field: "ConnsAsyncWriting", name: "apache_connections", label: "state", value: "writing", meta: gaugeMeta},
	{field: "ConnsAsyncClosing", name: "apache_connections", label: "state", value: "closing", meta: gaugeMeta},
	{field: "ParentServerConfigGeneration", name: "apache_generation", label: "type", value: "config", meta: gaugeMeta},
	{field: "ParentServerMPMGeneration", name: "apache_generation", label: "type", value: "mpm", meta: gaugeMeta},
}

// Poll implements collector.Poller.
func (h *HTTPD) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	rows, err := h.Rows(ctx)
	if err != nil {
		return nil, err
	}
	var samples []collector.Sample
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row.Instance] {
			return nil, fmt.Errorf("two rows are of %q", row.Instance)
		}
		seen[row.Instance] = true
		labels := collector.NewLabels("instance", row.Instance)
		for _, f := range httpdFields {
			v, told := row.Numbers[f.field]
			if !told {
				continue
			}
			of := labels
			if f.label != "" {
				of = of.With(f.label, f.value)
			}
			samples = append(samples, collector.Sample{Name: f.name, Labels: of, Meta: f.meta, At: at, Value: v, Observed: 1})
		}
		var observed uint64 = 1
		if row.Numbers == nil {
			observed = 0 // nothing was measured: the last value is carried on
		}
		for class, n := range row.Answered {
			samples = append(samples, collector.Sample{Name: "apache_answered_" + class + "_total", Labels: labels, Meta: counterMeta, At: at, Value: n, Observed: observed})
		}
		for code, n := range row.Own {
			samples = append(samples, collector.Sample{Name: "apache_own_answers_total", Labels: labels.With("code", code), Meta: counterMeta, At: at, Value: n, Observed: observed})
		}
	}
	return samples, nil
}
