package statsd

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/collector/dogstatsd"
)

func TestFindings(t *testing.T) {
	for _, tt := range []struct {
		name    string
		web1    []string // datagrams of web-1
		web2    []string // then of web-2
		want    []Finding
		refused uint64
	}{
		{name: "nothing", web1: []string{"a:1|c\nb:1|g|#t:1\nb:2|g|#t:2\nc:1|ms\nc:1|h"}, web2: []string{"a:1|c"}},
		{name: "two names, one series", web1: []string{"a.b:1|g", "a_b:2|g", "a_b:2|g"},
			want: []Finding{{Kind: "name_collision", Metric: "a_b", Other: "a.b", Instance: "web-1", Lines: 2}}, refused: 2},
		{name: "two names, told apart by a tag", web1: []string{"a.b:1|g", "a_b:2|g|#t:1"},
			want: []Finding{{Kind: "name_collision", Metric: "a_b", Other: "a.b", Instance: "web-1", Lines: 1}}},
		{name: "two names, in two instances", web1: []string{"a.b:1|g"}, web2: []string{"a-b:2|g", "a-b:2|g"},
			want: []Finding{{Kind: "name_collision", Metric: "a-b", Other: "a.b", Instance: "web-2", Lines: 1}}},
		{name: "the companion's name", web1: []string{"a:1|c", "a.sampled:1|c"},
			want: []Finding{{Kind: "name_collision", Metric: "a.sampled", Other: "a", Instance: "web-1", Lines: 1}}, refused: 1},
		{name: "the companion's name, the other way round", web1: []string{"u.estimated:1|g", "u:x|s"},
			want: []Finding{{Kind: "name_collision", Metric: "u", Other: "u.estimated", Instance: "web-1", Lines: 1}}, refused: 1},
		{name: "the companion's name in another instance", web1: []string{"a:1|c"}, web2: []string{"a.sampled:1|c"},
			want: []Finding{{Kind: "name_collision", Metric: "a.sampled", Other: "a", Instance: "web-2", Lines: 1}}},
		{name: "another type, one series", web1: []string{"a:1|g", "a:2|ms"},
			want: []Finding{{Kind: "type_change", Metric: "a", Other: "gauge, histogram", Instance: "web-1", Lines: 1}}, refused: 1},
		{name: "another type, another series", web1: []string{"a:1|g", "a:2|c"},
			want: []Finding{{Kind: "type_change", Metric: "a", Other: "gauge, counter", Instance: "web-1", Lines: 1}}},
		{name: "another type in another instance", web1: []string{"a:1|g"}, web2: []string{"a:2|c", "a:2|c"},
			want: []Finding{{Kind: "type_change", Metric: "a", Other: "gauge, counter", Instance: "web-2", Lines: 1}}},
		{name: "a tag with too many values", web1: []string{"a:1|g|#t:1,u:1", "a:1|g|#t:2,u:1", "a:1|g|#t:3,u:1", "b:1|g|#t:4"}, web2: []string{"a:1|g|#t:1", "a:1|g|#t:4"},
			want: []Finding{{Kind: "tag_explosion", Metric: "a", Tag: "t", Instance: "web-2", Lines: 1}}},
		{name: "tags in names, in styles that are not understood", web1: []string{"a,t=1:1|c", "a,t=2:1|c", "a,t=2:1|c", "b#t=1:1|g"}, web2: []string{"c[t=1].d:1|ms", "a,t=3:1|c", "e,f:1|g"},
			want: []Finding{{Kind: "tags_in_name", Metric: "a", Other: "influxdb", Instance: "web-1", Lines: 3}, {Kind: "tags_in_name", Metric: "b", Other: "librato", Instance: "web-1", Lines: 1},
				{Kind: "tags_in_name", Metric: "c.d", Other: "signalfx", Instance: "web-2", Lines: 1}}},
		{name: "the collector's own name", web1: []string{"throughline.collector.lines:1|c", "throughline_service_check:1|g"},
			want: []Finding{{Kind: "name_collision", Metric: "throughline.collector.lines", Other: "throughline_collector_lines_total", Instance: "web-1", Lines: 1},
				{Kind: "name_collision", Metric: "throughline_service_check", Other: "throughline_service_check", Instance: "web-1", Lines: 1}}, refused: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, Config{TagValues: 3})
			one, _ := b.listen("web-1")
			two, _ := b.listen("web-2")
			b.feed(one, tt.web1...)
			b.feed(two, tt.web2...)
			figures := balanceQuiet(t, b.Collector)
			if diff := cmp.Diff(tt.want, figures.Findings, cmpopts.IgnoreFields(Finding{}, "At"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := figures.Total.Bad["conflict"]; got != tt.refused || figures.Total.Lines != figures.Total.Accepted+got {
				t.Errorf("%d lines refused as conflicts, want %d; %+v", got, tt.refused, figures.Total)
			}
			b.tick()
			for _, f := range tt.want {
				found := false
				for _, s := range b.sink.of(prefix+"findings", f.Instance) {
					l := s.Labels
					found = found || l.Get("kind") == f.Kind && l.Get("metric") == f.Metric && l.Get("other") == f.Other && l.Get("tag") == f.Tag && s.Value == float64(f.Lines)
				}
				if !found {
					t.Errorf("no series tells of %+v", f)
				}
			}
		})
	}
}

