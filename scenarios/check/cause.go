package check

import "time"

// What differences are booked to, and what is the likely cause of those that
// are not. The words are stable: files and tests depend on them.
const (
	usersWeb = "users→web"
	usersLB  = "users→lb"
	usersDB  = "users→db"
	webDB    = "web→db"

	causeUnexplained = "unexplained"
	causeBuffer      = "client-buffer-at-sigkill"
	causeStall       = "flush-late-on-busy-machine"
	causeDropped     = "collector-dropped"
	causeUnknown     = "outcome-unknown"
	causeReplay      = "client-replay"
	causeRetry       = "lb-retry"
	causeNoAnswer    = "no-answer"
	causeNotPolled   = "not-polled"
	causeUnsettled   = "not-settled"
	causeWaived      = "waived"
	causeSampling    = "sampling"

	causeLostOnExit  = "lost-on-exit"
	causeLargeBuffer = "client-buffer-larger-than-declared"
	causeSilentStart = "silent-start"
	causeRateNotSent = "sample-rate-not-sent"
	causeRateUnused  = "sample-rate-not-applied"
	causeNotCounted  = "not-counted"
	causeTwice       = "counted-twice"
	causeTotal       = "total-as-counter"
	causeRenamed     = "renamed"
	causeNoMetric    = "no-metric"
	causeLate        = "late"
	causeWentSilent  = "went-silent"
	causeBurst       = "burst"

	causeTagsVary      = "tags-vary"
	causeTagsMissing   = "tags-missing"
	causeForeignTags   = "foreign-tags"
	causeMerged        = "merged"
	causeReset         = "reset"
	causeGoesOn        = "goes-on-from-old-value"
	causeClock         = "clock-set"
	causeWrongUnit     = "wrong-unit"
	causeAveraged      = "averaged"
	causeNotNested     = "not-nested"
	causeFrozen        = "frozen-gauge"
	causeDrift         = "drifting-gauge"
	causeBadLines      = "bad-lines"
	causeLostWrites    = "lost-writes"
	causeForeignWrites = "foreign-writes"
	causeAppliedTwice  = "applied-twice"
	causeTruncated     = "truncated-datagrams"
	causeMetricDiffers = "metric-differs"
	causeCardinality   = "cardinality"

	causeTypeChange = "type-change"
	causeCollision  = "name-collision"
	causeExplosion  = "tag-explosion"

	causeDouble        = "double-instrumented"
	causeFirstLost     = "first-sample-lost"
	causeWorker        = "silent-worker"
	causeQueue         = "client-queue-full"
	causeWindowTwice   = "last-window-twice"
	causeWrongType     = "wrong-type"
	causeFlushInterval = "flush-interval"
	causeNetLost       = "datagrams-lost"
	causeNetTwice      = "datagrams-duplicated"
	causeAway          = "collector-away"
	causeFailures      = "failures-counted"
	causeTwins         = "racing-upserts"
	causeFailedWrites  = "failed-writes"
	causeKeptWrites    = "failed-writes-kept"
	causeLastWins      = "last-write-wins"
	causeForeignLines  = "foreign-lines"
)

// diagnosis is the likely cause of an unexplained difference, as the record
// shows it: where the difference arose in the instance's life.
type diagnosis struct {
	cause, runnerUp string
	from, to        time.Duration
	why             string // a clause for the summary
}
