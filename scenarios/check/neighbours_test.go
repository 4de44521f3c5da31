package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// What the timer of the same requests has tells causes apart that the counter
// alone does not. Where the timer lacks some too, the counter tells the same of it.
func TestNeighboursTellCausesApart(t *testing.T) {
	oneIn := func(n int) func(string, int, time.Duration) int64 {
		return func(_ string, nth int, _ time.Duration) int64 { return min(1, int64(nth%n)) }
	}
	quarter := oneIn(4)
	asCounted := func(t *testing.T, _ *plan, h *record.History) {
		for _, instance := range []string{"web-1", "web-2", "web-3"} {
			rescale(t, h, instance, 0, true)
		}
	}
	scaledBy := func(shares ...float64) func(*testing.T, *plan, *record.History) {
		return func(t *testing.T, _ *plan, h *record.History) {
			for i, share := range shares {
				rescale(t, h, fmt.Sprintf("web-%d", i+1), share, false)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *plan, *record.History)
		counts func(string, int, time.Duration) int64
		cause  string
		both   bool // the timer's values are found to have the same cause
	}{
		"the timer has all":                            {nil, quarter, "not-counted", false},
		"the timer lacks the same":                     {asCounted, quarter, "silent-worker", true},
		"the timer lacks the same, one of 6":           {asCounted, oneIn(6), "silent-worker", true},
		"fewer than any worker has, in whole requests": {asCounted, oneIn(20), diagnose.Undecided, true},
		"one timer lacks the same by chance": {func(t *testing.T, _ *plan, h *record.History) {
			rescale(t, h, "web-1", 0, true)
			rescale(t, h, "web-2", 0.73, false)
			rescale(t, h, "web-3", 0.77, false)
		}, quarter, diagnose.Undecided, false},
		"the timers lack about as many":          {scaledBy(0.86, 0.89, 0.88), oneIn(8), "datagrams-lost", true},
		"the timers have about as many too much": {scaledBy(1.21, 1.18, 1.2), every(5, 2, 1), "datagrams-duplicated", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := talk()
			p.phases = p.phases[:1]
			p.checks = allChecks + nestingCheck
			p.counts = c.counts
			h := p.make()
			if c.change != nil {
				c.change(t, &p, &h)
			}
			v := judged(t, h)
			if f := about(t, v, "conservation", "web-1", verdict.Fail); f.Cause != c.cause {
				t.Errorf("cause %s, want %s: %s", f.Cause, c.cause, f.Summary)
			}
			if !c.both {
				return
			}
			at := slices.IndexFunc(v.Findings, func(f verdict.Finding) bool {
				return f.Check == "nesting" && f.Instance == "web-1" && strings.HasPrefix(f.Summary, "fullstack.insert.time: ")
			})
			if at < 0 {
				t.Fatal("nothing found about the timer")
			}
			if f := v.Findings[at]; f.Cause != c.cause || !strings.Contains(f.Summary, "the counter of the same requests") {
				t.Errorf("of the timer: cause %s, want %s: %s", f.Cause, c.cause, f.Summary)
			}
		})
	}
}

// rescale makes the timer of an instance have a share of its values, or just as many as
// the counter.
func rescale(t *testing.T, h *record.History, instance string, share float64, same bool) {
	t.Helper()
	counter, timer := seriesOf(t, *h, "fullstack_insert_total", instance), seriesOf(t, *h, "fullstack_insert_time", instance)
	var last float64
	for k := range timer.Points {
		old := timer.Points[k].Histogram
		if old == nil {
			continue
		}
		n := old.Count * share
		if same {
			n = counter.Points[min(k, len(counter.Points)-1)].Value
		}
		scaled := collector.Histogram{Schema: old.Schema, Count: float64(int64(n)), Sum: old.Sum * n / old.Count}
		for _, b := range old.Positive {
			scaled.Positive = append(scaled.Positive, collector.Bucket{Index: b.Index, Count: b.Count * n / old.Count})
		}
		timer.Points[k].Histogram = &scaled
		timer.Points[k].Observed = uint64(scaled.Count - last) // it was not sampled
		last = scaled.Count
	}
}

