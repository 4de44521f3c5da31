package series

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"throughline/collector"
)

// What a Prometheus says it accepts: 2.42 by default and with native histograms,
// and 3.13 by default and as it falls back.
const (
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	acceptProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	acceptUTF8        = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.1"
	acceptUTF8Text    = "text/plain;version=0.0.4;escaping=allow-utf-8"
	acceptText        = "text/plain;version=0.0.4"
)

func accepting(t testing.TB, s *Store, accept string) response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return do(t, s, r)
}

// exposed is what Prometheus' own parser reads from an answer.
type exposed struct {
	values map[string]float64 // by series; a native histogram's is its count
	types  map[string]model.MetricType
	units  map[string]string
	helps  map[string]string
	native map[string]*histogram.FloatHistogram
}

func parsed(t testing.TB, got response) exposed {
	t.Helper()
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	p, err := textparse.New([]byte(got.body), got.header.Get("Content-Type"), labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := exposed{map[string]float64{}, map[string]model.MetricType{}, map[string]string{}, map[string]string{}, map[string]*histogram.FloatHistogram{}}
	add := func(v float64) string {
		var all labels.Labels
		p.Labels(&all)
		if name, twice := all.HasDuplicateLabelNames(); twice { // for which Prometheus refuses all
			t.Errorf("%s has the label %s twice", all, name)
		}
		if _, twice := out.values[all.String()]; twice {
			t.Errorf("%s is there twice", all)
		}
		out.values[all.String()] = v
		return all.String()
	}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, got.body)
		}
		switch entry {
		case textparse.EntryType:
			name, kind := p.Type()
			if _, twice := out.types[string(name)]; twice {
				t.Errorf("%s is declared twice", name)
			}
			out.types[string(name)] = kind
		case textparse.EntryUnit:
			name, unit := p.Unit()
			out.units[string(name)] = string(unit)
		case textparse.EntryHelp:
			name, text := p.Help()
			out.helps[string(name)] = string(text)
		case textparse.EntrySeries:
			_, _, v := p.Series()
			add(v)
		case textparse.EntryHistogram:
			_, _, h, fh := p.Histogram()
			if h != nil {
				fh = h.ToFloat(nil)
			}
			out.native[add(fh.Count)] = fh
		}
	}
}

func withMeta(s collector.Sample, m collector.Meta) collector.Sample {
	s.Meta = &m
	return s
}

