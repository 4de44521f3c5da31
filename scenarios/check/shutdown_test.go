package check

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const shutdownCheck = "  - shutdown: {metric: fullstack.insert, route: insert}\n"

func TestShutdown(t *testing.T) {
	const name = "fullstack_insert_total"
	for _, c := range []struct {
		name     string
		plan     func(*plan)
		change   func(*record.History)
		instance string
		outcome  verdict.Outcome
		cause    string
		want     string
	}{
		{"SIGTERM", func(*plan) {}, func(*record.History) {}, "web-1", verdict.Pass, "", "web-1 got SIGTERM at 19.1 s and lost 0 of 1,242 inserts that it had acknowledged"},
		{"SIGKILL", func(*plan) {}, func(*record.History) {}, "web-2", verdict.Pass, "", "web-2 got SIGKILL at 10.5 s and lost 2 of 479 inserts that it had acknowledged, of at most 7: those of its last 100ms"},
		{"not flushed on exit", func(p *plan) { p.noFlush, p.holding = true, 2*time.Second }, func(*record.History) {}, "web-1", verdict.Fail, "lost-on-exit", "web-1 got SIGTERM at 19.1 s and lost 80 of 1,242 inserts that it had acknowledged; web-1 got SIGTERM at 19.1 s: the client was not flushed on exit"},
		{"one lost on exit", func(*plan) {}, func(h *record.History) { shift(*h, name, "web-1", 19*time.Second, -1) }, "web-1", verdict.Fail, "lost-on-exit", "web-1 got SIGTERM at 19.1 s and lost 1 of 1,242 inserts that it had acknowledged; web-1 got SIGTERM at 19.1 s: the client was not flushed on exit"},
		{"the last window twice", func(*plan) {}, func(h *record.History) { shift(*h, name, "web-1", 19*time.Second, 9) }, "web-1", verdict.Fail, "undecided", "web-1 got SIGTERM at 19.1 s and lost 0 of 1,242 inserts that it had acknowledged, but it counted 9 more than it had; the record does not tell whether it is last-window-twice or counted-twice or datagrams-duplicated (if last-window-twice: they came after it got SIGTERM at 19.1 s: what had been sent was sent again); a timer of the same requests would tell (a nesting check that names it)"},
		{"a larger buffer", func(p *plan) { p.holding = 2 * time.Second }, func(*record.History) {}, "web-2", verdict.Fail, "client-buffer-larger-than-declared", "web-2 got SIGKILL at 10.5 s and lost 34 of 479 inserts that it had acknowledged, of at most 7: those of its last 100ms; web-2 was killed at 10.5 s and the client had held back 0.7 s, more than the 100ms declared as client_window"},
		{"missing long before the kill", func(*plan) {}, func(h *record.History) { shift(*h, name, "web-2", 6500*time.Millisecond, -60) }, "web-2", verdict.Fail, "undecided", "web-2 got SIGKILL at 10.5 s and lost 62 of 479 inserts that it had acknowledged, of at most 7: those of its last 100ms; the record does not tell whether it is datagrams-lost or burst (if datagrams-lost: evenly, about 1 in 8 is missing: datagrams are lost); a timer of the same requests would tell (a nesting check that names it)"},
		{"killed just after it had sent what it held", func(p *plan) { p.holding = 2200 * time.Millisecond; p.seed = 9 }, func(h *record.History) {
			s := &h.Series[slices.IndexFunc(h.Series, func(s record.Series) bool { return s.Name == name && s.Labels.Get("instance") == "web-2" })]
			for k := range s.Points[:len(s.Points)-2] { // always behind, but for the end
				s.Points[k].Value = max(0, s.Points[k].Value-60)
			}
			n := 0
			for _, r := range h.Requests {
				if r.Instance == "web-2" && r.Route == "insert" {
					n++
				}
			}
			s.Points[len(s.Points)-2].Value = float64(n - 2)
		}, "web-2", verdict.Fail, "client-buffer-larger-than-declared", "web-2 got SIGKILL at 10.5 s and lost 2 of 459 inserts that it had acknowledged, of at most 4: those of its last 100ms; shortly before its SIGKILL 69 counts were missing that were older than the 100ms declared as client_window, and some came later: the client holds back longer"},
		{"a busy machine", func(*plan) {}, func(h *record.History) {
			shift(*h, name, "web-2", 10500*time.Millisecond, -9)
			i := slices.IndexFunc(h.Requests, func(r record.Request) bool { return r.Due > 10400*time.Millisecond })
			h.Requests[i].Due -= 200 * time.Millisecond
		}, "web-2", verdict.Inconclusive, "flush-late-on-busy-machine", "web-2 got SIGKILL at 10.5 s and lost 11 of 479 inserts that it had acknowledged, of at most 7: those of its last 100ms; the machine was 207ms late then, and with that they fit"},
		{"dropped by the collector", func(*plan) {}, func(h *record.History) {
			shift(*h, name, "web-1", 19*time.Second, -4)
			tell(h, record.Event{At: 18 * time.Second, Kind: record.Trouble, About: "collector", Count: 1})
		}, "web-1", verdict.Inconclusive, "collector-dropped", "web-1 got SIGTERM at 19.1 s and lost 4 of 1,242 inserts that it had acknowledged, but the collector's socket dropped datagrams: they may have been lost there"},
		{"sampled", func(p *plan) { p.rare = 0.5 }, func(*record.History) {}, "web-1", verdict.Inconclusive, "", "web-1 sends fullstack.insert sampled: what its shutdown lost cannot be told from what sampling left out"},
		{"nothing to lose", func(*plan) {}, func(h *record.History) {
			h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Instance == "web-1" })
		}, "web-1", verdict.Inconclusive, "", "web-1 got SIGTERM at 19.1 s and had acknowledged no insert: its shutdown had nothing to lose"},
		{"nobody ended", func(p *plan) { p.phases = p.phases[:1] }, func(*record.History) {}, "", verdict.Inconclusive, "", "shutdown: no instance was ended, so nothing was looked at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = shutdownCheck
			c.plan(&p)
			h := p.make()
			c.change(&h)
			var got []verdict.Finding
			for _, f := range judged(t, h).Findings {
				if f.Check == "shutdown" && f.Instance == c.instance {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Cause != c.cause || got[0].Summary != c.want {
				t.Errorf("%+v\nwant %v %s %s", got, c.outcome, c.cause, c.want)
			}
		})
	}
}

