package run

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"throughline/collector"
	"throughline/collector/readback"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

var bookStart = time.UnixMilli(1_700_000_000_000)

// after is so many seconds from the start.
func after(seconds float64) time.Time {
	return bookStart.Add(time.Duration(seconds * float64(time.Second)))
}

// bookOf is a book of instances with a server whose clock is ahead by 90 s, give or take nothing but what a Prometheus puts on its grid.
func bookOf(spans ...span) book {
	return book{from: script.MetricsFrom{URL: "http://prom:9090", Every: time.Second, Instance: "instance"}, spans: spans, quiet: after(10),
		clock: readback.Clock{Least: 90 * time.Second, Most: 90 * time.Second}}
}

// stored is a series as the server has it, with the value that each second brought, by our clock; -1: a mark.
func (b book) stored(name, instance string, from int, values ...float64) readback.Series {
	s := readback.Series{Name: name, Labels: collector.NewLabels("instance", instance, "job", "shop")}
	for i, v := range values {
		s.Points = append(s.Points, readback.Point{At: b.theirs(after(float64(from + i))), Value: v, Stale: v == -1})
	}
	return s
}

// lines are the samples of a name as text, at their times less what they may be off.
func (b book) lines(a attributed, name string) (out []string) {
	for _, s := range a.samples {
		if s.Name != name {
			continue
		}
		what := fmt.Sprint(s.Value)
		if s.Stale {
			what = "ends"
		}
		out = append(out, fmt.Sprintf("%s %v %s", s.Labels.Get("instance"), s.At.Add(b.bound()).Sub(bookStart).Seconds(), what))
	}
	return out
}

func TestAttribute(t *testing.T) {
	// web-2 had the address of web-1 when that had ended.
	b := bookOf(span{"web-1", "10.0.0.1:80", after(0), after(4.5)}, span{"web-2", "10.0.0.1:80", after(5), time.Time{}})
	ups := []readback.Series{b.stored("up", "10.0.0.1:80", -1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1)}
	words := b.stored("words_total", "10.0.0.1:80", -1, 99, 0, 10, 20, 30, 40, -1, 1, 2, 3, 4, 5)
	a := b.attribute(ups, []readback.Series{b.stored("scrape_duration_seconds", "10.0.0.1:80", 0, 0.25)}, []readback.Series{words}, map[string]model.MetricType{"words": model.MetricTypeCounter})
	want := []string{"web-1 0 0", "web-1 1 10", "web-1 2 20", "web-1 3 30", "web-1 4 40", "web-2 5 ends", "web-2 6 1", "web-2 7 2", "web-2 8 3", "web-2 9 4", "web-2 10 5"}
	if diff := cmp.Diff(want, b.lines(a, "words_total")); diff != "" {
		t.Errorf("words_total (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"web-1 0 1", "web-1 1 1", "web-1 2 1", "web-1 3 1", "web-1 4 1", "web-2 5 0", "web-2 6 1", "web-2 7 1", "web-2 8 1", "web-2 9 1", "web-2 10 1"}, b.lines(a, record.ScrapeSuccess)); diff != "" {
		t.Errorf("scrapes (-want +got)\n%s", diff)
	}
	for _, s := range a.samples {
		switch {
		case s.Name == "words_total" && (s.Labels.Get("way") != "scrape" || s.Labels.Get("job") != "shop" || s.Meta.Type != collector.Counter || s.Meta.CameBy() != collector.ByScrape):
			t.Errorf("words_total is %v %+v", s.Labels, s.Meta)
		case s.Name == record.ScrapeDuration && s.At.Equal(b.ours(b.theirs(after(0)))) && s.Value != 0.25+2*b.bound().Seconds():
			t.Errorf("the first scrape may have taken %v s", s.Value)
		}
	}
	if len(a.troubles) > 0 || !strings.Contains(a.told, "2 instances") || !strings.Contains(a.told, "every 1s") {
		t.Errorf("it tells %q, %q", a.told, a.troubles)
	}
}

// What makes a run prove nothing is told, each thing by itself.
func TestAttributeTroubles(t *testing.T) {
	one := span{"web-1", "10.0.0.1:80", after(0), time.Time{}}
	ups := func(b book) []readback.Series { return []readback.Series{b.stored("up", "web-1", 0, 1, 1, 1, 1, 1, 1)} }
	words := func(b book) []readback.Series {
		return []readback.Series{b.stored("words_total", "web-1", 0, 1, 2, 3, 4, 5, 6)}
	}
	for name, x := range map[string]struct {
		change func(*book)
		ups    func(book) []readback.Series
		words  func(book) []readback.Series
		says   string
	}{
		"nothing": {nil, ups, words, ""},
		"a failed scrape": {nil, func(b book) []readback.Series { return []readback.Series{b.stored("up", "web-1", 0, 1, 1, 0, 1, 1, 1)} },
			func(b book) []readback.Series {
				return []readback.Series{b.stored("words_total", "web-1", 0, 1, 2, -1, 4, 5, 6)}
			}, ""},
		"a lost sample": {nil, ups, func(b book) []readback.Series {
			s := b.stored("words_total", "web-1", 0, 1, 2, 3, 4, 5, 6)
			s.Points = append(s.Points[:2], s.Points[3:]...)
			return []readback.Series{s}
		}, "lacks 1 sample of scrapes that were good"},
		"times of their own": {nil, ups, func(b book) []readback.Series {
			s := b.stored("words_total", "web-1", 0, 1)
			s.Points[0].At = s.Points[0].At.Add(300 * time.Millisecond)
			return []readback.Series{s}
		}, "honor_timestamps"},
		"two jobs": {nil, func(b book) []readback.Series {
			other := b.stored("up", "web-1", 0, 1, 1, 1, 1, 1)
			other.Labels = other.Labels.With("job", "shop-too")
			for i := range other.Points {
				other.Points[i].At = other.Points[i].At.Add(400 * time.Millisecond)
			}
			return append(ups(b), other)
		}, words, "more than one target at once ({instance=web-1, job=shop} and {instance=web-1, job=shop-too})"},
		"another interval":          {func(b *book) { b.from.Every = 5 * time.Second }, ups, words, "scrapes every 1s, and not every 5s"},
		"a clock that nobody knows": {func(b *book) { b.clock.Most += 600 * time.Millisecond }, ups, words, "nobody could tell what was scraped before what"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bookOf(one)
			if x.change != nil {
				x.change(&b)
			}
			a := b.attribute(x.ups(b), nil, x.words(b), nil)
			switch all := strings.Join(a.troubles, "; "); {
			case x.says == "" && all != "":
				t.Errorf("it complains: %s", all)
			case x.says != "" && (len(a.troubles) != 1 || !strings.Contains(all, x.says)):
				t.Errorf("it says %q, want %q alone", a.troubles, x.says)
			}
		})
	}
}

