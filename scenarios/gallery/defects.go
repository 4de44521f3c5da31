package gallery

import (
	"time"

	"throughline/scenarios/check/verdict"
)

// allThree are the instances of a stage in which nothing is done to them.
var allThree = []string{"web-1", "web-2", "web-3"}

// wantConservation is what must be said of an app whose counter is wrong.
func wantConservation(causes ...string) Want {
	return Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: causes, Amount: uncounted}
}

// blaming blames only these instances.
func (w Want) blaming(instances ...string) Want { w.Instances = instances; return w }

// blamingAnybody blames at least one instance, whoever it is.
func (w Want) blamingAnybody() Want { w.Instances, w.Words = nil, "that no metric counted"; return w }

// asLogged expects the number that the instances themselves log.
func (w Want) asLogged() Want { w.Logged = true; return w }

// wantCheck is what must be said by another check than conservation.
func wantCheck(name string, causes ...string) Want {
	return Want{Outcome: verdict.Fail, Check: name, Instances: allThree, Causes: causes}
}

func exitEntries() []Entry {
	return []Entry{
		{Name: "lost-on-exit", Fault: "F1", About: "counts wait in a buffer that is not flushed on SIGTERM", Stage: oneReplaced("lost-on-exit"),
			Want: wantConservation("lost-on-exit").blaming("web-1").asLogged()},
		{Name: "role-lost-on-exit", Fault: "F1", About: "one role of several does not flush its buffer on SIGTERM", Stage: besideWeb("lost-on-exit", "replace: api-1", "replace: web-1"),
			Want: wantConservation("lost-on-exit").blaming("api-1").asLogged()},
		{Name: "long-buffer", Fault: "F2", About: "a SIGKILL takes more than the declared client window", Stage: Stage{Defect: "long-buffer", Steps: []string{"kill: web-2", "kill: web-3", "launch: 2"}},
			Want: wantConservation("client-buffer-larger-than-declared").blamingAnybody()}, // a kill just after a flush takes nothing
		{Name: "closed-early", Fault: "F3", About: "the client is closed before the last requests end", Stage: Stage{Defect: "closed-early", Steps: []string{"terminate: web-1, drain: no"}},
			Want: wantConservation("lost-on-exit").blaming("web-1").asLogged()},
		{Name: "last-window-twice", Fault: "F4", About: "the last window is sent again on exit", Stage: oneReplaced("last-window-twice"),
			Want: wantConservation("last-window-twice").blaming("web-1").asLogged()},
		{Name: "open-window-skipped", Fault: "F5", About: "the flush on exit leaves out the second that is not over", Stage: oneReplaced("open-window-skipped"),
			Want: wantConservation("lost-on-exit").blaming("web-1").asLogged()},
	}
}

func countEntries() []Entry {
	return []Entry{
		{Name: "counted-twice", Fault: "F26", About: "every 20th insert is counted twice", Stage: undisturbed("counted-twice"), Want: wantConservation("counted-twice").asLogged()},
		{Name: "double-instrumented", Fault: "F26", About: "handler and middleware both count", Stage: undisturbed("double-instrumented"), Want: wantConservation("double-instrumented").asLogged()},
		{Name: "not-counted", Fault: "F26", About: "a path through the code misses the counter", Stage: undisturbed("not-counted"), Want: wantConservation("not-counted").asLogged()},
		{Name: "first-sample-lost", Fault: "F17", About: "the first insert of an instance is not counted", Stage: undisturbed("first-sample-lost"), Want: wantConservation("silent-start", "first-sample-lost").asLogged()},
		{Name: "forgotten-rate", Fault: "F15", About: "sampled, and the sample rate is not sent", Stage: undisturbed("forgotten-rate"), Want: wantConservation("sample-rate-not-sent").asLogged()},
		{Name: "rate-not-applied", Fault: "F15", About: "not sampled, and a sample rate is sent", Stage: undisturbed("rate-not-applied"), Want: wantConservation("sample-rate-not-applied").asLogged()},
		{Name: "total-as-counter", Fault: "F19", About: "a cumulative total is sent as a counter", Stage: undisturbed("total-as-counter"), Want: wantConservation("total-as-counter").asLogged()},
		{Name: "renamed-per-instance", Fault: "F20", About: "the instance is part of the metric's name", Stage: undisturbed("renamed-per-instance"), Want: wantConservation("renamed").asLogged()},
		{Name: "silent-worker", Fault: "F6", About: "one of four workers has lost its sender after a fork", Stage: undisturbed("silent-worker"), Want: wantConservation("silent-worker").asLogged()},
		{Name: "get-counted", Fault: "F26", About: "the counter of inserts counts another route too", Stage: undisturbed("get-counted"), Want: wantConservation("other-route-counted").asLogged()},
		// What instances log at their end has the probes that came after the record was closed, too.
		{Name: "probes-counted", Fault: "F57", About: "the load balancer's health checks are counted as inserts", Stage: undisturbed("probes-counted"), Want: wantConservation("probes-counted")},
		{Name: "cache-hits-only", Fault: "F26", About: "the counter stands behind a condition, such as a cache hit", Stage: undisturbed("cache-hits-only"), Want: wantConservation("conditional-count").asLogged()},
		{Name: "queue-full", Fault: "F11", About: "the client's queue is full at the peaks and drops", Stage: Stage{Defect: "queue-full", Rate: 330}, Want: wantConservation("client-queue-full").asLogged()},
	}
}