// TestFormats has all three formats tell the same.
func TestFormats(t *testing.T) {
	s := served(t)
	mustAppend(t, s,
		withMeta(float("took_seconds_total", 600, 1.5), collector.Meta{Type: collector.Counter, Sent: `a"b\c`, Unit: "seconds"}),
		withMeta(distribution("part", 600, &collector.Histogram{Count: 10. / 3, Sum: 2, Positive: []collector.Bucket{{Index: 1, Count: 10. / 3}}}), collector.Meta{Type: collector.Summary, Sent: `p"q`}),
		withMeta(distribution("none_yet", 600, &collector.Histogram{}), collector.Meta{Type: collector.Summary}))
	common := map[string]float64{
		`{__name__="hits_total", instance="web-1"}`: 40, `{__name__="hits_total", instance="web-2"}`: 80,
		`{__name__="load", instance="web-1", path="/<a>&\"b\""}`: 1e-7, `{__name__="users"}`: 1e21, `{__name__="took_seconds_total"}`: 1.5,
	}
	reduced := map[string]float64{
		`{__name__="delay_bucket", instance="web-1", le="+Inf"}`: 7, `{__name__="delay_count", instance="web-1"}`: 7, `{__name__="delay_sum", instance="web-1"}`: 12.5,
		`{__name__="part_bucket", le="+Inf"}`: 10. / 3, `{__name__="part_count"}`: 10. / 3, `{__name__="part_sum"}`: 2,
		`{__name__="none_yet_bucket", le="+Inf"}`: 0, `{__name__="none_yet_count"}`: 0, `{__name__="none_yet_sum"}`: 0,
	}
	native := map[string]float64{`{__name__="delay", instance="web-1"}`: 7, `{__name__="part"}`: 10. / 3, `{__name__="none_yet"}`: 0}
	for accept, want := range map[string]struct {
		kind string
		also map[string]float64
	}{
		"":                {"text/plain; version=0.0.4; charset=utf-8; escaping=underscores", reduced},
		acceptText:        {"text/plain; version=0.0.4; charset=utf-8; escaping=underscores", reduced},
		acceptOpenMetrics: {"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", reduced},
		acceptUTF8:        {"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8", reduced},
		acceptProtobuf:    {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores", native},
	} {
		got := accepting(t, s, accept)
		if kind := got.header.Get("Content-Type"); kind != want.kind {
			t.Errorf("%q is answered with %q", accept, kind)
		}
		if openMetrics := strings.Contains(want.kind, "openmetrics"); strings.HasSuffix(got.body, "\n# EOF\n") != openMetrics {
			t.Errorf("%q ends with %q", accept, got.body[len(got.body)-10:])
		}
		values := map[string]float64{}
		for _, m := range []map[string]float64{common, want.also} {
			for k, v := range m {
				values[k] = v
			}
		}
		out := parsed(t, got)
		if diff := cmp.Diff(values, out.values); diff != "" {
			t.Errorf("%q (-want +got):\n%s", accept, diff)
		}
		wantTypes(t, accept, out)
	}
	h := parsed(t, accepting(t, s, acceptProtobuf)).native[`{__name__="delay", instance="web-1"}`]
	if h.Sum != 12.5 || h.ZeroCount != 1 || h.ZeroThreshold != 0.5 || len(h.PositiveBuckets) != 2 || len(h.NegativeBuckets) != 1 {
		t.Errorf("delay in protobuf: %v", h)
	}
}

func wantTypes(t *testing.T, accept string, got exposed) {
	t.Helper()
	hits, took := "hits_total", "took_seconds_total"
	unit := map[string]string{} // protobuf's parser does not tell empty units from none
	if accept == acceptOpenMetrics || accept == acceptUTF8 {
		hits, took = "hits", "took_seconds"
		unit[took] = "seconds" // that of hits is no part of its name, so it may not be told
	}
	for name, kind := range map[string]model.MetricType{hits: model.MetricTypeCounter, took: model.MetricTypeCounter,
		"load": model.MetricTypeGauge, "users": model.MetricTypeGauge, "delay": model.MetricTypeHistogram, "part": model.MetricTypeHistogram} {
		if got.types[name] != kind {
			t.Errorf("%q: %s is a %s, want a %s", accept, name, got.types[name], kind)
		}
	}
	if got.helps[hits] != "StatsD full.hits" {
		t.Errorf("%q: the help of %s is %q", accept, hits, got.helps[hits])
	}
	if accept != acceptProtobuf {
		if diff := cmp.Diff(unit, got.units); diff != "" {
			t.Errorf("%q: units (-want +got):\n%s", accept, diff)
		}
	}
}

// TestNamesInUTF8 has names that an old Prometheus does not know, and that must
// not cover each other when they are escaped.
func TestNamesInUTF8(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s,
		withMeta(float("größe_total", 600, 1, "straße", "süd"), collector.Meta{Type: collector.Counter, Sent: "größe"}),
		float("grüße_total", 600, 2, "straße", "1", "strüße", "2"),
		float("gr__e_total", 600, 3, "stra_e", "3"),
		float("a.b", 600, 4, "x:y", "4", "x.y", "5"),
		float("plain", 600, 5, "straße", "1"), float("plain", 600, 6, "strüße", "1"),
		distribution("zeit", 600, &collector.Histogram{Count: 1, Positive: []collector.Bucket{{Index: 1, Count: 1}}}, "straße", "1", "le", "5"))
	plain := map[string]float64{
		`{U__stra_df_e="süd", __name__="U__gr_f6__df_e__total"}`:           1,
		`{U__stra_df_e="1", __name__="U__gr_fc__df_e__total", str__e="2"}`: 2,
		`{__name__="gr__e_total", stra_e="3"}`:                             3,
		`{__name__="a_b", x_y="5", x_y_="4"}`:                              4,
		`{U__stra_df_e="1", __name__="plain"}`:                             5,
		`{__name__="plain", str__e="1"}`:                                   6,
	}
	full := map[string]float64{
		`{__name__="größe_total", "straße"="süd"}`:             1,
		`{__name__="grüße_total", "straße"="1", "strüße"="2"}`: 2,
		`{__name__="gr__e_total", stra_e="3"}`:                 3,
		`{__name__="a.b", "x.y"="5", x_y="4"}`:                 4,
		`{__name__="plain", "straße"="1"}`:                     5,
		`{__name__="plain", "strüße"="1"}`:                     6,
	}
	for accept, want := range map[string]map[string]float64{
		"": plain, acceptOpenMetrics: plain, acceptProtobuf: plain, acceptUTF8: full, acceptUTF8Text: full,
	} {
		got := parsed(t, accepting(t, s, accept))
		for name := range got.values {
			if strings.Contains(name, `"zeit`) {
				delete(got.values, name)
			}
		}
		if diff := cmp.Diff(want, got.values); diff != "" {
			t.Errorf("%q (-want +got):\n%s", accept, diff)
		}
	}
}

