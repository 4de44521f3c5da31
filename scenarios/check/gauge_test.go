package check

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const gaugeCheck = "  - gauge: {metric: fullstack.inflight, at_rest: 0, unqueued: yes}\n"

var gaugeCases = []struct {
	name    string
	change  func(*testing.T, *record.History)
	outcome verdict.Outcome
	cause   string
	want    string
}{
	{"healthy", func(*testing.T, *record.History) {}, verdict.Pass, "", "gauge fullstack.inflight: 67 points of 4 instances, never above what users had in flight, 0 at rest in each of 2 instances, none from the dead"},
	{"it never comes back", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_inflight", "web-3")
		for k := len(s.Points) - 4; k < len(s.Points); k++ {
			s.Points[k].Value = 2
		}
	}, verdict.Fail, "drifting-gauge", "fullstack.inflight of web-3 does not come back to 0: the load ended at 26.7 s, and at 29.1 s it is still 2"},
	{"it never comes back, and datagrams were dropped", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_inflight", "web-3")
		for k := len(s.Points) - 4; k < len(s.Points); k++ {
			s.Points[k].Value, s.Points[k].Observed = 2, 0
		}
		tell(h, record.Event{At: 22 * time.Second, Kind: record.Trouble, About: "collector", Instance: "web-3", Count: 2})
	}, verdict.Inconclusive, "collector-dropped", "fullstack.inflight of web-3 does not come back to 0: the load ended at 26.7 s, and at 29.1 s it is still 2, but the collector's socket dropped datagrams: its last value may have been lost there"},
	{"one point of a health check", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_inflight", "web-3")
		s.Points[len(s.Points)-1].Value = 1
	}, verdict.Pass, "", "gauge fullstack.inflight: 67 points of 4 instances, never above what users had in flight, 0 at rest in each of 2 instances, none from the dead"},
	{"below zero", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_inflight", "web-3")
		s.Points[7].Value, s.Points[9].Value = -1, -3
	}, verdict.Fail, "drifting-gauge", "fullstack.inflight of web-3 is below 0 at 2 points, first at 10.1 s, down to -3: it is sent in steps, and steps were lost or counted twice"},
	{"too high", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_inflight", "web-3")
		s.Points[7].Value = 40
	}, verdict.Fail, "drifting-gauge", "fullstack.inflight of web-3 is too high at 1 point: 40 at 10.1 s, when its users had at most 9 requests in flight"},
	{"too low on a machine that was late itself", func(_ *testing.T, h *record.History) {
		lastUnknown(h)
		own(h, record.FlushLateness, "", func(time.Duration) float64 { return 0.3 })
	}, verdict.Inconclusive, "flush-late-on-busy-machine", "fullstack.inflight of web-3 is too low at 2 points: 0 at 15.1 s, when 6 requests had been in flight there for longer than a gauge takes to arrive: who set it last knew only of some, but the machine was late itself then"},
	{"too low", func(_ *testing.T, h *record.History) { lastUnknown(h) }, verdict.Fail, "last-write-wins", "fullstack.inflight of web-3 is too low at 2 points: 0 at 15.1 s, when 6 requests had been in flight there for longer than a gauge takes to arrive: who set it last knew only of some"},
	{"frozen at its death", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_inflight", "web-2")
		last := s.Points[len(s.Points)-2]
		s.Points = s.Points[:len(s.Points)-1]
		for i := range 6 {
			s.Points = append(s.Points, record.Point{At: last.At + time.Duration(i+1)*time.Second, Value: 3})
		}
	}, verdict.Fail, "frozen-gauge", "fullstack.inflight of web-2 still has 5 points after its death at 10.5 s, the last 3 at 17.1 s"},
	{"a last request that no instance answered", func(t *testing.T, h *record.History) {
		r := &h.Requests[len(h.Requests)-1]
		r.Outcome, r.Instance, r.Status = record.Unknown, "", 504
		for _, instance := range []string{"web-3", "web-4"} {
			s := seriesOf(t, *h, "fullstack_inflight", instance)
			for k := len(s.Points) - 4; k < len(s.Points); k++ {
				s.Points[k].Value = 1
			}
		}
	}, verdict.Inconclusive, "", "gauge fullstack.inflight: no instance was seen at rest, so nobody knows whether it comes back to 0"},
	{"a last request that was answered with 404", func(_ *testing.T, h *record.History) {
		r := &h.Requests[len(h.Requests)-1]
		r.Outcome, r.Status = record.Unknown, 404
	}, verdict.Pass, "", "gauge fullstack.inflight: 67 points of 4 instances, never above what users had in flight, 0 at rest in each of 2 instances, none from the dead"},
	{"one request was not answered, and many look open", func(t *testing.T, h *record.History) {
		left := 50
		for i := range h.Requests { // of long before, or else the gauge would be above what there was
			if r := &h.Requests[i]; r.Sent > 8*time.Second && left > 0 || i == len(h.Requests)-1 {
				r.Outcome, r.Instance, r.Status = record.Unknown, "", 0
				left--
			}
		}
		s := seriesOf(t, *h, "fullstack_inflight", "web-3")
		for k := len(s.Points) - 4; k < len(s.Points); k++ {
			s.Points[k].Value = 40
		}
	}, verdict.Fail, "drifting-gauge", "fullstack.inflight of web-3 does not come back to 0: the load ended at 26.7 s, and at 29.1 s it is still 40"},
	{"below zero without a sign", func(t *testing.T, h *record.History) {
		seriesOf(t, *h, "fullstack_inflight", "web-3").Points[7].Value = 1 << 64
	}, verdict.Fail, "drifting-gauge", "fullstack.inflight of web-3 is too high at 1 point: 1.8446744073709552e+19 at 10.1 s, when its users had at most 9 requests in flight"},
	{"not sent by one", func(t *testing.T, h *record.History) {
		s := seriesOf(t, *h, "fullstack_inflight", "web-4")
		s.Meta.Sent = "fullstack.other"
	}, verdict.Inconclusive, "no-metric", "web-4 acknowledged 823 requests and never sent fullstack.inflight: nobody knows what it would have shown"},
	{"not sent", func(_ *testing.T, h *record.History) {
		drop(h, func(s record.Series) bool { return s.Name == "fullstack_inflight" })
	}, verdict.Inconclusive, "", "gauge fullstack.inflight: no instance sent it, so nothing was looked at"},
	{"nobody left to come to rest", func(_ *testing.T, h *record.History) {
		h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == record.LoadEnd })
	}, verdict.Inconclusive, "", "gauge fullstack.inflight: no instance was seen at rest, so nobody knows whether it comes back to 0"},
	{"each is possible, but not all at once", func(t *testing.T, h *record.History) {
		n := 0
		for i := range h.Requests { // twenty requests that anybody may have had
			if r := &h.Requests[i]; r.Sent > 8*time.Second && n < 20 {
				r.Outcome, r.Instance, r.Status = record.Unknown, "", 0
				n++
			}
		}
		for _, instance := range []string{"web-1", "web-3"} {
			s := seriesOf(t, *h, "fullstack_inflight", instance)
			for k := range s.Points {
				if at := s.Points[k].At; at > 14*time.Second && at < 15200*time.Millisecond {
					s.Points[k].Value = 33
				}
			}
		}
	}, verdict.Fail, "drifting-gauge", "the sum of fullstack.inflight over the living is 66 at 15.1 s, when users had at most 57 requests in flight"},
}

