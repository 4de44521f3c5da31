package series

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

func recentOf(t *testing.T, s *Store, want collector.Wanted) collector.Recent {
	t.Helper()
	if want.Span == 0 {
		want.Span = time.Minute
	}
	got, err := s.Recent(context.Background(), want)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// names writes what was found as "name: shown of all".
func names(r collector.Recent) (all []string) {
	for _, m := range r.Metrics {
		all = append(all, fmt.Sprintf("%s: %d of %d", m.Name, len(m.Series), m.Of))
	}
	return append(all, fmt.Sprintf("%d series, %d names", r.Series, r.Names))
}

func TestRecent(t *testing.T) {
	s := open(t, t.TempDir()) // it is 600
	insert := func(instance string, when, v float64) collector.Sample {
		sample := float("fullstack_insert_total", when, v, "instance", instance)
		sample.Meta = &collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"}
		return sample
	}
	mustAppend(t, s, float("old", 500, 1), float("up", 600, 1),
		insert("web-1", 598, 10), insert("web-1", 599, 12), insert("web-2", 597, 3), end("fullstack_insert_total", 598, "instance", "web-2"),
		distribution("time", 599, &collector.Histogram{Count: 4, Sum: 10, Positive: []collector.Bucket{{Index: 1, Count: 4}}}),
		float(collector.OwnPrefix+"lines_total", 599, 7))
	got := recentOf(t, s, collector.Wanted{Series: 10, OfName: 10})
	want := collector.Recent{Names: 3, Series: 4, Metrics: []collector.RecentMetric{
		{Name: "fullstack_insert_total", Meta: &collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"}, Of: 2, Series: []collector.RecentSeries{
			{Labels: collector.NewLabels("instance", "web-1"), Points: []collector.RecentPoint{{At: at(598), Value: 10}, {At: at(599), Value: 12}}},
			{Labels: collector.NewLabels("instance", "web-2"), Points: []collector.RecentPoint{{At: at(597), Value: 3}}, Ended: true}}},
		{Name: "time", Of: 1, Series: []collector.RecentSeries{{Points: []collector.RecentPoint{{At: at(599), Value: 4, Sum: 10}}}}},
		{Name: "up", Of: 1, Series: []collector.RecentSeries{{Points: []collector.RecentPoint{{At: at(600), Value: 1}}}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for words, wantSeries := range map[string]int{"": 4, "web": 2, "fullstack.insert": 2, "INSERT instance=web-2": 1, "instance=web-2 up": 0, "old": 0, "lines": 0} {
		if got := recentOf(t, s, collector.Wanted{Words: strings.Fields(words), Series: 10, OfName: 10}); got.Series != wantSeries {
			t.Errorf("%q: %d series, want %d: %v", words, got.Series, wantSeries, names(got))
		}
	}
	if got := recentOf(t, s, collector.Wanted{Own: true, Words: []string{"lines"}, Series: 10, OfName: 10}); got.Series != 1 {
		t.Errorf("the collector's own: %v", names(got))
	}
}

func TestRecentIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 30 {
		mustAppend(t, s, float("many", 600, 1, "i", fmt.Sprint(i)), float(fmt.Sprintf("single_%02d", i), 600, 1), float("many", 600, 1, "i", fmt.Sprint(i), "j", "1"))
	}
	for _, c := range []struct {
		want collector.Wanted
		got  []string
	}{
		{collector.Wanted{Series: 7, OfName: 5}, []string{"many: 5 of 60", "single_00: 1 of 1", "single_01: 1 of 1", "90 series, 31 names"}},
		{collector.Wanted{Series: 7, OfName: 5, Words: []string{"many"}}, []string{"many: 7 of 60", "60 series, 1 names"}},
		{collector.Wanted{Series: 100, OfName: 5, Words: []string{"nothing"}}, []string{"0 series, 0 names"}},
	} {
		if diff := cmp.Diff(c.got, names(recentOf(t, s, c.want))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.want, diff)
		}
	}
	if got := recentOf(t, s, collector.Wanted{Series: 1, OfName: 1}).Metrics[0].Series[0]; len(got.Points) != 1 {
		t.Errorf("a series has the points of one with more labels: %+v", got)
	}
}

func TestRecentOfAClosedStore(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recent(context.Background(), collector.Wanted{Span: time.Minute, Series: 1}); !errors.Is(err, errClosed) {
		t.Errorf("%v, want %v", err, errClosed)
	}
}

// A page that is looked at asks every two seconds.
func BenchmarkRecent(b *testing.B) {
	s := openWith(b, b.TempDir(), Options{Scratch: true})
	for i := range 100_000 {
		mustAppend(b, s, float(fmt.Sprintf("name_%d", i%1000), 600, 1, "instance", fmt.Sprint("web-", i/1000), "zone", "a"))
	}
	for b.Loop() {
		if _, err := s.Recent(context.Background(), collector.Wanted{Span: time.Minute, Series: 100, OfName: 12}); err != nil {
			b.Fatal(err)
		}
	}
}
