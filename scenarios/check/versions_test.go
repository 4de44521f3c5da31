package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// released is a run in which v2 is deployed, and v1 comes back: web-1 to web-3, web-4 to web-6, web-7 to web-9.
func released() plan {
	return plan{seed: 1, instances: 3, rate: 200, swing: 0.4, window: time.Second, phases: []act{
		{"before", nil, 8 * time.Second},
		{"release", []string{"deploy v2"}, 10 * time.Second},
		{"back", []string{"rollback v1"}, 10 * time.Second},
	}, checks: `  - conservation: {metric: fullstack.insert, route: insert, client_window: 1s}
` + strings.ReplaceAll(nestingCheck, "100ms", "1s")}
}

// missing lets each nth request of a version's instances go uncounted.
func missing(nth int, instances ...string) func(string, int, time.Duration) int64 {
	return func(instance string, n int, _ time.Duration) int64 {
		if slices.Contains(instances, instance) && n%nth == 0 {
			return 0
		}
		return 1
	}
}

func TestVersionsAreCompared(t *testing.T) {
	p := released()
	p.counts = missing(10, "web-4", "web-5", "web-6")
	v := judged(t, p.make())
	if v.Outcome != verdict.Fail || len(v.WebVersions) != 2 {
		t.Fatalf("%v, %+v", v.Outcome, v.WebVersions)
	}
	v1, v2 := v.WebVersions[0], v.WebVersions[1]
	want := verdict.Version{Version: "v1", Metric: "fullstack.insert", Route: "insert", Instances: []string{"web-1", "web-2", "web-3", "web-7", "web-8", "web-9"}}
	want.Acked, want.Counted = v1.Acked, v1.Acked
	if diff := cmp.Diff(want, v1); diff != "" || v1.Acked < 1000 {
		t.Errorf("v1 acknowledged %d (-want +got):\n%s", v1.Acked, diff)
	}
	if !slices.Equal(v2.Instances, []string{"web-4", "web-5", "web-6"}) || v2.Acked-v2.Counted != v2.Lost || v2.Lost != v2.Unexplained || v2.Extra != 0 ||
		v2.Lost < v2.Acked/12 || v2.Lost > v2.Acked/9 {
		t.Errorf("%+v", v2)
	}
	e := v.Explanations[0]
	if !strings.HasSuffix(e.Title, " (v2 only)") || !strings.Contains(e.Sentence, "It concerns the 3 instances of v2 alone; v1 is exact.") || e.Cause != "not-counted" {
		t.Errorf("%s: %s (%s)", e.Title, e.Sentence, e.Cause)
	}
	if v.Title != e.Title || !strings.Contains(v.Sentence, "v1 is exact") {
		t.Errorf("%s: %s", v.Title, v.Sentence)
	}
}

// A healthy release compares the versions too, and says of none that it is to blame; a run without versions compares
// nothing.
func TestVersionsWithoutADefect(t *testing.T) {
	v := judged(t, released().make())
	if v.Outcome != verdict.Pass || len(v.WebVersions) != 2 || strings.Contains(v.Title+v.Sentence, "only") {
		t.Errorf("%v %s: %s\n%+v", v.Outcome, v.Title, v.Sentence, v.WebVersions)
	}
	if want := "v2 was deployed, v1 was rolled back to, and "; !strings.HasPrefix(v.Sentence, want) {
		t.Errorf("%q, want %q", v.Sentence, want)
	}
	for _, one := range v.WebVersions {
		if one.Lost+one.Extra+one.Unexplained != 0 || one.Acked != one.Counted || one.Acked == 0 {
			t.Errorf("%+v", one)
		}
	}
	if v := judged(t, talk().make()); v.WebVersions != nil {
		t.Errorf("without versions: %+v", v.WebVersions)
	}
}

