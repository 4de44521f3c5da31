package gallery

// What an autoscaler follows. Nine requests of ten are inserts, and an instance is for 20 of
// them a second: 50/s take 3 instances, 140/s take 7.
const (
	steps  = "shape: steps, levels: [{rate: 50/s, for: 16s}, {rate: 140/s, for: 60s}]"
	swings = "shape: sine, rate: 100/s, swing: 55/s, period: 20s"
	crowd  = "shape: steps, levels: [{rate: 50/s, for: 14s}, {rate: 150/s, for: 10s}, {rate: 50/s, for: 60s}]"
	night  = "shape: ramp, rate: 150/s, to: 30/s, over: 34s"
)

// The autoscalers. They shrink late enough for a load that swings.
const (
	bySum  = "min: 2, max: 8, on: 'sum(rate(fullstack_insert_total[5s]))', per: sum, target: 20, every: 2s, " + paces
	byMean = "min: 2, max: 8, on: 'sum by (instance) (rate(fullstack_insert_total[5s]))', per: mean, target: 20, every: 2s, " + paces
	paces  = "up: {at_most: 4, per: 4s}, down: {at_most: 2, per: 4s, after: 6s}"
)

// autoscaled is a stage with an autoscaler, whose promise is asked for in all it has.
func autoscaled(defect, load, autoscaler string, moves ...string) Stage {
	return Stage{Defect: defect, Load: load, Autoscale: autoscaler, Steps: moves, After: 36,
		Checks: []string{"scaling: {overshoot: 2, flaps: 1, cost: 1.5}"}}
}

// wantMisled is what must be said of an autoscaler that a metric led astray, behind what is
// said of the metric.
func wantMisled(behind string, causes ...string) Want {
	w := wantCheck("scaling", causes...).blaming()
	w.Behind = behind
	return w
}

func scalingEntries() []Entry {
	return []Entry{
		{Name: "scaled-by-lost-counts", About: "an autoscaler decides by a counter that lacks a quarter", Stage: autoscaled("silent-worker", steps, bySum),
			Want: wantMisled("silent-worker", "misled-too-small")},
		{Name: "scaled-by-double-counts", About: "an autoscaler decides by a counter that counts twice", Stage: autoscaled("double-instrumented", swings, bySum),
			Want: wantMisled("double-instrumented", "misled-too-big", "overshoot", "costly-fleet")},
		{Name: "scaled-by-samples", About: "an autoscaler decides by a counter that is sampled, and does not say so", Stage: autoscaled("forgotten-rate", steps, bySum),
			Want: wantMisled("sample-rate-not-sent", "misled-too-small")},
		{Name: "scaled-by-late-counts", About: "an autoscaler decides by the mean of counts that come 4 s late", Stage: autoscaled("late", swings, byMean),
			Want: wantMisled("late", "misled-too-small", "misled-too-big", "flapping")},
		{Name: "scaled-by-silent-starts", About: "an autoscaler does not hear of those it launches for 5 s", Stage: autoscaled("silent-start", steps, bySum),
			Want: wantMisled("silent-start", "misled-too-small", "misled-too-big", "flapping")},
		{Name: "scaled-by-nothing", About: "an autoscaler takes an instance that never sends the metric for an idle one",
			Stage: autoscaled("never-speaks", steps, byMean+", missing: zero"), Want: wantMisled("no-metric", "missing-taken-for-zero", "flapping")},
		{Name: "scaled-while-away", About: "the collector is restarted while an autoscaler follows a load that swings",
			Stage: autoscaled("", swings, bySum, "fault: restart-collector, for: 4s"), Want: wantMisled("collector-away", "misled-too-small", "misled-too-big", "flapping")},
		{Name: "scaled-by-the-dead", About: "an autoscaler decides by a gauge that still has those who are gone",
			Stage: theDead(), Want: wantMisled("", "dead-still-counted")},
		{Name: "scaled-by-the-average", About: "an autoscaler decides by an average over those who are gone, too",
			Stage: theAverage(), Want: wantMisled("", "dead-still-counted")},
	}
}

// theDead has requests wait for the database, so that some are in flight all the time, and kills
// an instance that has some, once a replacement has taken its time. The expression looks back for
// longer than it is dead.
func theDead() Stage {
	s := autoscaled("", "shape: steps, levels: [{rate: 100/s, for: 18s}, {rate: 30/s, for: 60s}]",
		"min: 2, max: 8, on: 'sum(last_over_time(fullstack_inflight[1m]))', per: sum, target: 3, every: 2s, "+paces,
		"fault: slow-network, hop: web-db, by: 80ms", "replace: oldest", "kill: oldest")
	s.Checks = []string{"scaling: {}"}
	return s
}

// theAverage has requests wait for the database, too, and replaces two instances before the load
// grows: what is left of them in the average are the zeros that they ended with.
func theAverage() Stage {
	s := autoscaled("", "shape: steps, levels: [{rate: 50/s, for: 20s}, {rate: 120/s, for: 60s}]",
		"min: 2, max: 8, on: 'avg(last_over_time(fullstack_inflight[1m])) * count(fullstack_inflight)', per: sum, target: 3, every: 2s, "+paces,
		"fault: slow-network, hop: web-db, by: 80ms", "replace: oldest", "replace: oldest")
	s.Checks = []string{"scaling: {}"}
	return s
}
