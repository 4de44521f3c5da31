package signals

import (
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// TestHygieneOfOTLP: each kind of finding of the collector's is told by its cause, and so is what it refused.
func TestHygieneOfOTLP(t *testing.T) {
	figure := func(name string, value float64, labels ...string) record.Series {
		return record.Series{Name: record.PushedFigures + name, Labels: collector.NewLabels(append(labels, "instance", "web-1")...),
			Points: []record.Point{{At: time.Second, Value: value, Observed: 1}}}
	}
	judge := func(series ...record.Series) []verdict.Finding {
		h := record.History{Series: append(series, figure("points_total", 9))}
		return Hygiene{script.Hygiene{Growth: script.AnyGrowth}}.Judge(evidence.New(h, script.Scenario{})).Findings
	}
	if got := judge(figure("refused_points_total", 0)); len(got) != 1 || got[0].Outcome != verdict.Pass || !strings.Contains(got[0].Summary, "no refused point of OTLP") {
		t.Errorf("of nothing wrong it says %+v", got)
	}
	for kind, want := range map[string]struct{ cause, says string }{
		"two_writers":       {verdict.CauseTwoWriters, "web-1 sends hits with two starts that alternate"},
		"shared_resource":   {verdict.CauseSharedResource, "the same resource as delta"},
		"value_fell":        {verdict.CauseValueFell, "that fall, with the same start"},
		"buckets_fell":      {verdict.CauseValueFell, "buckets of hits"},
		"start_missing":     {verdict.CauseStartMissing, "since when it counts hits"},
		"start_moves":       {verdict.CauseStartMoves, "each with another start"},
		"wrong_temporality": {verdict.CauseTemporality, "says that hits is delta"},
		"windows_overlap":   {verdict.CauseOverlap, "before the one before has ended"},
		"other_value":       {verdict.CauseOtherValue, "twice for the same time"},
		"name_collision":    {verdict.CauseCollision, "name collision with delta"},
		"of_tomorrow":       {"of-tomorrow", "of tomorrow"},
	} {
		got := judge(figure("findings", 3, "kind", kind, "metric", "hits", "other", "delta"))
		if len(got) != 1 || got[0].Outcome != verdict.Fail || got[0].Cause != want.cause || got[0].Instance != "web-1" || !strings.Contains(got[0].Summary, want.says) || !strings.Contains(got[0].Summary, "3 points") {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	got := judge(figure("refused_points_total", 2, "reason", "negative_count"))
	if len(got) != 1 || got[0].Lost != 2 || got[0].Cause != verdict.CauseRefusedPoints || !strings.Contains(got[0].Summary, "web-1 sent 2 points of OTLP that were refused (2 negative_count)") {
		t.Errorf("of refused points it says %+v", got)
	}
}
