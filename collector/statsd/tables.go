package statsd

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// Tables implements collector.Tabler: what came in, by listener, and what was found.
func (c *Collector) Tables() []collector.Table {
	l := c.Figures()
	tables := []collector.Table{l.listeners()}
	if len(l.Findings) > 0 {
		tables = append(tables, findingsTable(l.Findings))
	}
	return tables
}

func (l Figures) listeners() collector.Table {
	t := collector.Table{Title: "What came in", Head: []string{"listener", "instance", "datagrams", "lines", "accepted", "held", "bad", "refused", "events",
		"checks", "truncated", "kernel drops", "series"}}
	for _, x := range l.Listeners {
		drops := loss(x.KernelDrops)
		if !x.KernelDropsKnown {
			drops.Text = "unknown"
		}
		t.Rows = append(t.Rows, []collector.Cell{{Text: x.Addr}, {Text: x.Instance}, number(x.Datagrams), number(x.Lines), number(x.Accepted), number(x.Held),
			loss(x.BadLines()), loss(x.RefusedLines()), number(x.Events), number(x.ServiceChecks), loss(x.Truncated), drops, number(uint64(x.Series))})
	}
	for _, lost := range []struct {
		name string
		by   map[string]uint64
	}{{"Bad", l.Total.Bad}, {"Refused", l.Total.Refused}} {
		if len(lost.by) > 0 {
			t.Notes = append(t.Notes, lost.name+" lines: "+byReason(lost.by))
		}
	}
	return t
}

// byReason writes "bad_value 1; conflict 2; ".
func byReason(counts map[string]uint64) string {
	var b strings.Builder
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s %d; ", reason, counts[reason])
	}
	return b.String()
}

func findingsTable(findings []Finding) collector.Table {
	t := collector.Table{Title: "Findings", Head: []string{"since", "what", "metric", "other", "tag", "instance", "lines"}}
	for _, f := range findings {
		t.Rows = append(t.Rows, []collector.Cell{{Text: f.At.UTC().Format(time.DateTime)}, {Text: f.Kind}, {Text: f.Metric}, {Text: f.Other},
			{Text: f.Tag}, {Text: f.Instance}, number(f.Lines)})
	}
	return t
}

func number(n uint64) collector.Cell { return collector.Cell{Text: fmt.Sprint(n), Number: true} }

func loss(n uint64) collector.Cell {
	return collector.Cell{Text: fmt.Sprint(n), Number: true, Loss: n > 0}
}

// Hello implements collector.Greeter: a counter by way of netcat, to a listener for UDP
// that is nobody's in particular, else to the first for UDP.
func (c *Collector) Hello() string {
	to := ""
	c.mu.Lock()
	for _, l := range c.listeners {
		if l.network == socket.UDP && l.stage == open && (to == "" || l.instance == "") {
			to = l.addr
			if l.instance == "" {
				break
			}
		}
	}
	c.mu.Unlock()
	host, port, err := net.SplitHostPort(to)
	if err != nil { // there is none
		return ""
	}
	if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("printf 'hello:1|c' | nc -u -w0 %s %s", host, port)
}