// since blames a version alone.
func (w Want) since(version string) Want { w.Version = version; return w }

// releaseEntries are versions that break what the one before them did.
func releaseEntries() []Entry {
	return []Entry{
		{Name: "release-not-counted", Fault: "F26", About: "a version is deployed in which a path misses the counter",
			Stage: Stage{Steps: []string{"deploy: {version: v2, defect: not-counted}"}, After: 9},
			Want:  wantConservation("not-counted").blaming("web-4", "web-5", "web-6").asLogged().since("v2")},
		{Name: "release-lost-on-exit", Fault: "F1", About: "a version is deployed that does not flush on SIGTERM, and is taken back",
			Stage: Stage{Steps: []string{"deploy: {version: v2, defect: lost-on-exit}", "rollback: v1"}, After: 12},
			Want:  wantConservation("lost-on-exit").blaming("web-4", "web-5", "web-6").asLogged()},
		{Name: "canary-counts-double", Fault: "F26", About: "one instance gets a version in which handler and middleware both count",
			Stage: Stage{Steps: []string{"deploy: {version: v2, defect: double-instrumented}, canary: 1"}, After: 7},
			Want:  wantConservation("double-instrumented").blaming("web-4").asLogged().since("v2")},
	}
}

// parityEntries are counts of the same thing of which one is wrong.
func parityEntries() []Entry {
	canary := twofold("deploy: {version: v2, defect: not-counted}, canary: 1")
	canary.Rate, canary.After = 300, 11
	return []Entry{
		{Name: "canary-counts-one-of-two", Fault: "F26", About: "one instance gets a version in which a path misses the counter, and not the timer", Stage: canary,
			Want: Want{Outcome: verdict.Fail, Check: "parity", Instances: []string{"web-4"}, Causes: []string{"counts-differ"}, Behind: "not-counted", Amount: uncounted, Version: "v2"}},
	}
}

// heldEntries are clients that lose batches. How long they hold them is declared where it
// is a time: that is not what is wrong with them.
func heldEntries() []Entry {
	batches := func(defect string) Stage { return Stage{Defect: defect, Holds: time.Second, After: 8} }
	return []Entry{
		{Name: "wrapping-count", Fault: "F26", About: "a batch is counted in a number that begins anew at 32", Stage: batches("wrapping-count"), Want: wantConservation("wrapping-count").asLogged()},
		{Name: "worker-turnover", Fault: "F1", About: "workers are replaced after so many requests, without a flush", Stage: batches("worker-turnover"), Want: wantConservation("worker-turnover").asLogged()},
		// A batch that has just left leaves nothing behind: not each instance is to blame in each run.
		{Name: "still-held", Fault: "F1", About: "counts leave by number only, and the last ones never do", Stage: undisturbed("still-held"), Want: wantConservation("still-held").blamingAnybody().asLogged()},
	}
}

func timeEntries() []Entry {
	return []Entry{
		{Name: "late", Fault: "F18", About: "every count leaves 4 s after it happened", Stage: undisturbed("late"), Want: wantCheck("conservation", "late")},
		{Name: "flush-every-3s", Fault: "F18", About: "a flush interval of 3 s: spikes that are no traffic", Stage: undisturbed("flush-every-3s"), Want: wantCheck("continuity", "flush-interval")},
		{Name: "silent-start", Fault: "F43", About: "nothing is sent in the first 5 s of an instance", Stage: Stage{Defect: "silent-start", Steps: []string{"launch: 1"}, After: 8}, Want: wantConservation("silent-start").blaming("web-1", "web-2", "web-3", "web-4")},
		{Name: "goes-silent", Fault: "F7", About: "nothing is sent after 6 s: the collector's name was resolved once", Stage: Stage{Defect: "goes-silent", After: 7}, Want: wantConservation("went-silent").asLogged()},
		{Name: "never-speaks", Fault: "F8", About: "a client that found nobody at its start and gave up", Stage: undisturbed("never-speaks"), Want: wantConservation("no-metric").blaming("web-2")},
		{Name: "first-window-lost", Fault: "F43", About: "the first second of an instance's inserts is not counted", Stage: Stage{Defect: "first-window-lost", Steps: []string{"launch: 1"}}, Want: wantConservation("silent-start").blaming("web-1", "web-2", "web-3", "web-4")},
	}
}

