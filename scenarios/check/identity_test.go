package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const identityCheck = "  - identity: {metric: fullstack.insert, tags: [zone]}\n"

// seriesOf finds the one series of an instance.
func seriesOf(t testing.TB, h record.History, name, instance string) *record.Series {
	t.Helper()
	for i := range h.Series {
		if s := &h.Series[i]; s.Name == name && s.Labels.Get("instance") == instance {
			return s
		}
	}
	t.Fatalf("%s has no %s", instance, name)
	return nil
}

// lastCount is the last value of a counter that is no staleness marker.
func lastCount(s *record.Series) float64 {
	for _, p := range slices.Backward(s.Points) {
		if !p.Stale {
			return p.Value
		}
	}
	return 0
}

// relabelled gives the counter of an instance a label.
func relabelled(t *testing.T, h *record.History, instance, label, value string) {
	s := seriesOf(t, *h, "fullstack_insert_total", instance)
	s.Labels = s.Labels.With(label, value)
}

// tagless has an instance send without a tag to a time, and with it from another one on.
func tagless(t *testing.T, h *record.History, instance string, to, from time.Duration) {
	t.Helper()
	full := seriesOf(t, *h, "fullstack_insert_total", instance)
	bare := *full
	bare.Labels = slices.DeleteFunc(slices.Clone(full.Labels), func(l collector.Label) bool {
		return strings.HasPrefix(l.Name, "exported_") || from == to && l.Name == "zone"
	})
	var early, late []record.Point
	for _, p := range full.Points {
		if p.At <= to {
			early = append(early, p)
		}
		if p.At > from {
			late = append(late, p)
		}
	}
	bare.Points, full.Points = early, late
	h.Series = append(h.Series, bare)
}