// TestOneNameOneType has what one exposition may not have: names declared twice.
func TestOneNameOneType(t *testing.T) {
	s := open(t, t.TempDir())
	h := &collector.Histogram{Count: 2, Sum: 3, Positive: []collector.Bucket{{Index: 1, Count: 2}}}
	counter, gauge := collector.Meta{Type: collector.Counter}, collector.Meta{Type: collector.Gauge}
	mustAppend(t, s,
		withMeta(float("a_total", 600, 1), counter), withMeta(float("a", 600, 2), gauge), // OpenMetrics declares a_total as a
		float("mixed", 600, 3, "instance", "a"), distribution("mixed", 600, h, "instance", "b"), float("mixed", 600, 4, "instance", "c"))
	reduced := map[string]float64{`{__name__="a_total"}`: 1, `{__name__="a"}`: 2, `{__name__="mixed", instance="a"}`: 3, `{__name__="mixed", instance="c"}`: 4,
		`{__name__="mixed_count", instance="b"}`: 2, `{__name__="mixed_sum", instance="b"}`: 3}
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptUTF8} {
		got := parsed(t, accepting(t, s, accept))
		if diff := cmp.Diff(reduced, got.values); diff != "" {
			t.Errorf("%q (-want +got):\n%s", accept, diff)
		}
		if got.types["a"] != model.MetricTypeGauge {
			t.Errorf("%q: a is a %s", accept, got.types["a"])
		}
	}
	if got := accepting(t, s, acceptProtobuf); got.status != http.StatusOK || !strings.Contains(got.body, "mixed") {
		t.Errorf("protobuf: %d", got.status)
	}
}

// TestNothingToExpose has each format with nothing in it.
func TestNothingToExpose(t *testing.T) {
	s := open(t, t.TempDir())
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
		if got := parsed(t, accepting(t, s, accept)); len(got.values) > 0 {
			t.Errorf("%q: %v", accept, got.values)
		}
	}
}

// TestInstancesFoundInSeveralWays are one metric all the same.
func TestInstancesFoundInSeveralWays(t *testing.T) {
	s := open(t, t.TempDir())
	for i, origin := range []string{"listener", "container", "listener"} {
		mustAppend(t, s, withMeta(float("hits_total", 600, float64(i), "instance", fmt.Sprint("web-", i)),
			collector.Meta{Type: collector.Counter, Sent: "hits", Origin: origin}))
	}
	got := parsed(t, accepting(t, s, acceptText))
	if got.types["hits_total"] != model.MetricTypeCounter || got.helps["hits_total"] != "StatsD hits; instance by container, listener" {
		t.Errorf("a %s, %q", got.types["hits_total"], got.helps["hits_total"])
	}
	want := `{"status":"success","data":{"hits_total":[{"type":"counter","unit":"","help":"StatsD hits; instance by listener"},{"type":"counter","unit":"","help":"StatsD hits; instance by container"}]}}`
	if body := get(t, s, "/api/v1/metadata").body; body != want {
		t.Error(body)
	}
}

// TestNewestIsExposed has samples out of order, of both kinds, and ends.
func TestNewestIsExposed(t *testing.T) {
	s := open(t, t.TempDir())
	h := func(count float64) *collector.Histogram {
		return &collector.Histogram{Count: count, Positive: []collector.Bucket{{Index: 1, Count: count}}}
	}
	mustAppend(t, s, float("x", 300, 1), float("x", 590, 3), distribution("d", 580, h(1)), distribution("d", 590, h(3)),
		float("old", 299, 1), float("gone", 590, 1), distribution("dgone", 590, h(1)), float("nan", 590, math.NaN()))
	mustAppend(t, s, float("x", 585, 2), distribution("d", 585, h(2)), end("gone", 591), end("dgone", 591), float("future", 601, 1))
	got := parsed(t, accepting(t, s, acceptProtobuf)).values
	nan := got[`{__name__="nan"}`]
	delete(got, `{__name__="nan"}`)
	if diff := cmp.Diff(map[string]float64{`{__name__="x"}`: 3, `{__name__="d"}`: 3}, got); diff != "" || !math.IsNaN(nan) {
		t.Errorf("nan is %v; (-want +got):\n%s", nan, diff)
	}
}
