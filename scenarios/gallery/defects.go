package gallery

import (
	"time"

	"throughline/scenarios/check/verdict"
)

// three are the instances of a stage in which nothing is done to them.
var three = []string{"web-1", "web-2", "web-3"}

// conserved is what must be said of an app whose counter is wrong.
func conserved(causes ...string) Want {
	return Want{Outcome: verdict.Fail, Check: "conservation", Instances: three, Causes: causes, Amount: uncounted}
}

// of blames only these instances.
func (w Want) of(instances ...string) Want { w.Instances = instances; return w }

// anybody blames at least one instance, whoever it is.
func (w Want) anybody() Want { w.Instances, w.Words = nil, "that no metric counted"; return w }

// logged expects the number that the instances themselves log.
func (w Want) logged() Want { w.Logged = true; return w }

// found is what must be said by another check than conservation.
func found(name string, causes ...string) Want {
	return Want{Outcome: verdict.Fail, Check: name, Instances: three, Causes: causes}
}

func exits() []Entry {
	return []Entry{
		{Name: "lost-on-exit", Fault: "F1", About: "counts wait in a buffer that is not flushed on SIGTERM", Stage: replaced("lost-on-exit"),
			Want: conserved("lost-on-exit").of("web-1").logged()},
		{Name: "long-buffer", Fault: "F2", About: "a SIGKILL takes more than the declared client window", Stage: Stage{Defect: "long-buffer", Steps: []string{"kill: web-2", "kill: web-3", "launch: 2"}},
			Want: conserved("client-buffer-larger-than-declared").anybody()}, // a kill just after a flush takes nothing
		{Name: "closed-early", Fault: "F3", About: "the client is closed before the last requests end", Stage: Stage{Defect: "closed-early", Steps: []string{"terminate: web-1, drain: no"}},
			Want: conserved("lost-on-exit").of("web-1").logged()},
		{Name: "last-window-twice", Fault: "F4", About: "the last window is sent again on exit", Stage: replaced("last-window-twice"),
			Want: conserved("last-window-twice").of("web-1").logged()},
		{Name: "open-window-skipped", Fault: "F5", About: "the flush on exit leaves out the second that is not over", Stage: replaced("open-window-skipped"),
			Want: conserved("lost-on-exit").of("web-1").logged()},
	}
}

func counts() []Entry {
	return []Entry{
		{Name: "counted-twice", Fault: "F26", About: "every 20th insert is counted twice", Stage: steady("counted-twice"), Want: conserved("counted-twice").logged()},
		{Name: "double-instrumented", Fault: "F26", About: "handler and middleware both count", Stage: steady("double-instrumented"), Want: conserved("double-instrumented").logged()},
		{Name: "not-counted", Fault: "F26", About: "a path through the code misses the counter", Stage: steady("not-counted"), Want: conserved("not-counted").logged()},
		{Name: "first-sample-lost", Fault: "F17", About: "the first insert of an instance is not counted", Stage: steady("first-sample-lost"), Want: conserved("silent-start", "first-sample-lost").logged()},
		{Name: "forgotten-rate", Fault: "F15", About: "sampled, and the sample rate is not sent", Stage: steady("forgotten-rate"), Want: conserved("sample-rate-not-sent").logged()},
		{Name: "rate-not-applied", Fault: "F15", About: "not sampled, and a sample rate is sent", Stage: steady("rate-not-applied"), Want: conserved("sample-rate-not-applied").logged()},
		{Name: "total-as-counter", Fault: "F19", About: "a cumulative total is sent as a counter", Stage: steady("total-as-counter"), Want: conserved("total-as-counter").logged()},
		{Name: "renamed-per-instance", Fault: "F20", About: "the instance is part of the metric's name", Stage: steady("renamed-per-instance"), Want: conserved("renamed").logged()},
		{Name: "silent-worker", Fault: "F6", About: "one of four workers has lost its sender after a fork", Stage: steady("silent-worker"), Want: conserved("silent-worker").logged()},
		{Name: "get-counted", Fault: "F26", About: "the counter of inserts counts another route too", Stage: steady("get-counted"), Want: conserved("other-route-counted").logged()},
		// What instances log at their end has the probes that came after the record was closed, too.
		{Name: "probes-counted", Fault: "F57", About: "the load balancer's health checks are counted as inserts", Stage: steady("probes-counted"), Want: conserved("probes-counted")},
		{Name: "cache-hits-only", Fault: "F26", About: "the counter stands behind a condition, such as a cache hit", Stage: steady("cache-hits-only"), Want: conserved("conditional-count").logged()},
		{Name: "queue-full", Fault: "F11", About: "the client's queue is full at the peaks and drops", Stage: Stage{Defect: "queue-full", Rate: 330}, Want: conserved("client-queue-full").logged()},
	}
}

// held are clients that lose batches. How long they hold them is declared where it
// is a time: that is not what is wrong with them.
func held() []Entry {
	batches := func(defect string) Stage { return Stage{Defect: defect, Holds: time.Second, After: 8} }
	return []Entry{
		{Name: "wrapping-count", Fault: "F26", About: "a batch is counted in a number that begins anew at 32", Stage: batches("wrapping-count"), Want: conserved("wrapping-count").logged()},
		{Name: "worker-turnover", Fault: "F1", About: "workers are replaced after so many requests, without a flush", Stage: batches("worker-turnover"), Want: conserved("worker-turnover").logged()},
		// A batch that has just left leaves nothing behind: not each instance is to blame in each run.
		{Name: "still-held", Fault: "F1", About: "counts leave by number only, and the last ones never do", Stage: steady("still-held"), Want: conserved("still-held").anybody().logged()},
	}
}