var identityCases = []struct {
	name    string
	change  func(*testing.T, *record.History)
	outcome verdict.Outcome
	cause   string
	want    []string
}{
	{"healthy", func(*testing.T, *record.History) {}, verdict.Pass, "",
		[]string{"identity of fullstack.insert: 4 series for 4 instances, each its own, with the tags zone, from birth to death"}},
	{"missing", func(_ *testing.T, h *record.History) {
		drop(h, func(s record.Series) bool {
			return s.Labels.Get("instance") == "web-4" && s.Name == "fullstack_insert_total"
		})
	}, verdict.Fail, "no-metric", []string{"web-4 acknowledged 740 inserts and has no series of fullstack.insert: it sent fullstack.inflight instead"}},
	{"under another name", func(t *testing.T, h *record.History) {
		seriesOf(t, *h, "fullstack_insert_total", "web-4").Meta.Sent = "fullstack.insert.web-4"
	}, verdict.Fail, "renamed", []string{"web-4 acknowledged 740 inserts and has no series of fullstack.insert: it sent fullstack.insert.web-4 instead"}},
	{"silent", func(_ *testing.T, h *record.History) {
		drop(h, func(s record.Series) bool { return s.Labels.Get("instance") == "web-4" && s.Meta.Sent != "" })
	}, verdict.Fail, "no-metric", []string{"web-4 acknowledged 740 inserts and has no series of fullstack.insert: nothing at all arrived from it"}},
	{"missing and dropped", func(_ *testing.T, h *record.History) {
		drop(h, func(s record.Series) bool {
			return s.Labels.Get("instance") == "web-4" && s.Name == "fullstack_insert_total"
		})
		tell(h, record.Event{At: 22 * time.Second, Kind: record.Trouble, About: "collector", Instance: "web-4", Count: 2})
	}, verdict.Inconclusive, "collector-dropped", []string{"web-4 acknowledged 740 inserts and has no series of fullstack.insert, but the collector's socket dropped datagrams: it may have been lost there"}},
	{"two series of one instance", func(t *testing.T, h *record.History) {
		twin := *seriesOf(t, *h, "fullstack_insert_total", "web-3")
		twin.Labels = collector.NewLabels("instance", "web-3", "zone", "c")
		h.Series = append(h.Series, twin)
	}, verdict.Fail, "tags-vary", []string{`web-3 has 2 series of fullstack.insert instead of one: fullstack_insert_total{exported_zone="c",zone="c"}, fullstack_insert_total{zone="c"}`}},
	{"no tags at first", func(t *testing.T, h *record.History) { tagless(t, h, "web-4", 24*time.Second, 24*time.Second) }, verdict.Fail, "late-tags",
		[]string{`web-4 reported before it had its tags: to 23.1 s it sent fullstack_insert_total{}, and then fullstack_insert_total{exported_zone="a",zone="a"}`}},
	{"no tags now and then", func(t *testing.T, h *record.History) { tagless(t, h, "web-4", 24*time.Second, 21*time.Second) }, verdict.Fail, "tags-vary",
		[]string{`web-4 has 2 series of fullstack.insert instead of one: fullstack_insert_total{exported_zone="a",zone="a"}, fullstack_insert_total{zone="a"}`}},
	{"the role that it was told", func(t *testing.T, h *record.History) { relabelled(t, h, "web-3", "role", "web") }, verdict.Pass, "",
		[]string{"identity of fullstack.insert: 4 series for 4 instances, each its own, with the tags zone, from birth to death"}},
	{"a tag too many", func(t *testing.T, h *record.History) { relabelled(t, h, "web-3", "pid", "77") }, verdict.Fail, "tags-vary",
		[]string{`the series of web-3 has a tag that nobody expects: fullstack_insert_total{exported_zone="c",pid="77",zone="c"}`}},
	{"a tag too few", func(t *testing.T, h *record.History) {
		seriesOf(t, *h, "fullstack_insert_total", "web-3").Labels = collector.NewLabels("instance", "web-3")
	}, verdict.Fail, "tags-missing", []string{`the series of web-3 has no tag zone: fullstack_insert_total{}`}},
	{"another's zone", func(t *testing.T, h *record.History) { relabelled(t, h, "web-3", "exported_zone", "a") }, verdict.Fail, "foreign-tags",
		[]string{"what web-3 sends says zone:a, and it is zone:c"}},
	{"the name of a dead one", func(t *testing.T, h *record.History) { relabelled(t, h, "web-4", "exported_instance", "web-2") }, verdict.Fail, "foreign-tags",
		[]string{"what web-4 sends says instance:web-2, and it is instance:web-4: it carries the tags of web-2, which died at 10.5 s"}},
	{"nobody's", func(t *testing.T, h *record.History) {
		s := *seriesOf(t, *h, "fullstack_insert_total", "web-3")
		s.Labels = collector.NewLabels("zone", "c")
		h.Series = append(h.Series, s)
	}, verdict.Fail, "merged", []string{"fullstack.insert has a series of nobody: it carries no instance, so that all who send it are merged"}},
	{"a stranger's", func(t *testing.T, h *record.History) {
		s := *seriesOf(t, *h, "fullstack_insert_total", "web-3")
		s.Labels = collector.NewLabels("instance", "web-9")
		h.Series = append(h.Series, s)
	}, verdict.Fail, "merged", []string{`fullstack.insert has a series of "web-9", which is no web instance of this run`}},
	{"two lifetimes in one", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_insert_total", "web-2")
		s.Points = s.Points[:len(s.Points)-1]
		last := s.Points[len(s.Points)-1]
		for i := range 4 {
			s.Points = append(s.Points, record.Point{At: last.At + time.Duration(i+1)*time.Second, Value: last.Value + float64(i), Observed: 1})
		}
	}, verdict.Fail, "merged", []string{"the series of web-2 has 3 measured points after its death at 10.5 s, the last at 15.1 s: it carries somebody else's lifetime too"}},
	{"before its birth", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_insert_total", "web-4")
		s.Points = slices.Insert(s.Points, 0, record.Point{At: 12137 * time.Millisecond, Value: 1, Observed: 1})
	}, verdict.Fail, "merged", []string{"the series of web-4 has 1 measured point from before its birth at 18.5 s, the first at 12.1 s: somebody else's are in it"}},
	{"before its birth, by a clock", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_insert_total", "web-4")
		s.Points = slices.Insert(s.Points, 0, record.Point{At: 12137 * time.Millisecond, Value: 1, Observed: 1})
		h.Series = append(h.Series, record.Series{Name: record.ClockSteps, Points: []record.Point{{At: 9 * time.Second, Value: 1, Observed: 1}}})
	}, verdict.Inconclusive, "clock-set", []string{"the series of web-4 has 1 measured point from before its birth at 18.5 s, the first at 12.1 s: somebody else's are in it, but the clock was set in this run"}},
	{"a reset", func(t *testing.T, h *record.History) {
		shift(*h, "fullstack_insert_total", "web-3", 15*time.Second, -300)
	}, verdict.Fail, "reset",
		[]string{"fullstack_insert_total of web-3 falls from 939 to 726 at 15.1 s without a birth: the counter was reset"}},
	{"ended and begun anew", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_insert_total", "web-3")
		s.Points[9].Stale = true
	}, verdict.Fail, "reset", []string{"fullstack_insert_total of web-3 ended at 12.1 s and began anew at 13.1 s without a birth"}},
	{"it goes on from the dead one's", func(t *testing.T, h *record.History) {
		dead := lastCount(seriesOf(t, *h, "fullstack_insert_total", "web-2"))
		shift(*h, "fullstack_insert_total", "web-4", 0, dead)
	}, verdict.Fail, "goes-on-from-old-value", []string{"fullstack_insert_total of web-4 begins with 492 at 19.1 s, and it had been sent at most 15 inserts: it goes on from somebody else's value, most likely that of web-2"}},
}

