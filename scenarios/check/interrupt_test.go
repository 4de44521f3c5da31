package check

import (
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// spot is a run in which a cloud takes an instance away, and another one comes.
func spot() plan {
	return plan{seed: 1, instances: 3, rate: 200, swing: 0.4, checks: allChecks + promises, phases: []act{
		{"warm-up", nil, 8 * time.Second},
		{"one is interrupted", []string{"interrupt web-2, notice: 2s", "launch 1"}, 8 * time.Second},
	}}
}

// TestAnInterruptedInstanceIsOneThatWasTerminated: it must lose nothing, and nothing is held against it.
func TestAnInterruptedInstanceIsOneThatWasTerminated(t *testing.T) {
	v := judged(t, spot().make())
	if v.Outcome != verdict.Pass {
		t.Fatalf("%v: %v", v.Outcome, v.Findings)
	}
	says(t, v, "efficacy", verdict.Pass, "2 steps took effect: interrupt web-2, notice: 2s (web-2 given notice at 10.5 s, told at 10.9 s, drained at 10.5 s, "+
		"SIGTERM at 12.5 s, gone at 12.6 s); launch 1 (web-4 serving at 13.0 s)")
	lossy := spot()
	lossy.noFlush, lossy.holding = true, 1500*time.Millisecond // longer than the notice, so that it does not help
	lossy.phases[1].steps[0] = "interrupt web-2, notice: 200ms"
	v = judged(t, lossy.make())
	if f := about(t, v, "shutdown", "web-2", verdict.Fail); f.Lost == 0 {
		t.Errorf("one that loses counts as it ends: %+v", f)
	}
}

// TestInterruptionsThatDidNotTakeEffect: without a notice that was served in time the run proves nothing.
func TestInterruptionsThatDidNotTakeEffect(t *testing.T) {
	const no = "the fault did not take effect: interrupt web-2, notice: 2s: web-2 "
	at := func(to time.Duration) func(*record.Event) { return func(e *record.Event) { e.At = to } }
	for _, c := range []struct {
		change func(*record.History)
		want   string
	}{
		{without(record.Noticed, "web-2"), no + "was given no notice"},
		{without(record.Draining, "web-2"), no + "was not drained"},
		{without(record.Death, "web-2"), no + "got SIGTERM at 12.5 s and was not seen to die after it"},
		{changing(record.Noticed, "web-2", func(e *record.Event) { e.Deadline += time.Second }), no + "got SIGTERM at 12.5 s, before the 13.5 s that its notice said"},
		{without(record.Told, "web-2"), no + "asks for notices since 0.8 s, and did not from 10.5 s to 12.5 s, so it knew nothing; want a longer notice than 2s"},
		{changing(record.Told, "web-2", at(12550*time.Millisecond)), no + "asks for notices since 0.8 s, and did not from 10.5 s to 12.5 s, so it knew nothing; want a longer notice than 2s"},
		{func(h *record.History) {
			without(record.Signalled, "web-2")(h)
			without(record.Death, "web-2")(h)
		}, no + "was never sent SIGTERM, and did not end by itself"},
	} {
		h := spot().make()
		c.change(&h)
		actedInVain(t, h, c.want)
	}
}

// TestWhoNeedsNoSignal: an app may ask nobody, and one that is told may end by itself.
func TestWhoNeedsNoSignal(t *testing.T) {
	h := spot().make()
	without(record.Asked, "web-2")(&h)
	without(record.Told, "web-2")(&h)
	says(t, judged(t, h), "efficacy", verdict.Pass, "2 steps took effect: interrupt web-2, notice: 2s (web-2 given notice at 10.5 s, which it does not ask for, drained at 10.5 s, "+
		"SIGTERM at 12.5 s, gone at 12.6 s); launch 1 (web-4 serving at 13.0 s)")
	h = spot().make()
	without(record.Signalled, "web-2")(&h)
	changing(record.Death, "web-2", func(e *record.Event) { e.At = 12 * time.Second })(&h)
	says(t, judged(t, h), "efficacy", verdict.Pass, "2 steps took effect: interrupt web-2, notice: 2s (web-2 given notice at 10.5 s, told at 10.9 s, drained at 10.5 s, "+
		"gone by itself at 12.0 s); launch 1 (web-4 serving at 13.0 s)")
}
