package picture

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// Layer is what one layer tells of its work: some lines on one axis.
type Layer struct {
	ID    string // "users", "latency", "errors", "lb", "httpd" where there is one, "db", "cpu", ViewsLayer, FleetLayer
	Title string
	Unit  string // "/s", "ms", "cores", "instances"
	Lines []Line
}

// Line is one curve, with a height for each bin. NaN is a bin of which nothing is known.
type Line struct {
	Name   string
	Values []float64
	Total  float64 // of what was counted; 0 where values are no counts
	Stair  bool    // a value holds until the next one
}

// series is a polled counter that is drawn.
type series struct {
	prefix string // of its name
	layer  string
	line   func(p *Picture, s *collector.Sample) string // "": it is not drawn
}

// layerSeries are the polled counters that are drawn, by what their names begin with.
var layerSeries = []series{
	{record.FrontendPrefix, "lb", func(_ *Picture, s *collector.Sample) string {
		// HAProxy may have other frontends than the users', for its own statistics.
		if name := frontendFields[s.Name[len(record.FrontendPrefix):]]; name != "" {
			return name + "|" + s.Labels.Get("proxy")
		}
		return ""
	}},
	{record.BackendPrefix, "lb", func(_ *Picture, s *collector.Sample) string {
		return backendFields[s.Name[len(record.BackendPrefix):]]
	}},
	{record.ApachePrefix + "answered_", "httpd", func(_ *Picture, s *collector.Sample) string {
		class := strings.TrimSuffix(strings.TrimPrefix(s.Name, record.ApachePrefix+"answered_"), record.TotalSuffix)
		return "answered " + class
	}},
	{record.ApacheOwnAnswers, "httpd", func(_ *Picture, s *collector.Sample) string { return "its own " + s.Labels.Get("code") }},
	{record.Opcounters, "db", func(_ *Picture, s *collector.Sample) string {
		switch of := s.Labels.Get("type"); of {
		case "insert", "query", "update", "delete":
			return of
		}
		return "" // commands are mostly the pollers' own
	}},
	{record.PageViews, "beacons", func(*Picture, *collector.Sample) string { return "beacons of their pages" }},
	{record.HostSeconds, "cpu", func(p *Picture, s *collector.Sample) string {
		role := p.roles[s.Labels.Get("instance")]
		if title := record.AllTiers().Of(string(role)).Title; title != "" {
			return title
		}
		if role.Application() {
			return string(role)
		}
		return "others"
	}},
}

// The fields of HAProxy's statistics that are drawn, and what their lines are called.
var (
	frontendFields = map[string]string{"req_tot": "requests", "hrsp_5xx": "5xx answers"}
	backendFields  = map[string]string{"econ": "errors of its own", "wretr": "retries", "wredis": "redispatches"}
)

// layerOf finds what is drawn of a series; nil: nothing.
func layerOf(name string) *series {
	for i := range layerSeries {
		if strings.HasPrefix(name, layerSeries[i].prefix) {
			return &layerSeries[i]
		}
	}
	return nil
}

// layer takes a point of a polled counter.
func (p *Picture) layer(of *series, at time.Duration, s *collector.Sample) {
	name := of.line(p, s)
	if name == "" || s.Stale || s.Observed == 0 {
		return
	}
	c := p.counter(s)
	if c == nil {
		return
	}
	g := p.line(of.layer, name)
	gained, since, ok := c.gain(at, s.Value, false)
	if !ok {
		return
	}
	p.spread(g, gained, since, at)
}

// layers are the lines of all layers, with n bins.
func (p *Picture) layers(n int) []Layer {
	seconds := p.axis.Width.Seconds()
	perSecond := func(name, of string) Line {
		b := p.users.of[of]
		if b == nil {
			b = &bins{}
		}
		v := b.all(n)
		for i := range v {
			v[i] /= seconds
		}
		return Line{Name: name, Values: v, Total: sum(b.v)}
	}
	requests := Layer{ID: "users", Title: "Users: acknowledged", Unit: "/s", Lines: []Line{perSecond("acknowledged", record.Acked.String())}}
	requests.Lines = append(requests.Lines, p.polled("beacons", n)...)
	failures := Layer{ID: "errors", Title: "Users: what was not acknowledged", Unit: "/s"}
	for _, of := range slices.Sorted(maps.Keys(p.users.of)) {
		if of != record.Acked.String() {
			failures.Lines = append(failures.Lines, perSecond(of, of))
		}
	}
	p50, p99 := Line{Name: "p50"}, Line{Name: "p99"}
	for i := range n {
		var w *waits
		if i < len(p.users.waits) {
			w = p.users.waits[i]
		}
		p50.Values, p99.Values = append(p50.Values, w.percentile(0.5)), append(p99.Values, w.percentile(0.99))
	}
	all := []Layer{requests, {ID: "latency", Title: "Users: time from when due", Unit: "ms", Lines: []Line{p50, p99}}, failures,
		{ID: "lb", Title: "Load balancer", Unit: "/s", Lines: p.polled("lb", n)}}
	if lines := p.polled("httpd", n); len(lines) > 0 {
		all = append(all, Layer{ID: "httpd", Title: "Apache HTTP: answers it passed on, and its own", Unit: "/s", Lines: lines})
	}
	all = append(all, Layer{ID: "db", Title: "Database: operations", Unit: "/s", Lines: p.polled("db", n)},
		Layer{ID: "cpu", Title: "CPU, as the host counts it", Unit: "cores", Lines: p.polled("cpu", n)})
	if views := p.polled(ViewsLayer, n); len(views) > 0 {
		all = append(all, Layer{ID: ViewsLayer, Title: "CPU of web instances, by two sources", Unit: "cores", Lines: views})
	}
	if fleet, ok := p.fleet(n); ok {
		return append([]Layer{fleet}, all...)
	}
	return all
}

// polled are the lines of a layer that was polled. Of those that several proxies have, it
// is that of the proxy which had most to do.
func (p *Picture) polled(layer string, n int) []Line {
	proxy := p.busiestProxy()
	var lines []Line
	for _, key := range slices.Sorted(maps.Keys(p.gauged)) {
		name, mine := strings.CutPrefix(key, layer+"/")
		name, of, several := strings.Cut(name, "|")
		if mine && (!several || of == proxy) {
			lines = append(lines, Line{Name: name, Values: p.gauged[key].heights(n, p.axis.Width), Total: sum(p.gauged[key].amount.v)})
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return -cmp.Compare(a.Total, b.Total) })
	return lines
}

func (p *Picture) busiestProxy() (busiest string) {
	most := -1.0
	for _, key := range slices.Sorted(maps.Keys(p.gauged)) {
		name, proxy, ok := strings.Cut(key, "|")
		if ok && name == "lb/requests" && sum(p.gauged[key].amount.v) > most {
			most, busiest = sum(p.gauged[key].amount.v), proxy
		}
	}
	return busiest
}

// heights are the rates per second. Where a bin was seen in part, at the ends of a line,
// its rate is that of the part; several series that add up to a line see the same parts.
func (g *gauge) heights(n int, width time.Duration) []float64 {
	amount, seen := g.amount.all(n), g.seen.all(n)
	for i := range amount {
		if seen[i] > 0 {
			amount[i] /= min(seen[i], width.Seconds())
		} else {
			amount[i] = math.NaN()
		}
	}
	return amount
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}
