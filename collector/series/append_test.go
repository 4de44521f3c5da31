package series

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// wantRefusal checks an error of Append for each text.
func wantRefusal(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q, want it to have %q", err, text)
		}
	}
}

// points are all of a series, as "second=value", the end as "second=end".
func points(t *testing.T, s *Store, selector string) []string {
	t.Helper()
	answer, err := s.Query(context.Background(), selector+"[10d]", at(9*24*3600))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, one := range answer.Series {
		for _, p := range one.Points {
			if p.Histogram != nil {
				out = append(out, fmt.Sprintf("%g=histogram of %g", p.At.Sub(epoch).Seconds(), p.Histogram.Count))
				continue
			}
			out = append(out, fmt.Sprintf("%g=%g", p.At.Sub(epoch).Seconds(), p.Value))
		}
	}
	return out
}

func wantPoints(t *testing.T, s *Store, selector string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), points(t, s, selector)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", selector, diff)
	}
}

func TestAppendAndQuery(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s,
		float("hits_total", 1, 10, "instance", "web-1", "zone", "a"),
		float("hits_total", 1, 20, "instance", "web-2"),
		float("load", 1.0015, -0.25))
	got := ask(t, s, "hits_total", 2)
	want := []Series{
		{Labels: collector.NewLabels("__name__", "hits_total", "instance", "web-1", "zone", "a"), Points: []Point{{At: at(2), Value: 10}}},
		{Labels: collector.NewLabels("__name__", "hits_total", "instance", "web-2"), Points: []Point{{At: at(2), Value: 20}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantPoints(t, s, "load", "1.001=-0.25") // whole milliseconds
}

func TestBadSamplesAreNamedAndOthersStored(t *testing.T) {
	for name, c := range map[string]struct {
		bad  collector.Sample
		want string
	}{
		"no name":            {float("", 1, 1), `""`},
		"name not UTF-8":     {float("a\xff", 1, 1), `"a\xff"`},
		"label not UTF-8":    {float("bad", 1, 1, "l\xff", "x"), `"l\xff"`},
		"value not UTF-8":    {float("bad", 1, 1, "l", "x\xff"), `"x\xff"`},
		"label without name": {float("bad", 1, 1, "", "x"), `""`},
		"name as a label":    {float("bad", 1, 1, "__name__", "x"), "__name__"},
		"label twice": {collector.Sample{Name: "bad", At: at(1),
			Labels: collector.Labels{{Name: "l", Value: "x"}, {Name: "l", Value: "y"}}}, `"l"`},
		"no time":         {collector.Sample{Name: "bad"}, "0001-01-01T00:00:00Z"},
		"a mistaken unit": {collector.Sample{Name: "bad", At: time.UnixMilli(epoch.UnixNano())}, "bad at "},
		"no buckets":      {collector.Sample{Name: "bad", At: at(1), Meta: &collector.Meta{Type: collector.Summary}}, "Histogram"},
		"buckets out of order": {distribution("bad", 1, &collector.Histogram{Schema: 4, Count: 2,
			Positive: []collector.Bucket{{Index: 3, Count: 1}, {Index: 1, Count: 1}}}), "span"},
		"a count below none": {distribution("bad", 1, &collector.Histogram{Schema: 4, Count: -1}), "count"},
		"no such schema":     {distribution("bad", 1, &collector.Histogram{Schema: 90, Count: 1}), "90"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			err := s.Append(float("good", 1, 1), c.bad, float("good", 2, 2), float("good", 1, 1, "l", "x"))
			wantRefusal(t, err, c.want, "1 of 4")
			wantPoints(t, s, `good{l=""}`, "1=1", "2=2")
			wantPoints(t, s, `good{l="x"}`, "1=1")
			if found := ask(t, s, `{__name__=~".+",__name__!="good"}`, 2); len(found) > 0 {
				t.Errorf("the bad sample left %v behind", found)
			}
			mustAppend(t, s, float("good", 3, 3))
		})
	}
}

// TestNothingIsDroppedWithoutAWord has what the database drops silently: it
// checks a sample only against what is committed.
func TestNothingIsDroppedWithoutAWord(t *testing.T) {
	h := func(count float64) *collector.Histogram {
		return &collector.Histogram{Schema: 4, Count: count, Sum: count, Positive: []collector.Bucket{{Index: 1, Count: count}}}
	}
	base := []collector.Sample{float("x", 1, 1), float("x", 2, 2), float("x", 3, 3)}
	for name, c := range map[string]struct {
		calls [][]collector.Sample
		want  string   // in the error of the last call; "" for none
		has   []string // the points of x at the end
	}{
		"another value in one call":         {[][]collector.Sample{{float("x", 1, 1), float("x", 1, 5)}}, "x at 2020-02-29T12:00:01Z", []string{"1=1"}},
		"another value in the next call":    {[][]collector.Sample{base, {float("x", 3, 5)}}, "x at 2020-02-29T12:00:03Z", []string{"1=1", "2=2", "3=3"}},
		"another value for an older moment": {[][]collector.Sample{base, {float("x", 2, 5)}}, "x at 2020-02-29T12:00:02Z", []string{"1=1", "2=2", "3=3"}},
		"the same value again":              {[][]collector.Sample{base, base}, "", []string{"1=1", "2=2", "3=3"}},
		"the same histogram again":          {[][]collector.Sample{{distribution("x", 1, h(2))}, {distribution("x", 1, h(2))}}, "", []string{"1=histogram of 2"}},
		"another histogram":                 {[][]collector.Sample{{distribution("x", 1, h(2))}, {distribution("x", 1, h(3))}}, "x at ", []string{"1=histogram of 2"}},
		"a histogram where a float is":      {[][]collector.Sample{base, {distribution("x", 3, h(3))}}, "x at ", []string{"1=1", "2=2", "3=3"}},
		"late in another call":              {[][]collector.Sample{{float("x", 1, 1), float("x", 20, 20)}, {float("x", 10, 10)}}, "", []string{"1=1", "10=10", "20=20"}},
		"late in one call":                  {[][]collector.Sample{{float("x", 1, 1), float("x", 20, 20), float("x", 10, 10)}}, "", []string{"1=1", "10=10", "20=20"}},
		"a late histogram":                  {[][]collector.Sample{{distribution("x", 1, h(1)), distribution("x", 20, h(3))}, {distribution("x", 10, h(2))}}, "", []string{"1=histogram of 1", "10=histogram of 2", "20=histogram of 3"}},
		"late and another value":            {[][]collector.Sample{base, {float("x", 2.5, 7)}, {float("x", 2.5, 8)}}, "x at 2020-02-29T12:00:02.5Z", []string{"1=1", "2=2", "2.5=7", "3=3"}},
		"too late in another call":          {[][]collector.Sample{{float("x", 100, 1)}, {float("x", 69.9, 2)}}, "x at 2020-02-29T12:01:09.9Z", []string{"100=1"}},
		"just not too late":                 {[][]collector.Sample{{float("x", 100, 1)}, {float("x", 70, 2)}}, "", []string{"70=2", "100=1"}},
		"too late in one call":              {[][]collector.Sample{{float("other", 0, 0)}, {float("x", 100, 1), float("x", 69, 2)}}, "x at 2020-02-29T12:01:09Z", []string{"100=1"}},
		"too late for all series":           {[][]collector.Sample{{float("other", 4000, 0)}, {float("x", 1, 1)}}, "x at ", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			var err error
			for i, call := range c.calls {
				if err != nil {
					t.Fatalf("call %d: %v", i-1, err)
				}
				err = s.Append(call...)
			}
			if c.want != "" {
				wantRefusal(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			wantPoints(t, s, "x", c.has...)
		})
	}
}

func TestManyRefusalsMakeAShortError(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, float("x", 5000, 1))
	var old []collector.Sample
	for i := range 1000 {
		old = append(old, float("x", float64(i), 1))
	}
	err := s.Append(append(old, float("x", 5001, 2))...)
	wantRefusal(t, err, "1000 of 1001", "x at 2020-02-29T12:00:00Z")
	if len(err.Error()) > 10_000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	wantPoints(t, s, "x", "5000=1", "5001=2")
}

func TestEndOfASeries(t *testing.T) {
	h := &collector.Histogram{Schema: 4, Count: 2, Sum: 3, Positive: []collector.Bucket{{Index: 1, Count: 2}}}
	summary := &collector.Meta{Type: collector.Summary}
	for name, first := range map[string]collector.Sample{
		"float": float("x", 1, 5, "instance", "web-1"), "histogram": distribution("x", 1, h, "instance", "web-1"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			other := first
			other.Labels = collector.NewLabels("instance", "web-2")
			mustAppend(t, s, first, other)
			mustAppend(t, s, end("x", 2, "instance", "web-1"))
			wantNumber(t, s, "count(x)", 1.999, 2)
			wantNumber(t, s, "count(x)", 2, 1)
			wantNumber(t, s, `count(x{instance="web-2"})`, 200, 1)
			wantNumber(t, s, `count(x{instance="web-2"})`, 302, math.NaN()) // lookback

			// It may begin again; and end at the very moment of its last sample.
			again := first
			again.At = at(3)
			mustAppend(t, s, again)
			wantNumber(t, s, "count(x)", 3, 2)
			mustAppend(t, s, end("x", 3, "instance", "web-1"))
			wantNumber(t, s, "count(x)", 3, 2)
			wantNumber(t, s, "count(x)", 3.001, 1)
			mustAppend(t, s, end("x", 3, "instance", "web-1")) // told twice

			// The end is known to be the end after a restart, and one may
			// come then.
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openWith(t, dir, Options{LeaveOpen: true})
			wantNumber(t, s, "count(x)", 3.001, 1)
			gone := end("x", 4, "instance", "web-2")
			gone.Meta = summary
			mustAppend(t, s, gone)
			wantNumber(t, s, "count(x)", 3.999, 1)
			wantNumber(t, s, "count(x)", 4, math.NaN())
		})
	}
}

