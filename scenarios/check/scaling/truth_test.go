package scaling

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const second = time.Second

// history is a run of twelve seconds, whose intervals end with the seconds. web-1 answers ten inserts in
// each, at its tenths; web-2 as many from 4 s to 8 s, when it is told to end. Each request takes 10 ms.
func history() record.History {
	h := record.History{Run: record.Run{ID: "r1", Start: time.Unix(1_700_000_000, 0).UTC(), Interval: second}}
	event := func(at time.Duration, kind record.Kind, instance string) {
		e := record.Event{At: at, Kind: kind, Instance: instance, Expected: kind == record.Death}
		if instance != "" {
			e.Role = record.Web
		}
		h.Events = append(h.Events, e)
	}
	event(0, record.Birth, "web-1")
	event(0, record.Serving, "web-1")
	event(0, record.LoadBegin, "")
	event(3*second, record.Birth, "web-2")
	event(4*second, record.Serving, "web-2")
	event(8*second, record.Draining, "web-2")
	event(8*second+100*time.Millisecond, record.Death, "web-2")
	event(12*second, record.LoadEnd, "")
	for t := 50 * time.Millisecond; t < 12*second; t += 100 * time.Millisecond {
		answered := []string{"web-1"}
		if t > 4*second && t < 8*second {
			answered = append(answered, "web-2")
		}
		for _, instance := range answered {
			h.Requests = append(h.Requests, record.Request{Seq: uint64(len(h.Requests)), Due: t, Sent: t, Done: t + 10*time.Millisecond, Route: "insert",
				Instance: instance, Status: 200, Attempts: 1, Outcome: record.Acked})
		}
	}
	h.Series = []record.Series{counter("web-1", 0, 12, 10), counter("web-2", 4, 8, 10)}
	return h
}

// counter is the series of an instance that counts so many in each second, from one to another;
// the collector makes a zero before the first, and marks the end of what ends before 12 s.
func counter(instance string, from, to int, each float64) record.Series {
	s := record.Series{Name: "hits_total", Labels: collector.NewLabels("instance", instance, "zone", "a"),
		Meta: collector.Meta{Type: collector.Counter, Sent: "hits"}}
	for k := from; k <= to; k++ {
		s.Points = append(s.Points, record.Point{At: time.Duration(k) * second, Value: each * float64(k-from), Observed: 10})
	}
	if to < 12 {
		s.Points = append(s.Points, record.Point{At: time.Duration(to+1) * second, Stale: true})
	}
	return s
}

func gauge(instance string, values ...float64) record.Series {
	s := record.Series{Name: "open", Labels: collector.NewLabels("instance", instance), Meta: collector.Meta{Type: collector.Gauge, Sent: "open"}}
	for k, v := range values {
		s.Points = append(s.Points, record.Point{At: time.Duration(k+1) * second, Value: v, Observed: 1})
	}
	return s
}

// judged prepares a history for a judgement.
func judged(t *testing.T, h record.History, on string, promises ...script.Promise) *judging {
	t.Helper()
	s := script.Scenario{Autoscale: &script.Autoscale{On: on, Policy: autoscale.Policy{Min: 1, Max: 9, Form: autoscale.Sum, Target: 5, Every: 2 * second}}}
	for _, p := range promises {
		s.Checks = append(s.Checks, script.Check{Promise: p})
	}
	h.Events = append(h.Events, record.Event{At: 2 * second, Kind: record.Decided, Decision: &autoscale.Decision{At: 2 * second, Had: 1, Wanted: 1}})
	e := evidence.New(h, s)
	t.Cleanup(e.Close)
	j := &judging{e: e}
	if why := j.prepare(); why != "" {
		t.Fatal(why)
	}
	return j
}

var hits = script.Conservation{Metric: "hits", Route: "insert", ClientWindow: 100 * time.Millisecond, MaxLag: second, SampleRate: 1}

// values are those of a series at the whole seconds from 0 on: -1 where there is none.
func values(all []record.Series, instance string) []float64 {
	out := slices.Repeat([]float64{-1}, 13)
	for _, s := range all {
		if s.Labels.Get("instance") != instance {
			continue
		}
		for _, p := range s.Points {
			if !p.Stale {
				out[p.At/second] = p.Value
			}
		}
	}
	return out
}