// TestTagsInNames: where a style is understood its tags are labels, in any order,
// and no finding.
func TestTagsInNames(t *testing.T) {
	for _, tt := range []struct {
		styles dogstatsd.Styles
		lines  string
	}{
		{dogstatsd.InfluxDB, "hits,zone=a,role=web:1|c\nhits,role=web,zone=a:2|c"},
		{dogstatsd.Librato, "hits#zone=a,role=web:1|c\nhits#role=web,zone=a:2|c"},
		{dogstatsd.SignalFx, "hits[zone=a,role=web]:1|c\n[role=web,zone=a]hits:2|c"},
		{dogstatsd.AllStyles, "hits,zone=a:1|c|#role:web\nhits[role=web];zone=a:2|c"}, // with others beside
	} {
		b := newBench(t, Config{Tags: tt.styles})
		l, _ := b.listen("web-1")
		b.feed(l, tt.lines)
		at := b.tick()
		if diff := cmp.Diff([]string{"hits_total instance=web-1 role=web zone=a = 3 (2)"}, b.sink.at(at)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.styles, diff)
		}
		if figures := balanceQuiet(t, b.Collector); len(figures.Findings) > 0 || figures.Total.Series != 1 {
			t.Errorf("%v: %+v", tt.styles, figures)
		}
	}
}

// TestFindingsAreTold: each once, at the end of its interval.
func TestFindingsAreTold(t *testing.T) {
	var told []string
	b := newBench(t, Config{Found: func(f Finding) { told = append(told, fmt.Sprint(f.Kind, " ", f.Metric, " ", f.Lines)) }})
	l, _ := b.listen("web-1")
	b.feed(l, "a,t=1:1|c\na,t=2:1|c")
	b.tick()
	b.tick()
	b.feed(l, "a,t=3:1|c\nb,t=1:1|c")
	b.tick()
	b.tick()
	if diff := cmp.Diff([]string{"tags_in_name a 2", "tags_in_name b 1"}, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFindingsAreBounded, and so is what is remembered to find them.
func TestFindingsAreBounded(t *testing.T) {
	b := newBench(t, Config{MaxSeries: 5000})
	l, _ := b.listen("web-1")
	for i := range maxFindings + 5 {
		b.feed(l, fmt.Sprintf("a%d:1|g\na%d:1|ms", i, i))
	}
	figures := balanceQuiet(t, b.Collector)
	if len(figures.Findings) != maxFindings || figures.FindingsLeftOut != 5 {
		t.Errorf("%d findings and %d left out, want %d and 5", len(figures.Findings), figures.FindingsLeftOut, maxFindings)
	}
	b.tick()
	if got := b.sink.last(prefix+"findings_left_out", ""); got != 5 {
		t.Errorf("%sfindings_left_out is %v, want 5", prefix, got)
	}
	b = newBench(t, Config{MaxSeriesTotal: 10})
	for i := range 100 {
		name := fmt.Sprint("web-", i)
		l, _ := b.listen(name)
		b.feed(l, fmt.Sprintf("a%d:1|g|#t:%d", i, i))
		must(t, b.Retire(t.Context(), name))
		b.tick()
		b.tick()
	}
	if r := b.shared.registry; len(r.names) > 10 || len(r.types) > 10 || len(r.values) > 10 {
		t.Errorf("%d names, %d types and %d tags are remembered, want at most 10", len(r.names), len(r.types), len(r.values))
	}
}