func TestAMetricOfAnotherType(t *testing.T) {
	h := talk().make()
	s := seriesOf(t, h, "fullstack_insert_total", "web-1")
	s.Name, s.Meta.Type = "fullstack_insert", collector.Gauge
	if f := about(t, judged(t, h), "conservation", "web-1", verdict.Fail); f.Cause != diagnose.WrongType {
		t.Errorf("cause %s: %s", f.Cause, f.Summary)
	}
}

// A queue that is full at the peaks loses there alone; an even loss is never
// called so.
func TestAQueueThatIsFullAtThePeaks(t *testing.T) {
	unhurried(t)
	p := talk()
	p.phases, p.swing, p.checks = p.phases[:1], 0.8, timedCheck
	peaks, close, even := 0, 0, 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		p.seed = seed
		p.counts = func(string, int, time.Duration) int64 { return min(1, rnd.Int64N(12)) }
		long := p
		long.phases = []act{{"steady", nil, time.Minute}}
		for _, f := range append(judged(t, p.make()).Findings, judged(t, long.make()).Findings...) {
			if f.Cause == diagnose.QueueFull {
				t.Errorf("seed %d: an even loss: %s", seed, f.Summary)
			}
			if f.Cause == diagnose.NotCounted {
				even++
			}
			if f.Cause == diagnose.NotCounted && f.RunnerUp == diagnose.QueueFull {
				close++
			}
		}
		p.counts = nil
		h := p.make()
		busiest(t, &h)
		for _, f := range judged(t, h).Findings {
			if f.Cause == diagnose.QueueFull || slices.Contains(f.Possible, diagnose.QueueFull) {
				peaks++
			}
		}
	}
	if peaks < 40 {
		t.Errorf("%d of 60 queues found", peaks)
	}
	if even == 0 || close > even/20 {
		t.Errorf("%d of %d even losses are said to be nearly a queue's", close, even)
	}
}

// busiest takes from web-1's counter what goes beyond 70 in an interval.
func busiest(t *testing.T, h *record.History) {
	t.Helper()
	s := seriesOf(t, *h, "fullstack_insert_total", "web-1")
	var gone, last float64
	for k := range s.Points {
		p := &s.Points[k]
		if p.Stale {
			continue
		}
		gone += max(0, p.Value-last-70)
		last = p.Value
		p.Value -= gone
	}
}

// The place of a gap in an instance's life, and who else has one, give its cause.
func TestCausesOfGaps(t *testing.T) {
	for cause, c := range map[string]struct {
		instances []string
		lost      func(k, of int) bool // of the k-th point
	}{
		verdict.CauseFlushInterval: {[]string{"web-3"}, func(k, _ int) bool { return k%4 != 0 }},
		diagnose.SilentStart:       {[]string{"web-3"}, func(k, _ int) bool { return k < 6 }},
		diagnose.WentSilent:        {[]string{"web-3"}, func(k, of int) bool { return k > of-9 }},
		diagnose.NoMetric:          {[]string{"web-3"}, func(int, int) bool { return true }},
		diagnose.Burst:             {[]string{"web-3"}, func(k, _ int) bool { return k > 7 && k < 12 }},
		diagnose.Late:              {[]string{"web-3"}, func(k, _ int) bool { return k > 7 && k < 12 }},
		diagnose.Away:              {[]string{"web-1", "web-2", "web-3"}, func(k, _ int) bool { return k > 7 && k < 12 }},
	} {
		t.Run(cause, func(t *testing.T) {
			p := talk()
			p.phases = []act{{"steady", nil, 20 * time.Second}}
			p.checks = allChecks
			h := p.make()
			for _, instance := range c.instances {
				s := seriesOf(t, h, "fullstack_insert_total", instance)
				var last, gone float64
				for k := range s.Points {
					was := s.Points[k].Value
					if c.lost(k, len(s.Points)) {
						s.Points[k].Observed = 0
						if cause != verdict.CauseFlushInterval && cause != diagnose.Late { // there they come later
							gone += was - last
						}
						s.Points[k].Value = held(s.Points, k, gone, cause == verdict.CauseFlushInterval || cause == diagnose.Late)
					} else {
						s.Points[k].Value -= gone
					}
					last = was
				}
				if cause == diagnose.Away {
					hush(&h, instance, s.Points[8].At, s.Points[11].At)
				}
			}
			found := 0
			for _, f := range judged(t, h).Findings {
				if f.Check == "continuity" && f.Instance == "web-3" {
					found++
					if f.Outcome != verdict.Fail || f.Cause != cause && !(f.Cause == diagnose.Undecided && slices.Contains(f.Possible, cause)) {
						t.Errorf("%v, cause %s: %s", f.Outcome, f.Cause, f.Summary)
					}
				}
			}
			if found == 0 {
				t.Error("nothing found")
			}
		})
	}
}

