package check

import "throughline/scenarios/check/diagnose"

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

	causeLostOnExit  = diagnose.LostOnExit
	causeLargeBuffer = diagnose.LargeBuffer
	causeSilentStart = diagnose.SilentStart
	causeRateNotSent = diagnose.RateNotSent
	causeRateUnused  = diagnose.RateNotApplied
	causeNotCounted  = diagnose.NotCounted
	causeTwice       = diagnose.Twice
	causeTotal       = diagnose.RunningTotal
	causeRenamed     = diagnose.Renamed
	causeNoMetric    = diagnose.NoMetric
	causeLate        = diagnose.Late
	causeWentSilent  = diagnose.WentSilent
	causeBurst       = diagnose.Burst

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
	causeBadLines      = diagnose.BadLines
	causeLostWrites    = "lost-writes"
	causeForeignWrites = "foreign-writes"
	causeAppliedTwice  = "applied-twice"
	causeTruncated     = diagnose.Truncated
	causeMetricDiffers = "metric-differs"
	causeCardinality   = "cardinality"

	causeTypeChange = "type-change"
	causeCollision  = "name-collision"
	causeExplosion  = "tag-explosion"

	causeDouble        = diagnose.Double
	causeFirstLost     = diagnose.FirstLost
	causeWorker        = diagnose.SilentWorker
	causeQueue         = diagnose.QueueFull
	causeWindowTwice   = diagnose.WindowTwice
	causeWrongType     = diagnose.WrongType
	causeFlushInterval = "flush-interval"
	causeNetLost       = diagnose.NetLost
	causeNetTwice      = diagnose.NetTwice
	causeAway          = diagnose.Away
	causeFailures      = diagnose.Failures
	causeTwins         = "racing-upserts"
	causeFailedWrites  = "failed-writes"
	causeKeptWrites    = "failed-writes-kept"
	causeLastWins      = "last-write-wins"

	causeUndecided    = diagnose.Undecided
	causeConditional  = diagnose.Conditional
	causeForeignLines = diagnose.ForeignLines
)