func times() []Entry {
	return []Entry{
		{Name: "late", Fault: "F18", About: "every count leaves 4 s after it happened", Stage: steady("late"), Want: found("conservation", "late")},
		{Name: "flush-every-3s", Fault: "F18", About: "a flush interval of 3 s: spikes that are no traffic", Stage: steady("flush-every-3s"), Want: found("continuity", "flush-interval")},
		{Name: "silent-start", Fault: "F43", About: "nothing is sent in the first 5 s of an instance", Stage: Stage{Defect: "silent-start", Steps: []string{"launch: 1"}, After: 8}, Want: conserved("silent-start").of("web-1", "web-2", "web-3", "web-4")},
		{Name: "goes-silent", Fault: "F7", About: "nothing is sent after 6 s: the collector's name was resolved once", Stage: Stage{Defect: "goes-silent", After: 7}, Want: conserved("went-silent").logged()},
		{Name: "never-speaks", Fault: "F8", About: "a client that found nobody at its start and gave up", Stage: steady("never-speaks"), Want: conserved("no-metric").of("web-2")},
		{Name: "first-window-lost", Fault: "F43", About: "the first second of an instance's inserts is not counted", Stage: Stage{Defect: "first-window-lost", Steps: []string{"launch: 1"}}, Want: conserved("silent-start").of("web-1", "web-2", "web-3", "web-4")},
	}
}

func lines() []Entry {
	return []Entry{
		{Name: "counter-as-gauge", Fault: "F19", About: "a total is sent as a gauge", Stage: steady("counter-as-gauge"), Want: conserved("wrong-type")},
		{Name: "type-changes", Fault: "F33", About: "a counter becomes a gauge while it runs", Stage: steady("type-changes"), Want: conserved("wrong-type")},
		{Name: "mutated-tags", Fault: "F17", About: "some inserts carry another instance's zone", Stage: steady("mutated-tags"), Want: found("identity", "tags-vary", "foreign-tags")},
		{Name: "tag-order", Fault: "F20", About: "tags in another order, and twice", Stage: steady("tag-order"), Want: found("identity", "tags-vary")},
		{Name: "unsafe-names", Fault: "F21", About: "names with |, : or a line break in them", Stage: steady("unsafe-names"), Want: found("hygiene", "bad-lines")},
		{Name: "shared-identity", Fault: "F44", About: "every instance says that it is web-1", Stage: steady("shared-identity"), Want: found("identity", "merged", "foreign-tags").of("web-2", "web-3")},
		{Name: "word-as-tag", About: "a tag with a value for every word: cardinality", Stage: steady("word-as-tag"), Want: found("hygiene", "cardinality")},
		{Name: "cut-datagrams", Fault: "F14", About: "datagrams are cut at 256 bytes", Stage: steady("cut-datagrams"), Want: found("hygiene", "truncated-datagrams", "bad-lines")},
	}
}

func values() []Entry {
	return []Entry{
		{Name: "sampled-timer", Fault: "F16", About: "half of the times are sent, without their rate", Stage: steady("sampled-timer"), Want: found("nesting", "sample-rate-not-sent")},
		{Name: "seconds-as-ms", Fault: "F26", About: "times in seconds, as if they were milliseconds", Stage: steady("seconds-as-ms"), Want: found("nesting", "wrong-unit")},
		{Name: "averaged-timer", Fault: "F40", About: "only the average of each second is sent", Stage: steady("averaged-timer"), Want: found("nesting", "averaged")},
		{Name: "delta-gauge", Fault: "F22", About: "a gauge sent as changes, of which some are lost", Stage: steady("delta-gauge"), Want: found("gauge", "drifting-gauge")},
		{Name: "shared-gauge", Fault: "F23", About: "four workers set one gauge: the last one wins", Stage: Stage{Defect: "shared-gauge", Steps: []string{"fault: freeze-database"}, After: 3, Heal: "freeze-database"}, Want: found("gauge", "last-write-wins")},
	}
}

// stored is what must be said of a database that does not hold what was
// acknowledged.
func stored(causes ...string) Want {
	return Want{Outcome: verdict.Fail, Check: "audit", Causes: causes}
}

func service() []Entry {
	return []Entry{
		{Name: "panic-unmeasured", Fault: "F24", About: "a panic skips the middleware that counts", Stage: steady("panic-unmeasured"), Want: found("failures", "failed-writes-kept")},
		{Name: "failures-counted", Fault: "F25", About: "requests are counted whatever their status", Stage: steady("failures-counted"), Want: conserved("failures-counted").logged()},
		{Name: "duplicate-key-500", Fault: "F61", About: "the loser of a race for a new word is not tried again", Stage: steady("duplicate-key-500"), Want: found("failures", "failed-writes")},
		{Name: "forgotten-writes", Fault: "F60", About: "writes are acknowledged and counted, and never made", Stage: steady("forgotten-writes"), Want: stored("lost-writes")},
		{Name: "racing-upserts", Fault: "F59", About: "racing upserts without a unique index: two documents for a word", Stage: steady("racing-upserts"), Want: Want{Outcome: verdict.Fail, Check: "conservation", Causes: []string{"racing-upserts"}, Words: "racing"}},
	}
}