// lastUnknown makes some requests at web-3 last, and the gauge not know of them.
func lastUnknown(h *record.History) {
	n := 0
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Instance == "web-3" && r.Sent > 12*time.Second && n < 6 {
			r.Done = r.Sent + 4*time.Second
			n++
		}
	}
}

// Requests that last need not be in the gauge of an application that lets them
// queue, nor in that of an instance that stood still when they came.
func TestGaugeOfWhatCouldNotBeTakenUp(t *testing.T) {
	for name, c := range map[string]struct {
		checks string
		freeze []record.Event
	}{
		"queues": {strings.Replace(gaugeCheck, "unqueued: yes", "unqueued: no", 1), nil},
		"frozen": {gaugeCheck, []record.Event{
			{At: 12 * time.Second, Kind: record.FaultBegin, Fault: script.Freeze{}.Name(), Instance: "web-3"},
			{At: 16 * time.Second, Kind: record.FaultEnd, Fault: script.Freeze{}.Name(), Instance: "web-3", Count: 1},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := talk()
			p.checks = c.checks
			h := p.make()
			lastUnknown(&h)
			h.Events = append(h.Events, c.freeze...)
			for _, f := range judged(t, h).Findings {
				if f.Check == "gauge" && f.Outcome != verdict.Pass {
					t.Errorf("%s", f.Summary)
				}
			}
		})
	}
}