func TestEndOfASeriesThatNeverWas(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, end("never", 1, "instance", "web-1"))
	mustAppend(t, s, float("x", 1, 1), end("never", 1, "instance", "web-1"), end("never", 2))
	answer, err := s.Query(context.Background(), `count_over_time({__name__="never"}[1h])`, at(10))
	if err != nil || len(answer.Series) > 0 {
		t.Errorf("%v, %v: want nothing", answer, err)
	}
	if body := get(t, s, "/api/v1/series?match[]=never").body; body != `{"status":"success","data":[]}` {
		t.Errorf("series: %s", body)
	}
}

func TestNumbersThatAreNone(t *testing.T) {
	s := open(t, t.TempDir())
	stale := math.Float64frombits(0x7ff0000000000002) // what Prometheus means by the end of a series
	mustAppend(t, s, float("x", 1, math.NaN()), float("x", 2, math.Inf(1)), float("x", 3, stale), float("x", 4, math.Inf(-1)))
	wantPoints(t, s, "x", "1=NaN", "2=+Inf", "3=NaN", "4=-Inf")
}

func TestFloatThenHistogram(t *testing.T) {
	s := open(t, t.TempDir())
	h := &collector.Histogram{Schema: 4, Count: 2, Sum: 3, Positive: []collector.Bucket{{Index: 1, Count: 2}}}
	mustAppend(t, s, float("x", 1, 1), distribution("x", 2, h), float("x", 3, 3))
	mustAppend(t, s, distribution("x", 4, h))
	wantPoints(t, s, "x", "1=1", "2=histogram of 2", "3=3", "4=histogram of 2")
	answer, err := s.Query(context.Background(), "rate(x[10s])", at(5))
	if err != nil || len(answer.Notes) == 0 || !strings.Contains(answer.Notes[0], "mix of histograms and floats") {
		t.Errorf("%v, %v: want a note of the mix", answer, err)
	}
}

