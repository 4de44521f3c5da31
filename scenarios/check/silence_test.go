package check

import (
	"fmt"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// starved is a run in which web-2 got no CPU for 300 ms before it was killed at 10.8 s, and the
// journal knows nothing of that. Its client kept to its window of 100 ms while it ran.
func starved(all bool) record.History {
	p := talk()
	p.rate, p.seed = 200, 3
	p.checks = "  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}\n"
	p.phases[1].steps = []string{"starve web-2", "kill web-2"}
	if all {
		p.phases[1].steps[0] = "starve all"
	}
	return p.make()
}

// starvedKill is when web-2 is killed in it.
const starvedKill = 10805 * time.Millisecond

// spare is how many more than it lost a kill may have taken.
func spare(t *testing.T, h record.History) float64 {
	for _, r := range judged(t, h).Residuals {
		if r.Instance == "web-2" && r.Cause == verdict.CauseBuffer {
			return float64(r.Bound - r.Lost)
		}
	}
	t.Fatal("the kill took nothing")
	return 0
}

// rewrite changes each of the users' requests that fits.
func rewrite(h *record.History, fits func(r *record.Request) bool, to func(r *record.Request)) {
	for i := range h.Requests {
		if r := &h.Requests[i]; fits(r) {
			to(r)
		}
	}
}

// A process that gets no CPU sends nothing and answers nothing: what its client held when
// that began, a kill takes. That is one window's worth, as of any other, and no more.
func TestAKillOfAnInstanceThatDidNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(h *record.History)
		want   verdict.Outcome
	}{
		{"what the client held", func(*record.History) {}, verdict.Pass},
		{"as much as fits", func(h *record.History) { shift(*h, "fullstack_insert_total", "web-2", 11*time.Second, -spare(t, *h)) }, verdict.Pass},
		{"one more than fits", func(h *record.History) { shift(*h, "fullstack_insert_total", "web-2", 11*time.Second, -spare(t, *h)-1) }, verdict.Fail},
		{"no request waited for it", func(h *record.History) {
			rewrite(h, func(r *record.Request) bool { return r.Err != "" }, func(r *record.Request) { r.Due, r.Sent = starvedKill, starvedKill })
		}, verdict.Fail},
		{"it answered until the kill", func(h *record.History) {
			begun := starvedKill - starvedFor
			rewrite(h, func(r *record.Request) bool {
				return r.Instance == "web-2" && r.Route == "get" && r.Done < begun && r.Done > begun-time.Second
			},
				func(r *record.Request) { r.Done = starvedKill - time.Millisecond })
		}, verdict.Fail},
		{"it is always as slow", func(h *record.History) {
			rewrite(h, func(r *record.Request) bool { return r.Instance == "web-2" && r.Sent > 3*time.Second && r.Seq%10 == 0 },
				func(r *record.Request) { r.Sent -= 400 * time.Millisecond; r.Due -= 400 * time.Millisecond })
		}, verdict.Fail},
		{"nobody else answered either", func(h *record.History) { *h = starved(true) }, verdict.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := starved(false)
			c.change(&h)
			got := verdict.Pass
			for _, f := range judged(t, h).Findings {
				if f.Check == "conservation" && f.Instance == "web-2" {
					got = f.Outcome
				}
			}
			if got != c.want {
				t.Errorf("%v, want %v: %s", got, c.want, fmt.Sprint(judged(t, h).Findings))
			}
		})
	}
}
