package gallery

import (
	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// pushed has instances push by OTLP, and asks after that alone.
func pushed(defect string, steps ...string) Stage {
	return Stage{Defect: defect, OTLP: "http/protobuf", Steps: steps, Before: 6, After: 8}
}

// moving is a healthy run of a team that moves from StatsD to OTLP, by a protocol: both count the same, whatever is done.
func moving(protocol string) Stage {
	s := pushed("", "kill: web-2", "launch: 1", "replace: web-1")
	s.OTLP, s.Checks = protocol, []string{"parity: {metrics: [{metric: fullstack.insert, by: statsd}, {metric: fullstack.insert, by: otlp}]}"}
	return s
}

// neverPushed is how many inserts the instance acknowledged beyond those that its counter of OTLP came to.
func neverPushed(h record.History, instance string) int64 {
	return uncountedBy(h, instance, counted, collector.ByOTLP)
}

func pushedEntries() []Entry {
	return []Entry{
		{Name: "no-instance-id", Fault: "F44", About: "the resource of OTLP has no service.instance.id: replicas share a series", Stage: pushed("no-instance-id"), Want: wantCheck("hygiene", "shared-resource")},
		{Name: "delta-as-cumulative", Fault: "F19", About: "OTLP calls deltas cumulative", Stage: pushed("delta-as-cumulative"), Want: wantCheck("hygiene", "wrong-temporality")},
		{Name: "cumulative-as-delta", Fault: "F19", About: "OTLP calls cumulative values deltas", Stage: pushed("cumulative-as-delta"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: []string{"wrong-temporality"}, Amount: neverPushed}},
		{Name: "old-start", Fault: "F32", About: "a cumulative value of OTLP begins anew, with the old start", Stage: pushed("old-start"), Want: wantCheck("hygiene", "value-fell")},
		{Name: "no-last-export", Fault: "F1", About: "a stop exports nothing by OTLP", Stage: pushed("no-last-export", "replace: web-1"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: []string{"web-1"}, Causes: []string{"lost-on-exit"}, Amount: neverPushed, Logged: true}},
		{Name: "long-export", Fault: "F2", About: "OTLP is exported less often than an instance lives", Stage: pushed("long-export", "kill: web-2", "terminate: web-1"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: []string{"rare-export"}, Amount: neverPushed}},
	}
}