// A scrape that came late, or never, is the server's lateness.
func TestLateness(t *testing.T) {
	b := bookOf(span{"web-1", "", after(0), time.Time{}})
	up := b.stored("up", "web-1", 3, 1, 1)
	up.Points = append(up.Points, readback.Point{At: b.theirs(after(7.5)), Value: 1})
	a := b.attribute([]readback.Series{up}, nil, nil, nil)
	var late []string
	for _, s := range a.samples {
		if s.Name == record.ScrapeLateness {
			late = append(late, fmt.Sprintf("%.1f: %.1f", s.At.Sub(bookStart).Seconds(), s.Value))
		}
	}
	if diff := cmp.Diff([]string{"3.0: 0.0", "4.0: 0.0", "7.5: 2.5", "10.0: 1.5"}, late); diff != "" {
		t.Errorf("late were (-want +got)\n%s", diff)
	}
}

func TestNobody(t *testing.T) {
	b := bookOf(span{"web-1", "10.0.0.1:80", after(0), time.Time{}})
	ours, others := b.known([]readback.Series{b.stored("up", "b:1", 0, 1), b.stored("up", "a:1", 0, 1), b.stored("up", "a:1", 0, 1)})
	r := &reading{from: b.from}
	err := r.nobody(b.spans, others)
	if len(ours) > 0 || !strings.Contains(err.Error(), "the label instance of up should be web-1, or an address of theirs, and it has a:1, b:1; name another label") {
		t.Errorf("%v, %v", ours, err)
	}
	if err := r.nobody(b.spans, nil); !strings.Contains(err.Error(), "up has no such label") {
		t.Error(err)
	}
	if ours, _ := b.known([]readback.Series{b.stored("up", "10.0.0.1:80", 0, 1), b.stored("up", "web-1", 0, 1)}); len(ours) != 2 {
		t.Errorf("it knows %v", ours)
	}
}

func TestNamesThatAreRead(t *testing.T) {
	check := func(p script.Promise) script.Check { return script.Check{Promise: p} }
	s := script.Scenario{Checks: []script.Check{check(script.Conservation{Metric: "words_total"}), check(script.Continuity{Metric: "took_seconds_count"}), check(script.Identity{Metric: "words_total"})}}
	if got, want := namesOf(s), "(took_seconds|words)(_total|_count|_sum|_bucket|_created)?"; got != want {
		t.Errorf("%s are read, want %s", got, want)
	}
	s.Checks = append(s.Checks, check(script.PromQL{Expr: "up"}))
	if got := namesOf(s); got != "" {
		t.Errorf("an expression may ask for any, and %s are read", got)
	}
}

// Series that no target of the server's is called by are taken, under the name that they give their instance; those of its other targets are not.
func TestOverwritten(t *testing.T) {
	b := bookOf(span{"web-1", "10.0.0.1:80", after(0), time.Time{}})
	ups := []readback.Series{b.stored("up", "10.0.0.1:80", 0, 1, 1), b.stored("up", "10.0.0.9:80", 0, 1, 1)}
	if diff := cmp.Diff([]string{"shop"}, b.jobs(ups)); diff != "" {
		t.Errorf("jobs (-want +got)\n%s", diff)
	}
	others := []readback.Series{b.stored("words_total", "localhost:8080", -1, 99, 1, 2), b.stored("words_total", "10.0.0.9:80", 0, 7, 8), b.stored("words_total", "", 0, 5)}
	a := attributed{}.with(b.overwritten(ups, others, map[string]model.MetricType{"words": model.MetricTypeCounter}))
	if diff := cmp.Diff([]string{"localhost:8080 0 1", "localhost:8080 1 2"}, b.lines(a, "words_total")); diff != "" {
		t.Errorf("words_total (-want +got)\n%s", diff)
	}
	for _, s := range a.samples {
		if s.Labels.Get("way") != "scrape" || s.Meta.Type != collector.Counter || s.Meta.Sent != "words_total" {
			t.Errorf("it is %v %+v", s.Labels, s.Meta)
		}
	}
}