// The label of the version is the collector's own; a client that claims to be of another one is found.
func TestTheVersionIsPartOfTheIdentity(t *testing.T) {
	p := released()
	p.checks += identityCheck
	h := p.make()
	if got := said(judged(t, h), "identity", verdict.Pass); len(got) != 1 {
		t.Errorf("identity passes %q", got)
	}
	for i := range h.Series {
		for k, l := range h.Series[i].Labels {
			if l.Name == "exported_version" && h.Series[i].Labels.Get("instance") == "web-5" {
				h.Series[i].Labels[k].Value = "v1"
			}
		}
	}
	if got := said(judged(t, h), "identity", verdict.Fail); len(got) != 1 || got[0] != "what web-5 sends says version:v1, and it is version:v2" {
		t.Errorf("identity fails %q", got)
	}
}

// A loss at each exit is of v2 alone when v1's exits had something to lose and lost nothing.
func TestALossAtExitOfOneVersion(t *testing.T) {
	p := released()
	p.leaky, p.window = "v2", 2*time.Second
	p.checks = `  - conservation: {metric: fullstack.insert, route: insert, client_window: 2s}` + "\n"
	p.seed = 4 // an exit of v2 lost nothing either: three of v1 may have been as lucky
	if e := judged(t, p.make()).Explanations[0]; e.Cause != "lost-on-exit" || strings.Contains(e.Title+e.Sentence, "v1") {
		t.Errorf("although v1 may have been lucky: %s: %s", e.Title, e.Sentence)
	}
	leaky := p
	leaky.noFlush = true
	for leaky.seed = 1; leaky.seed < 5; leaky.seed++ {
		if v := judged(t, leaky.make()); strings.Contains(v.Title+v.Sentence, "only)") {
			t.Errorf("both versions lose: %s: %s", v.Title, v.Sentence)
		}
	}
	p.seed = 2
	v := judged(t, p.make())
	e := v.Explanations[0]
	if e.Cause != "lost-on-exit" || !strings.HasSuffix(e.Title, " (v2 only)") || !strings.Contains(e.Sentence, "the 3 instances of v2 alone; v1 is exact") {
		t.Errorf("%s: %s (%s)", e.Title, e.Sentence, e.Cause)
	}
	// v1 is never asked to end: it had no chance.
	h := p.make()
	for i, ev := range h.Events {
		if ev.Kind == record.Signalled && slices.Contains([]string{"web-1", "web-2", "web-3"}, ev.Instance) {
			h.Events[i].Signal = "SIGKILL"
		}
	}
	if e := judged(t, h).Explanations[0]; strings.Contains(e.Title+e.Sentence, "only") || strings.Contains(e.Sentence, "alone") {
		t.Errorf("although no exit of v1 could show it: %s: %s", e.Title, e.Sentence)
	}
}

// A canary is the only one of its version, and is found as well.
func TestACanaryIsToBlame(t *testing.T) {
	p := released()
	p.phases[1].steps, p.phases[2].steps = []string{"deploy v2, canary: 1"}, nil
	p.counts = missing(8, "web-4")
	v := judged(t, p.make())
	e := v.Explanations[0]
	if !strings.HasPrefix(e.Title, "web-4 ") || !strings.HasSuffix(e.Title, " (v2 only)") || !strings.Contains(e.Sentence, "It concerns the one instance of v2 alone; v1 is exact.") {
		t.Errorf("%s: %s (%s)", e.Title, e.Sentence, e.Cause)
	}
}

// Where the cause is open, all that it may be must have had the chance.
func TestAnOpenCauseOfOneVersion(t *testing.T) {
	p := released()
	p.checks = `  - conservation: {metric: fullstack.insert, route: insert, client_window: 1s}` + "\n"
	p.counts = missing(10, "web-4", "web-5", "web-6")
	if e := judged(t, p.make()).Explanations[0]; e.Cause != "undecided" || !strings.Contains(e.Sentence, "It concerns the 3 instances of v2 alone; v1 is exact.") {
		t.Errorf("%s: %s (%s)", e.Title, e.Sentence, e.Cause)
	}
}