// TestShutdownFindsWhatWasPutIn takes counts away from instances that were
// ended, at their end: one that was asked to end may lose none, one that was
// killed what the users' ledger allows and not one more.
func TestShutdownFindsWhatWasPutIn(t *testing.T) {
	found, allowed := 0, 0
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 31))
		p := anyPlan(seed)
		p.checks = fmt.Sprintf("  - shutdown: {metric: fullstack.insert, route: insert, client_window: %s}\n", p.window)
		w := p.world()
		k := slices.IndexFunc(w.beings, func(b *being) bool { return b.signal != "" && len(b.arrivals) > 10 })
		if k < 0 {
			continue
		}
		b := w.beings[k]
		before := shutdownOf(t, judged(t, w.h), b.name)
		take := int64(rnd.IntN(12))
		last := b.arrivals[len(b.arrivals)-1].at
		shift(w.h, "fullstack_insert_total", b.name, last, -float64(take))
		f := shutdownOf(t, judged(t, w.h), b.name)
		counted := lastCount(seriesOf(t, w.h, "fullstack_insert_total", b.name))
		acked := len(evidence.New(w.h, mustParse(w.h)).Acked(b.name, "insert"))
		if before.Outcome != verdict.Pass || f.Lost != max(0, int64(acked)-int64(math.Round(counted))) {
			t.Fatalf("seed %d: %d taken: before %+v, then %+v", seed, take, before, f)
		}
		if want := f.Lost > f.Bound; want != (f.Outcome == verdict.Fail) {
			t.Fatalf("seed %d: %s lost %d of at most %d: %+v", seed, b.signal, f.Lost, f.Bound, f)
		}
		if f.Outcome == verdict.Fail {
			found++
		} else {
			allowed++
		}
	}
	if found < histories/10 || allowed < histories/10 {
		t.Errorf("%d found, %d allowed", found, allowed)
	}
}

// TestShutdownOfASampledMetric: sampling that was declared is no reason to leave
// a shutdown open, and hides no loss that is greater than its interval.
func TestShutdownOfASampledMetric(t *testing.T) {
	outcomes := map[verdict.Outcome]int{}
	for seed := range uint64(histories / 4) {
		rnd := rand.New(rand.NewPCG(seed, 73))
		rate := []float64{0.1, 0.5, 0.9}[rnd.IntN(3)]
		p := talk()
		p.seed, p.rare = seed, rate
		p.checks = fmt.Sprintf("  - conservation: {metric: fullstack.insert, route: insert, sample_rate: %g, confidence: 0.99999}\n%s", rate, shutdownCheck)
		p.counts = func(string, int, time.Duration) int64 {
			if rnd.Float64() < rate {
				return 1
			}
			return 0
		}
		h := p.make()
		for _, name := range []string{"web-1", "web-2"} {
			if f := shutdownOf(t, judged(t, h), name); f.Outcome != verdict.Pass || f.Bound == 0 {
				t.Fatalf("seed %d: %s: %s", seed, f.Outcome, f.Summary)
			}
		}
		bound := shutdownOf(t, judged(t, h), "web-1").Bound
		// More than twice the width is lost at the end, in whole measurements.
		lost := math.Ceil(2.2*float64(bound)*rate) / rate
		shift(h, "fullstack_insert_total", "web-1", 19*time.Second, -lost)
		shift(h, "fullstack_insert_sampled_total", "web-1", 19*time.Second, -lost*rate)
		f := shutdownOf(t, judged(t, h), "web-1")
		outcomes[f.Outcome]++
		if counted := lastCount(seriesOf(t, h, "fullstack_insert_total", "web-1")); counted < 0 {
			continue // more than there was
		}
		if f.Outcome != verdict.Fail || f.Lost == 0 || f.Cause == "" {
			t.Fatalf("seed %d: %g lost of a bound of %d at %g: %s: %s", seed, lost, bound, rate, f.Outcome, f.Summary)
		}
	}
	if outcomes[verdict.Fail] < histories/8 {
		t.Errorf("%v", outcomes)
	}
}

func shutdownOf(t *testing.T, v verdict.Verdict, instance string) verdict.Finding {
	t.Helper()
	for _, f := range v.Findings {
		if f.Check == "shutdown" && f.Instance == instance {
			return f
		}
	}
	t.Fatalf("nothing is said about %s: %+v", instance, v.Findings)
	return verdict.Finding{}
}