func lineEntries() []Entry {
	return []Entry{
		{Name: "counter-as-gauge", Fault: "F19", About: "a total is sent as a gauge", Stage: undisturbed("counter-as-gauge"), Want: wantConservation("wrong-type")},
		{Name: "type-changes", Fault: "F33", About: "a counter becomes a gauge while it runs", Stage: undisturbed("type-changes"), Want: wantConservation("wrong-type")},
		{Name: "mutated-tags", Fault: "F17", About: "some inserts carry another instance's zone", Stage: undisturbed("mutated-tags"), Want: wantCheck("identity", "tags-vary", "foreign-tags")},
		{Name: "tag-order", Fault: "F20", About: "tags in another order, and twice", Stage: undisturbed("tag-order"), Want: wantCheck("identity", "tags-vary")},
		{Name: "late-tags", Fault: "F35", About: "instances report before a cloud has told them their tags", Stage: Stage{Defect: "late-tags", Cloud: true, Steps: []string{"launch: 1"}},
			Want: wantCheck("identity", "late-tags").blaming("web-1", "web-2", "web-3", "web-4")},
		{Name: "unsafe-names", Fault: "F21", About: "names with |, : or a line break in them", Stage: undisturbed("unsafe-names"), Want: wantCheck("hygiene", "bad-lines")},
		{Name: "shared-identity", Fault: "F44", About: "every instance says that it is web-1", Stage: undisturbed("shared-identity"), Want: wantCheck("identity", "merged", "foreign-tags").blaming("web-2", "web-3")},
		{Name: "word-as-tag", About: "a tag with a value for every word: cardinality", Stage: undisturbed("word-as-tag"), Want: wantCheck("hygiene", "cardinality")},
		{Name: "cut-datagrams", Fault: "F14", About: "datagrams are cut at 256 bytes", Stage: undisturbed("cut-datagrams"), Want: wantCheck("hygiene", "truncated-datagrams", "bad-lines")},
	}
}

func valueEntries() []Entry {
	return []Entry{
		{Name: "sampled-timer", Fault: "F16", About: "half of the times are sent, without their rate", Stage: undisturbed("sampled-timer"), Want: wantCheck("nesting", "sample-rate-not-sent")},
		{Name: "seconds-as-ms", Fault: "F26", About: "times in seconds, as if they were milliseconds", Stage: undisturbed("seconds-as-ms"), Want: wantCheck("nesting", "wrong-unit")},
		{Name: "averaged-timer", Fault: "F40", About: "only the average of each second is sent", Stage: undisturbed("averaged-timer"), Want: wantCheck("nesting", "averaged")},
		{Name: "delta-gauge", Fault: "F22", About: "a gauge sent as changes, of which some are lost", Stage: undisturbed("delta-gauge"), Want: wantCheck("gauge", "drifting-gauge")},
		{Name: "shared-gauge", Fault: "F23", About: "twelve workers set one gauge: the last one wins", Stage: Stage{Defect: "shared-gauge", Steps: []string{"fault: freeze-database"}, After: 3, Heal: "freeze-database"}, Want: wantCheck("gauge", "last-write-wins")},
	}
}

// wantAudit is what must be said of a database that does not hold what was
// acknowledged.
func wantAudit(causes ...string) Want {
	return Want{Outcome: verdict.Fail, Check: "audit", Causes: causes}
}

func serviceEntries() []Entry {
	return []Entry{
		{Name: "panic-unmeasured", Fault: "F24", About: "a panic skips the middleware that counts", Stage: undisturbed("panic-unmeasured"), Want: wantCheck("failures", "failed-writes-kept")},
		{Name: "failures-counted", Fault: "F25", About: "requests are counted whatever their status", Stage: undisturbed("failures-counted"), Want: wantConservation("failures-counted").asLogged()},
		{Name: "counted-first", Fault: "F25", About: "inserts are counted before the database has them, and its primary stands still", Stage: frozenPrimary("counted-first"), Want: wantConservation("failures-counted").asLogged()},
		{Name: "duplicate-key-500", Fault: "F61", About: "the loser of a race for a new word is not tried again", Stage: undisturbed("duplicate-key-500"), Want: wantCheck("failures", "failed-writes")},
		{Name: "forgotten-writes", Fault: "F60", About: "writes are acknowledged and counted, and never made", Stage: undisturbed("forgotten-writes"), Want: wantAudit("lost-writes")},
		{Name: "racing-upserts", Fault: "F59", About: "racing upserts without a unique index: two documents for a word", Stage: undisturbed("racing-upserts"), Want: Want{Outcome: verdict.Fail, Check: "conservation", Causes: []string{"racing-upserts"}, Words: "racing"}},
	}
}