func TestTruth(t *testing.T) {
	steady := []float64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120}
	short := []float64{-1, -1, -1, -1, 0, 10, 20, 30, 40, -1, -1, -1, -1}
	for name, c := range map[string]struct {
		change  func(h *record.History)
		on      string
		changed bool
		web1    []float64
		web2    []float64
	}{
		"right": {func(*record.History) {}, "sum(rate(hits_total[3s]))", false, steady, short},
		// What was acknowledged in the last 160 ms, the client's window and what its timer takes, may not be counted yet.
		"half is lost": {func(h *record.History) { h.Series[0] = counter("web-1", 0, 12, 5) }, "sum(rate(hits_total[3s]))", true,
			[]float64{0, 8, 18, 28, 38, 48, 58, 68, 78, 88, 98, 108, 118}, short},
		"twice as many": {func(h *record.History) { h.Series[1] = counter("web-2", 4, 8, 20) }, "sum(rate(hits_total[3s]))", true, steady, short},
		"never sent": {func(h *record.History) { h.Series = h.Series[:1] }, "sum(rate(hits_total[3s]))", true, steady,
			[]float64{-1, -1, -1, -1, 0, 8, 18, 28, 38, 40, -1, -1, -1}},
		"goes on after its death": {func(h *record.History) { h.Series[1] = counter("web-2", 4, 12, 10) }, "sum(rate(hits_total[3s]))", true, steady,
			[]float64{-1, -1, -1, -1, 0, 10, 20, 30, 40, 40, 40, -1, -1}},
		"nobody measured": {func(h *record.History) {
			for i := range h.Series {
				h.Series[i].Points = slices.DeleteFunc(h.Series[i].Points, func(p record.Point) bool { return p.At == 6*second || p.At == 7*second })
			}
		}, "sum(rate(hits_total[3s]))", true, []float64{0, 10, 20, 30, 40, 50, 58, 68, 80, 90, 100, 110, 120}, []float64{-1, -1, -1, -1, 0, 10, 18, 28, 40, -1, -1, -1, -1}},
		"of a stranger": {func(h *record.History) { h.Series = append(h.Series, counter("web-9", 0, 12, 10)) }, "sum(rate(hits_total[3s]))", true, steady, short},
		"one alone is asked for": {func(h *record.History) { h.Series[0] = counter("web-1", 0, 12, 5) }, `sum(rate(hits_total{instance="web-2"}[3s]))`, false,
			slices.Repeat([]float64{-1}, 13), short},
	} {
		t.Run(name, func(t *testing.T) {
			h := history()
			c.change(&h)
			got := judged(t, h, c.on, hits).truth()
			if got.changed != c.changed {
				t.Errorf("changed: %v", got.changed)
			}
			if diff := cmp.Diff(c.web1, values(got.nearest, "web-1")); diff != "" {
				t.Errorf("web-1 (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.web2, values(got.nearest, "web-2")); diff != "" {
				t.Errorf("web-2 (-want +got)\n%s", diff)
			}
			if n := len(values(got.nearest, "web-9")); slices.Max(values(got.nearest, "web-9")) >= 0 {
				t.Errorf("the stranger has %d values", n)
			}
		})
	}
}

// Where somebody else counts in the name of an instance, both series are too many, and none of them falls in the
// truth: that would be a counter that begins anew, which PromQL adds up.
func TestTruthOfSeveralSeries(t *testing.T) {
	h := history()
	foreign := counter("web-1", 6, 9, 20)
	foreign.Labels = foreign.Labels.With("zone", "b")
	h.Series = append(h.Series, foreign)
	got := judged(t, h, "sum(rate(hits_total[3s]))", hits).truth()
	if !got.changed {
		t.Error("what is too many was left")
	}
	sums := make([]float64, 13)
	for _, s := range got.nearest {
		if s.Labels.Get("instance") != "web-1" {
			continue
		}
		last, k := 0.0, 0
		for at := range sums {
			for ; k < len(s.Points) && s.Points[k].At <= time.Duration(at)*second; k++ {
				if s.Points[k].Stale {
					continue
				}
				if s.Points[k].Value < last {
					t.Errorf("zone %s falls from %v to %v at %v", s.Labels.Get("zone"), last, s.Points[k].Value, s.Points[k].At)
				}
				last = s.Points[k].Value
			}
			sums[at] += last
		}
	}
	for k, sum := range sums {
		if want := 10 * float64(k); math.Abs(sum-want) > 1e-9 {
			t.Errorf("at %d s they are %v, want %v", k, sum, want)
		}
	}
}

// A gauge is never above what was in flight, and ends with its instance.
func TestTruthOfAGauge(t *testing.T) {
	h := history()
	h.Series = []record.Series{gauge("web-1", 1, 0, 7, 1), gauge("web-2", 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)}
	got := judged(t, h, "sum(open)", script.Gauge{Metric: "open", ClientWindow: 0}).truth()
	if diff := cmp.Diff([]float64{-1, 1, 0, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1}, values(got.nearest, "web-1")); diff != "" {
		t.Errorf("web-1 (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]float64{-1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, -1, -1}, values(got.nearest, "web-2")); diff != "" {
		t.Errorf("web-2 (-want +got)\n%s", diff)
	}
}

// The demand is in the unit of the expression, whatever that is.
func TestWeigh(t *testing.T) {
	for on, want := range map[string]float64{
		"sum(rate(hits_total[5s]))":      1,
		"sum(increase(hits_total[10s]))": 10,
		"sum(rate(hits_total[1m])) * 60": 60,
		"sum(irate(hits_total[5s])) / 2": 0.5,
		"avg(rate(hits_total[5s]))":      -1,
		"5 + sum(rate(hits_total[5s]))":  -1,
		"count(hits_total)":              -1,
		"sum(rate(hits_total[5s])) ^ 2":  -1,
	} {
		weights, err := judged(t, history(), on, hits).weigh([]script.Metric{"hits"})
		if want < 0 && err == nil || want >= 0 && (err != nil || len(weights) != 1 || weights[0] < want*(1-1e-6) || weights[0] > want*(1+1e-6)) {
			t.Errorf("%s: %v, %v, want %v", on, weights, err, want)
		}
	}
}

// The demand of the two seconds before is what was sent in them, also what nobody answered.
func TestDemand(t *testing.T) {
	h := history()
	h.Requests[0].Outcome, h.Requests[0].Instance, h.Requests[0].Status = record.Unknown, "", 0
	j := judged(t, h, "sum(rate(hits_total[5s]))", hits)
	d, err := j.demand([]script.Metric{"hits"})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]float64{0: 0, second: 10, 3 * second: 10, 5 * second: 15, 7 * second: 20, 12 * second: 10} {
		if got := d.at(at); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("at %v: %v, want %v", at, got, want)
		}
	}
	if got, want := j.served().seconds(2*second, 12*second), 14.0; got != want {
		t.Errorf("%v instance-seconds served, want %v", got, want)
	}
}
