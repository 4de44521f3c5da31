package check

import (
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// inWords has the steps of a made-up run name nobody: the journal tells who it was.
func inWords(kill, terminate string) record.History {
	h := talk().make()
	words := strings.NewReplacer("kill: web-2", "kill: "+kill, "terminate: web-1", "terminate: "+terminate)
	h.Scenario = []byte(words.Replace(string(h.Scenario)))
	for i := range h.Events {
		e := &h.Events[i]
		switch e.Step {
		case "kill web-2":
			e.Step = "kill " + kill
			if e.Kind == record.StepEnd {
				e.Instance = "web-2"
			}
		case "terminate web-1":
			e.Step = "terminate " + terminate
			if e.Kind == record.StepEnd {
				e.Instance = "web-1"
			}
		}
	}
	return h
}

// TestMovesOnWhoeverItIs: of a step that names nobody the journal must tell who it was, and that must be true.
func TestMovesOnWhoeverItIs(t *testing.T) {
	h := inWords("any", "oldest")
	says(t, judged(t, h), "efficacy", verdict.Pass, "3 steps took effect: kill any (SIGKILL at 10.5 s, gone at 10.5 s, down at 10.8 s); launch 1 (web-4 serving at 18.9 s); "+
		"terminate oldest (web-1 drained at 19.0 s, SIGTERM at 19.1 s, gone at 19.2 s)")

	const no = "the fault did not take effect: "
	for _, c := range []struct {
		kill, terminate string
		change          func(h *record.History)
		want            string
	}{
		{"newest", "oldest", func(*record.History) {}, no + "kill newest: web-2 was not the newest at 10.5 s: web-3 served all along"},
		{"oldest", "oldest", func(*record.History) {}, no + "kill oldest: web-2 was not the oldest at 10.5 s: web-1 served all along"},
		{"any", "newest", func(*record.History) {}, no + "terminate newest: web-1 was not the newest at 19.0 s: web-3 served all along"},
		{"any", "oldest", changing(record.StepEnd, "kill any", func(e *record.Event) { e.Instance = "" }), no + "kill any: the journal does not tell for whom any stood"},
		{"any", "oldest", changing(record.StepEnd, "kill any", func(e *record.Event) { e.Instance = "web-3" }), no + "kill any: web-3 was never sent SIGKILL"},
		{"any", "oldest", without(record.Down, "web-2"), no + "kill any: web-2 was gone at 10.5 s, and the load balancer never marked it down"},
	} {
		h := inWords(c.kill, c.terminate)
		c.change(&h)
		if got := said(judged(t, h), "efficacy", verdict.Inconclusive); len(got) != 1 || got[0] != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}

	// Who is on its way out is not the newest any more.
	h = inWords("newest", "oldest")
	h.Events = append(h.Events, record.Event{Kind: record.Draining, Instance: "web-3", Role: record.Web, At: 10 * time.Second})
	if got := said(judged(t, h), "efficacy", verdict.Inconclusive); len(got) != 0 {
		t.Errorf("while the newer one was being drained: %q", got)
	}
}