func TestIdentity(t *testing.T) {
	for _, c := range identityCases {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = identityCheck
			h := p.make()
			c.change(t, &h)
			v := judged(t, h)
			says(t, v, "identity", c.outcome, c.want...)
			for _, f := range v.Findings {
				if f.Check == "identity" && f.Cause != c.cause {
					t.Errorf("cause %q, want %q: %s", f.Cause, c.cause, f.Summary)
				}
			}
		})
	}
}

// TestIdentityOfACounterThatCountsTooMuch: a counter that has too many all the time has
// them in its first interval too, which may be all there is. That is no value that goes
// on, and conservation explains it.
func TestIdentityOfACounterThatCountsTooMuch(t *testing.T) {
	for _, ms := range []time.Duration{1000, 1150, 1600, 2500} {
		long := ms * time.Millisecond
		p := talk()
		p.phases = []act{{"warm-up", nil, 8250 * time.Millisecond}, {"in", []string{"launch 1"}, long}, {"out", []string{"terminate web-4"}, 6 * time.Second}}
		p.counts = func(string, int, time.Duration) int64 { return 2 }
		p.checks = identityCheck + "  - conservation: {metric: fullstack.insert, route: insert}\n"
		v := judged(t, p.make())
		if got := said(v, "identity", verdict.Fail); len(got) > 0 {
			t.Errorf("a life of %v: %q", long, got)
		}
		if got := said(v, "conservation", verdict.Fail); len(got) == 0 {
			t.Errorf("a life of %v: conservation finds nothing", long)
		}
	}
}

// TestIdentityOfOneAsSilentAsOthersAtFirst: what never sent anything in a life of 740 inserts has no wrong name, where all others send
// nothing of their first 800 either. It has, where they speak from the beginning.
func TestIdentityOfOneAsSilentAsOthersAtFirst(t *testing.T) {
	for _, c := range []struct {
		silent int // how many inserts each instance does not count at first
		cause  string
		want   []string
	}{
		{800, "undecided", []string{"web-2 acknowledged 479 inserts and has no series of fullstack.insert; neither had web-1 when it had answered 878, and it sent some later",
			"web-4 acknowledged 740 inserts and has no series of fullstack.insert; neither had web-1 when it had answered 878, and it sent some later"}},
		{4, "no-metric", []string{"web-4 acknowledged 740 inserts and has no series of fullstack.insert: it sent fullstack.inflight instead"}},
	} {
		p := talk()
		p.counts = func(instance string, nth int, _ time.Duration) int64 {
			if nth <= c.silent || instance == "web-4" {
				return 0
			}
			return 1
		}
		p.checks = identityCheck + "  - conservation: {metric: fullstack.insert, route: insert}\n"
		v := judged(t, p.make())
		says(t, v, "identity", verdict.Fail, c.want...)
		for _, f := range v.Findings {
			if f.Check == "identity" && f.Cause != c.cause {
				t.Errorf("%d silent: %s has the cause %q, want %q: %s", c.silent, f.Instance, f.Cause, c.cause, f.Summary)
			}
		}
		if first := v.Explanations[0]; c.cause == "undecided" && v.Findings[first.Findings[0]].Check != "conservation" {
			t.Errorf("one defect, and the first explanation is %q", first.Title)
		}
	}
}

// TestIdentityOfANewNameOfSome: what two instances send in place of the metric is its new name, although each is not alone with it.
func TestIdentityOfANewNameOfSome(t *testing.T) {
	p := talk()
	p.checks = identityCheck
	h := p.make()
	for _, instance := range []string{"web-3", "web-4"} {
		seriesOf(t, h, "fullstack_insert_total", instance).Meta.Sent = "fullstack.insert.total"
	}
	v := judged(t, h)
	causes := map[string]int{}
	for _, f := range v.Findings {
		if f.Check == "identity" {
			causes[f.Cause]++
		}
	}
	if causes["renamed"] != 2 || len(causes) != 1 {
		t.Errorf("causes %v: %q", causes, said(v, "identity", verdict.Fail))
	}
}