// When what they waited for goes on, an instance answers all requests at once, and their
// users have the answers later. The same gauge is too low where nothing went on.
func TestGaugeAfterAHeal(t *testing.T) {
	for name, c := range map[string]struct {
		healed time.Duration
		want   verdict.Outcome
	}{
		"just before": {14500 * time.Millisecond, verdict.Pass},
		"long before": {11500 * time.Millisecond, verdict.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			p := talk()
			p.checks = gaugeCheck
			h := p.make()
			lastUnknown(&h)
			for i := range h.Requests {
				if r := &h.Requests[i]; r.Done-r.Sent == 4*time.Second {
					r.Done = 15700 * time.Millisecond // the point after the heal is at 15.1 s
				}
			}
			for k, p := range seriesOf(t, h, "fullstack_inflight", "web-3").Points {
				if p.At > 12*time.Second && p.At < 15*time.Second {
					seriesOf(t, h, "fullstack_inflight", "web-3").Points[k].Value += 6
				}
			}
			h.Events = append(h.Events,
				record.Event{At: 11 * time.Second, Kind: record.FaultBegin, Fault: "freeze-database"},
				record.Event{At: c.healed, Kind: record.FaultEnd, Fault: "freeze-database", Count: 1})
			for _, f := range judged(t, h).Findings {
				if f.Check == "gauge" && f.Outcome != c.want {
					t.Errorf("%v, want %v: %s", f.Outcome, c.want, f.Summary)
				}
			}
		})
	}
}

func TestGauge(t *testing.T) {
	for _, c := range gaugeCases {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = gaugeCheck
			h := p.make()
			c.change(t, &h)
			var got []verdict.Finding
			for _, f := range judged(t, h).Findings {
				if f.Check == "gauge" {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Cause != c.cause || got[0].Summary != c.want {
				t.Errorf("%+v\nwant %v %s %s", got, c.outcome, c.cause, c.want)
			}
		})
	}
}

// TestGaugeFindsWhatWasPutIn lets the gauge of one instance drift from some
// moment on: up by what users cannot have had, or below zero.
func TestGaugeFindsWhatWasPutIn(t *testing.T) {
	found := 0
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 29))
		p := anyPlan(seed)
		p.checks = gaugeCheck
		if p.window != 0 {
			p.checks = "  - gauge: {metric: fullstack.inflight, at_rest: 0, unqueued: yes, client_window: " + p.window.String() + "}\n"
		}
		w := p.world()
		b := w.beings[rnd.IntN(len(w.beings))]
		wrong := rnd.IntN(3) > 0
		if len(b.open) < 20 {
			continue
		}
		if wrong {
			by := []float64{-3000, 3000}[rnd.IntN(2)]
			s := seriesOf(t, w.h, "fullstack_inflight", b.name)
			from := rnd.IntN(len(s.Points))
			measured := slices.ContainsFunc(s.Points[from:], func(p record.Point) bool { return p.Measured() })
			if !measured {
				continue
			}
			for k := from; k < len(s.Points); k++ {
				s.Points[k].Value += by
			}
		}
		fails := 0
		for _, f := range judged(t, w.h).Findings {
			if f.Check != "gauge" || f.Outcome != verdict.Fail {
				continue
			}
			fails++
			if !wrong || f.Instance != b.name || f.Cause != verdict.CauseDrift {
				t.Fatalf("seed %d: wrong is %v of %s: %s", seed, wrong, b.name, f.Summary)
			}
		}
		if wrong && fails == 0 {
			t.Fatalf("seed %d: %s drifted and nothing was found", seed, b.name)
		}
		found += min(1, fails)
	}
	if found < histories/3 {
		t.Errorf("only %d were found", found)
	}
}
