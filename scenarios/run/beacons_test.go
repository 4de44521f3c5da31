package run

import (
	"testing"

	"throughline/collector"
	"throughline/loadgen"
	"throughline/scenarios/record"
)

// The judge knows by the same words why a beacon was never sent.
func TestOneWordForARefusedPreflight(t *testing.T) {
	if loadgen.PreflightRefused != record.PreflightRefused {
		t.Errorf("%q and %q", loadgen.PreflightRefused, record.PreflightRefused)
	}
}

// TestBeaconsOfARun is a whole run on the local platform with HAProxy, whose users tell of their pages while an instance is
// killed and the collector is replaced: what was acknowledged came, once, and was counted, and the next collector takes
// beacons where the one before it did.
func TestBeaconsOfARun(t *testing.T) {
	_, h := runLocally(t, `
scenario: x
stack:
  mongo: none
  web: {instances: 2, command: [{{app}}], routes: {look: GET /env}}
load: {rate: 60/s, mix: {look: 1}, beacons: {share: 0.8, form: json}}
phases:
  - {phase: before, for: 2s}
  - {phase: meanwhile, do: [{kill: web-1}, {launch: 1}, {fault: restart-collector, for: 300ms}], for: 3s}
checks:
  - beacons: {share: 0.4}
`, func(*Config) {})
	requests := map[uint64]record.Request{}
	for _, r := range h.Requests {
		requests[r.Seq] = r
	}
	came := map[uint64]int{}
	for _, a := range h.Arrivals {
		r := requests[a.Seq]
		if a.Foreign || r.Outcome != record.Acked || a.At < r.Done || a.Form != "json" || a.Route != "look" {
			t.Errorf("%+v came of %+v", a, r)
		}
		came[a.Seq]++
	}
	var acked, refused int
	for _, b := range h.Beacons {
		switch b.Outcome {
		case record.Acked:
			acked++
			if came[b.Seq] != 1 {
				t.Errorf("%+v was acknowledged, and came %d times", b, came[b.Seq])
			}
		case record.Refused:
			refused++
			if came[b.Seq] != 0 {
				t.Errorf("%+v was refused, and came", b)
			}
		}
	}
	counted, timed := 0.0, 0.0
	for _, s := range h.Series {
		switch last := s.Points[len(s.Points)-1]; {
		case s.Name == record.PageViews && s.Meta.Type == collector.Counter:
			counted += last.Value
		case s.Name == record.PageLatency:
			timed += last.Histogram.Count
		}
	}
	if int(timed) != len(h.Arrivals) {
		t.Errorf("%v timed of %d that came", timed, len(h.Arrivals))
	}
	if int(counted) != len(h.Arrivals) || acked < 50 || refused == 0 {
		t.Errorf("%v counted of %d that came, %d acknowledged, %d refused while there was no collector", counted, len(h.Arrivals), acked, refused)
	}
}

// TestNoBeaconsAsEver: a run whose scenario asks for none has none, and its record no file of them.
func TestNoBeaconsAsEver(t *testing.T) {
	tel := &telemetry{}
	if tel.rum() != nil || tel.beacons() != "" || beaconsOf(tel.cfg.Scenario.Load.Beacons, "", nil) != nil {
		t.Error("a scenario without beacons has some")
	}
}