// TestIdentityOfAFirstDatagramThatCameTwice: a counter that begins with twice what it was sent goes on from nobody's value.
func TestIdentityOfAFirstDatagramThatCameTwice(t *testing.T) {
	p := talk()
	p.counts = func(instance string, _ int, life time.Duration) int64 {
		if instance == "web-4" && life < 1500*time.Millisecond {
			return 2
		}
		return 1
	}
	p.checks = identityCheck + "  - conservation: {metric: fullstack.insert, route: insert}\n"
	v := judged(t, p.make())
	if got := said(v, "identity", verdict.Fail); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if got := said(v, "conservation", verdict.Fail); len(got) == 0 {
		t.Error("conservation finds nothing")
	}
}

func TestIdentityOfAMetricThatNobodyHadToSend(t *testing.T) {
	p := talk()
	p.checks = "  - identity: {metric: fullstack.get, route: get}\n"
	h := p.make()
	h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Route == "get" })
	says(t, judged(t, h), "identity", verdict.Inconclusive, "identity of fullstack.get: no instance answered a request that had to bring a series, so nothing was looked at")
}

// A sampled counter may have nothing of an instance that served little.
func TestIdentityOfASampledMetric(t *testing.T) {
	p := talk()
	p.checks = "  - identity: {metric: fullstack.insert}\n  - conservation: {metric: fullstack.insert, sample_rate: 0.01}\n"
	h := p.make()
	drop(&h, func(s record.Series) bool { return s.Labels.Get("instance") == "web-4" })
	if got := said(judged(t, h), "identity", verdict.Fail); len(got) != 0 {
		t.Errorf("740 requests at 1 in 100 may leave nothing once in 1,700 times: %q", got)
	}
	drop(&h, func(s record.Series) bool { return s.Labels.Get("instance") == "web-3" })
	if got := said(judged(t, h), "identity", verdict.Fail); len(got) != 1 {
		t.Errorf("two thousand cannot: %q", got)
	}
}

// TestIdentityFindsWhatWasPutIn breaks one thing of one instance in each of
// many made-up runs: the check names that instance and that cause, and nothing
// else.
func TestIdentityFindsWhatWasPutIn(t *testing.T) {
	breaks := []struct {
		cause string
		do    func(s *record.Series, rnd *rand.Rand)
	}{
		{"", func(*record.Series, *rand.Rand) {}},
		{"renamed", func(s *record.Series, _ *rand.Rand) { s.Meta.Sent = "fullstack.insert." + s.Labels.Get("instance") }},
		{"tags-vary", func(s *record.Series, rnd *rand.Rand) { s.Labels = s.Labels.With("pid", fmt.Sprint(rnd.IntN(9999))) }},
		{"foreign-tags", func(s *record.Series, _ *rand.Rand) { s.Labels = s.Labels.With("exported_instance", "web-77") }},
		{"tags-missing", func(s *record.Series, _ *rand.Rand) {
			s.Labels = collector.NewLabels("instance", s.Labels.Get("instance"))
		}},
		{"goes-on-from-old-value", func(s *record.Series, rnd *rand.Rand) {
			by := float64(400 + rnd.IntN(5000))
			for k := range s.Points {
				s.Points[k].Value += by
			}
		}},
	}
	found := 0
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 21))
		p := anyPlan(seed)
		p.checks = identityCheck + fmt.Sprintf("  - conservation: {metric: fullstack.insert, client_window: %s}\n", p.window)
		w := p.world()
		b := w.beings[rnd.IntN(len(w.beings))]
		if b.nth < 20 || len(b.arrivals) == 0 || b.arrivals[0].at > b.death-2*time.Second {
			continue
		}
		wrong := breaks[rnd.IntN(len(breaks))]
		wrong.do(seriesOf(t, w.h, "fullstack_insert_total", b.name), rnd)
		v := judged(t, w.h)
		fails := 0
		for _, f := range v.Findings {
			if f.Check != "identity" || f.Outcome == verdict.Pass {
				continue
			}
			fails++
			if f.Instance != b.name || f.Cause != wrong.cause || f.Outcome != verdict.Fail {
				t.Fatalf("seed %d: %s of %s was put in, and found was: %v %s: %s", seed, wrong.cause, b.name, f.Outcome, f.Cause, f.Summary)
			}
		}
		if want := min(1, len(wrong.cause)); fails != want {
			t.Fatalf("seed %d: %s of %s: %d findings", seed, wrong.cause, b.name, fails)
		}
		found += fails
	}
	if found < histories/2 {
		t.Errorf("only %d were put in", found)
	}
}