// hush takes all that arrived from an instance at some interval ends.
func hush(h *record.History, instance string, from, to time.Duration) {
	for i := range h.Series {
		s := &h.Series[i]
		for k := range s.Points {
			if p := &s.Points[k]; s.Labels.Get("instance") == instance && s.Meta.Sent != "" && p.At >= from && p.At <= to {
				p.Observed = 0
			}
		}
	}
}

// held is the value of a point in a gap: what the one before it has, where the counts come
// later; else what is left when those of the gap are gone.
func held(points []record.Point, k int, gone float64, later bool) float64 {
	switch {
	case !later:
		return points[k].Value - gone
	case k == 0:
		return 0
	}
	return points[k-1].Value
}

// Few that are lost tell little by their curve: the other instances, and how the
// instance ended, tell more.
func TestCausesOfSmallLosses(t *testing.T) {
	steady := func() plan {
		p := talk()
		p.phases, p.checks = p.phases[:1], allChecks
		return p
	}
	for seed := range uint64(20) {
		first := steady()
		first.seed = seed
		first.counts = func(_ string, nth int, _ time.Duration) int64 { return min(1, int64(nth)-1) }
		for _, instance := range []string{"web-1", "web-2", "web-3"} {
			f := about(t, judged(t, first.make()), "conservation", instance, verdict.Fail)
			if f.Cause != diagnose.FirstLost {
				t.Errorf("seed %d: the first of every instance: cause %s: %s", seed, f.Cause, f.Summary)
			}
		}
		ended := steady()
		ended.seed = seed
		ended.phases = append(ended.phases, act{"one is replaced", []string{"launch 1", "terminate web-1"}, 8 * time.Second})
		h := ended.make()
		less(t, &h, "web-1", func(k, last int) int { return map[bool]int{true: 2}[k == last] })
		if f := about(t, judged(t, h), "conservation", "web-1", verdict.Fail); f.Cause != diagnose.LostOnExit {
			t.Errorf("seed %d: the last two before an exit: cause %s: %s", seed, f.Cause, f.Summary)
		}
	}
}

// Lumps that datagrams took are no silence at the end, if counts came after them.
func TestLumpsBeforeTheEnd(t *testing.T) {
	p := talk()
	p.phases, p.checks = p.phases[:1], allChecks+nestingCheck
	h := p.make()
	less(t, &h, "web-1", func(k, last int) int { return map[int]int{last - 4: 8, last - 3: 9, last - 2: 5, last - 1: 3}[k] })
	rescale(t, &h, "web-1", 0.95, false)
	f := about(t, judged(t, h), "conservation", "web-1", verdict.Fail)
	if first := slices.Concat(f.Possible, []string{f.Cause})[0]; first != diagnose.NetLost || slices.Contains(f.Possible, diagnose.WentSilent) {
		t.Errorf("cause %s %v: %s", f.Cause, f.Possible, f.Summary)
	}
}

// less takes what lost says from the k-th interval of an instance's counter; last is
// the one in which its last count came.
func less(t *testing.T, h *record.History, instance string, lost func(k, last int) int) {
	t.Helper()
	points := seriesOf(t, *h, "fullstack_insert_total", instance).Points
	last, before := 0, 0.0
	for k, p := range points {
		if !p.Stale && p.Value > before {
			last, before = k, p.Value
		}
	}
	gone := 0.0
	for k := range points {
		gone += float64(lost(k, last))
		points[k].Value -= gone
	}
}