// Where it is not of one version, or the other had too few requests to show it, nothing is said.
func TestNothingIsSaidOfVersions(t *testing.T) {
	both := released()
	both.counts = missing(10, "web-2", "web-4", "web-5", "web-6")
	rare := released() // one in 400 of v2's, and v1 has but a few hundred
	rare.rate, rare.phases[0].long = 60, 2*time.Second
	rare.phases = rare.phases[:2]
	rare.counts = missing(150, "web-4", "web-5", "web-6")
	unversioned := released()
	unversioned.phases[1].steps, unversioned.phases[2].steps = []string{"replace all"}, nil
	unversioned.counts = missing(10, "web-4", "web-5", "web-6")
	for name, p := range map[string]plan{"both": both, "rare": rare, "no versions": unversioned} {
		v := judged(t, p.make())
		if v.Outcome != verdict.Fail {
			t.Errorf("%s: %v", name, v.Outcome)
		}
		for _, e := range v.Explanations {
			if strings.Contains(e.Title, "only") || strings.Contains(e.Sentence, "alone") {
				t.Errorf("%s: %s: %s", name, e.Title, e.Sentence)
			}
		}
	}
}

// Efficacy asks of a deploy that the new came and the old went.
func TestEfficacyOfDeploys(t *testing.T) {
	p := released()
	p.phases[1].steps = []string{"deploy v2, canary: 1", "deploy v2"}
	h := p.make()
	if got := said(judged(t, h), "efficacy", verdict.Pass); len(got) != 1 || !strings.Contains(got[0], "3 steps took effect: deploy v2, canary: 1 (web-4 of v2 serving at ") {
		t.Errorf("%q", got)
	}
	without := func(kind record.Kind, instance string) func(*record.History) {
		return func(h *record.History) {
			h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == kind && e.Instance == instance })
		}
	}
	for _, c := range []struct {
		change func(*record.History)
		step   string
		want   string
	}{
		{without(record.Serving, "web-4"), "deploy v2, canary: 1", "web-4 was born at "},
		{without(record.Birth, "web-4"), "deploy v2, canary: 1", "0 of 1 instances of version v2 came to serve"},
		{without(record.Draining, "web-1"), "deploy v2, canary: 1", "0 of 1 instances of other versions were terminated"},
		{without(record.Death, "web-2"), "deploy v2", "web-2 got SIGTERM at "},
		{without(record.Draining, "web-3"), "deploy v2", "web-3 was not drained"},
		{without(record.Birth, "web-6"), "deploy v2", "1 of 2 instances of version v2 came to serve"},
		{func(h *record.History) {
			for i := range h.Events {
				if e := &h.Events[i]; e.Kind == record.Birth && e.Instance == "web-8" {
					e.Version = "v2"
				}
			}
		}, "rollback v1", "2 of 3 instances of version v1 came to serve"},
		{func(h *record.History) {
			for i := range h.Events {
				if e := &h.Events[i]; e.Kind == record.Birth && e.Instance == "web-8" {
					e.Version = "v2"
				}
			}
		}, "rollback v1", `web-8 of version "v2" still serves`},
	} {
		h := p.make()
		c.change(&h)
		got := said(judged(t, h), "efficacy", verdict.Inconclusive)
		if want := fmt.Sprintf("the fault did not take effect: %s: %s", c.step, c.want); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A version that is somebody else's program may count the probes that ask whether it serves.
func TestAForeignVersionMayCountProbes(t *testing.T) {
	h := released().make()
	allowed := func(h record.History) int64 { return evidence.New(h, mustParse(h)).Flights(0).Most("web-4", 0, 0) }
	own := allowed(h)
	h.Scenario = []byte(strings.Replace(string(h.Scenario), "{deploy: v2}", "{deploy: {version: v2, command: [shop]}}", 1))
	if foreign := allowed(h); foreign != own+2 {
		t.Errorf("a foreign version may have %d more in flight, want 2", foreign-own)
	}
}