func TestEmptyLabelsAndUTF8Names(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, float("x", 1, 1, "zone", "", "instance", "web-1"))
	mustAppend(t, s, float("x", 2, 2, "instance", "web-1"), float("grüße.gesamt", 2, 3, "zone.name", "süd", "x", "a\"b\\c\nd"))
	wantPoints(t, s, "x", "1=1", "2=2")
	wantRefusal(t, s.Append(float("x", 2, 7, "zone", "", "instance", "web-1")), "x{")
	wantNumber(t, s, `{"grüße.gesamt","zone.name"="süd",x="a\"b\\c\nd"}`, 2, 3)
}

// TestSeriesBySeries appends each series from its begin to its end, as far back
// as a store takes it.
func TestSeriesBySeries(t *testing.T) {
	s := openWith(t, t.TempDir(), Options{Scratch: true})
	const span = 3600
	for _, instance := range []string{"web-1", "web-2", "web-3"} {
		for from := 0; from <= span; from += 600 {
			var some []collector.Sample
			for i := from; i < from+600 && i <= span; i += 10 {
				some = append(some, float("x", float64(i), float64(i), "instance", instance))
			}
			mustAppend(t, s, some...)
		}
	}
	wantNumber(t, s, "sum(count_over_time(x[2h]))", span, 3*(span/10+1))
}

// TestLongRunInTheOrderOfTime is longer than what the database keeps in memory,
// so that it is compacted behind our back.
func TestLongRunInTheOrderOfTime(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const hours = 9
	for i := 0; i < hours*3600; i += 20 {
		mustAppend(t, s, float("x_total", float64(i), float64(i), "instance", "web-1"), float("x_total", float64(i), float64(2*i), "instance", "web-2"))
	}
	check := func() {
		t.Helper()
		wantNumber(t, s, "sum(count_over_time(x_total[1d]))", hours*3600, 2*hours*3600/20)
		wantNumber(t, s, `increase(x_total{instance="web-2"}[1h])`, 2*3600, 2*3600)
	}
	check()
	for deadline := time.Now().Add(20 * time.Second); len(s.db.Blocks()) < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d blocks were written in 20 s, want 3: nothing is compacted", len(s.db.Blocks()))
		}
		check()
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	check()
}

// TestHowOldASeriesMayBegin is what a store keeps in memory.
func TestHowOldASeriesMayBegin(t *testing.T) {
	for _, c := range []struct {
		opts Options
		span float64
	}{{Options{}, 450}, {Options{Scratch: true}, 3600}} {
		s := openWith(t, t.TempDir(), c.opts)
		mustAppend(t, s, float("newest", 10_000, 1))
		mustAppend(t, s, float("x", 10_000-c.span, 1))
		wantRefusal(t, s.Append(float("y", 10_000-c.span-1, 1)), "y at ")
		wantPoints(t, s, "x", fmt.Sprintf("%g=1", 10_000-c.span))
	}
}
