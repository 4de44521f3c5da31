package gallery

import (
	"strings"
	"testing"
	"time"
)

// What a client holds is declared wherever it is asked about.
func TestStageDeclaresItsClient(t *testing.T) {
	for name, c := range map[string]struct {
		stage Stage
		has   []string
		not   []string
	}{
		"as ever": {Stage{}, []string{"web: {instances: 3}\n", "max_gap: 2s}", "client_window: 100ms, status: 2xx}", "unqueued: yes, client_window: 100ms}", "failures: {at_most: 0}"},
			[]string{"env", "sample_rate", "shutdown"}},
		"batched": {Stage{Batch: 5 * time.Second, Steps: []string{"kill: web-2"}},
			[]string{"env: {STATSD_AGGREGATION: 5s}}\n", "max_gap: 7s}", "client_window: 5.1s, status: 2xx}", "unqueued: yes, client_window: 5.1s}", "route: insert, client_window: 5.1s}", "shutdown"}, nil},
		"held by a defect": {Stage{Defect: "wrapping-count", Holds: time.Second},
			[]string{"defect: wrapping-count}\n", "max_gap: 3s}", "client_window: 1.1s, status: 2xx}"}, []string{"env"}},
		"sampled":      {Stage{Sampled: 0.5}, []string{"env: {STATSD_SAMPLE_RATE: 0.5}}\n", "status: 2xx, sample_rate: 0.5}"}, []string{"AGGREGATION"}},
		"slow to stop": {Stage{StopTakes: 4 * time.Second}, []string{"env: {STOP_TAKES: 4s}}\n"}, nil},
		"failing":      {databaseOutage(8), []string{"for: 8s", "heal: freeze-database"}, []string{"failures"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.stage.Scenario("stage")
			for _, has := range c.has {
				if !strings.Contains(text, has) {
					t.Errorf("no %q in\n%s", has, text)
				}
			}
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%q in\n%s", not, text)
				}
			}
		})
	}
}
