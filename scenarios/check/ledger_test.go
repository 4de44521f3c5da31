package check

import (
	"strings"
	"testing"
	"time"
)

// A client that is given a fiftieth of a CPU may hold what it got fifty times as
// long: how much a SIGKILL takes with it then proves nothing. Without a limit, or
// once it is lifted, it does.
func TestAKillUnderALimit(t *testing.T) {
	for _, c := range []struct {
		steps   []string
		outcome Outcome
		words   string
	}{
		{[]string{"limit web-2, cpus: 0.05", "kill web-2"}, Inconclusive, "its CPU was limited, so that it may have been 1.9s late, and with that they fit"},
		{[]string{"limit web-3, cpus: 0.05", "kill web-2"}, Fail, ""},
		{[]string{"limit web-2, cpus: 0.05", "limit web-2, cpus: 0", "kill web-2"}, Fail, ""},
		{[]string{"kill web-2"}, Fail, ""},
	} {
		p := talk()
		p.checks = allChecks
		p.phases[1].steps = c.steps
		h := p.make()
		shift(h, "fullstack_insert_total", "web-2", 10*time.Second, -60)
		if f := about(t, judged(t, h), "conservation", "web-2", c.outcome); !strings.Contains(f.Summary, c.words) {
			t.Errorf("%v: %s", c.steps, f.Summary)
		}
	}
}
