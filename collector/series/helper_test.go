package series

import (
	"context"
	"math"
	"testing"
	"time"

	"throughline/collector"
)

// epoch is long ago, for nothing may depend on the present time.
var epoch = time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// open opens a store whose now is ten minutes after epoch.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	return openWith(t, dir, Options{})
}

func openWith(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return at(600) }
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustAppend(t testing.TB, s *Store, samples ...collector.Sample) {
	t.Helper()
	if err := s.Append(samples...); err != nil {
		t.Fatal(err)
	}
}

func float(name string, when, v float64, labels ...string) collector.Sample {
	return collector.Sample{Name: name, Labels: collector.NewLabels(labels...), At: at(when), Value: v, Observed: 1}
}

func end(name string, when float64, labels ...string) collector.Sample {
	s := float(name, when, 0, labels...)
	s.Stale = true
	return s
}

func distribution(name string, when float64, h *collector.Histogram, labels ...string) collector.Sample {
	s := float(name, when, 0, labels...)
	s.Histogram = h
	return s
}

func ask(t testing.TB, s *Store, expr string, when float64) []Series {
	t.Helper()
	answer, err := s.Query(context.Background(), expr, at(when))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Series
}

// number is the only value of an answer; NaN if it is empty.
func number(t testing.TB, s *Store, expr string, when float64) float64 {
	t.Helper()
	found := ask(t, s, expr, when)
	if len(found) == 0 {
		return math.NaN()
	}
	if len(found) > 1 || len(found[0].Points) != 1 {
		t.Fatalf("%s: gives %v, want one point", expr, found)
	}
	return found[0].Points[0].Value
}

// wantNumber checks the value of an expression; NaN wants it to be empty.
func wantNumber(t testing.TB, s *Store, expr string, when, want float64) {
	t.Helper()
	got := number(t, s, expr, when)
	if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
		t.Errorf("%s at %gs is %v, want %v", expr, when, got, want)
	}
}
