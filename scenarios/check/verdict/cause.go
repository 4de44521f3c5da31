package verdict

// The words that differences are booked to, and those for likely causes of what is
// not: files and tests depend on them. Causes of what a metric counts too few or too
// many of are in scenarios/check/diagnose. docs/DIAGNOSES.md has a section for each.
const (
	CauseUnexplained = "unexplained"
	CauseBuffer      = "client-buffer-at-sigkill"
	CauseAgentKilled = "agent-held-at-sigkill"
	CauseAgentAway   = "agent-away"
	CauseBeginning   = "first-value-unseen"
	CauseUnscraped   = "after-last-scrape" // of an instance that ended
	CauseStall       = "flush-late-on-busy-machine"
	CauseDropped     = "collector-dropped"
	CauseUnknown     = "outcome-unknown"
	CauseReplay      = "client-replay"
	CauseRetry       = "lb-retry"
	CauseNoAnswer    = "no-answer"
	CauseNotPolled   = "not-polled"
	CauseUnsettled   = "not-settled"
	CauseWaived      = "waived"
	CauseSampling    = "sampling"

	CauseTagsVary      = "tags-vary"
	CauseTagsMissing   = "tags-missing"
	CauseLateTags      = "late-tags" // a newcomer reports without them first
	CauseForeignTags   = "foreign-tags"
	CauseMerged        = "merged"
	CauseReset         = "reset"
	CauseGoesOn        = "goes-on-from-old-value"
	CauseClock         = "clock-set"
	CauseWrongUnit     = "wrong-unit"
	CauseAveraged      = "averaged"
	CauseNotNested     = "not-nested"
	CauseFrozen        = "frozen-gauge"
	CauseDrift         = "drifting-gauge"
	CauseLostWrites    = "lost-writes"
	CauseRolledBack    = "rolled-back" // lost, as the members of the database say themselves
	CauseForeignWrites = "foreign-writes"
	CauseAppliedTwice  = "applied-twice"
	CauseMetricDiffers = "metric-differs"
	CauseCardinality   = "cardinality"
	CauseTypeChange    = "type-change"
	CauseCollision     = "name-collision"
	CauseExplosion     = "tag-explosion"
	CauseTagsInName    = "tags-in-name" // in a style that the collector was not told of
	CauseFlushInterval = "flush-interval"
	CauseUpserts       = "racing-upserts"
	CauseFailedWrites  = "failed-writes"
	CauseKeptWrites    = "failed-writes-kept"
	CauseLastWins      = "last-write-wins"
	CauseThrottled     = "throttled"          // a limit stopped an instance, which only the host can see
	CauseMissingPeriod = "missing-period"     // CloudWatch has no point of a time in which an instance ran
	CauseHalfFilled    = "half-filled-period" // it has one, of a part of that time
	CauseMachine       = "cpu-of-the-machine" // an agent takes the CPU of the machine for that of its instance
	CauseViewsDiffer   = "views-differ"       // an agent counts other CPU than the hypervisor
	CauseCountsDiffer  = "counts-differ"      // of the same thing, by two metrics
	CauseElsewhere     = "answered-elsewhere"
	CauseForeign       = "foreign-requests"
	CauseOther         = "other-instance"
	CauseExecuted      = "refused-but-executed"
	CauseHTTPD         = "httpd-disagrees"

	// Of what pages tell.
	CauseBeaconTwice   = "beacon-twice"   // of one page
	CauseBeaconEarly   = "beacon-early"   // before its page was there
	CauseBeaconRefused = "beacon-refused" // the collector does not take them of the pages' origin
	CauseBeaconForeign = "beacon-foreign" // of no page of the run

	// Of what is pushed by OTLP.
	CauseRefusedPoints  = "refused-points"
	CauseTwoWriters     = "two-writers"
	CauseSharedResource = "shared-resource" // two instances say that they are one
	CauseValueFell      = "value-fell"      // of a cumulative stream, with the same start
	CauseStartMissing   = "start-missing"
	CauseStartMoves     = "start-moves"
	CauseTemporality    = "wrong-temporality"
	CauseOverlap        = "windows-overlap"
	CauseOtherValue     = "other-value"

	// Of an autoscaler.
	CauseNotReplayed = "decision-not-replayed"  // a decision does not follow from what the store held
	CauseTooSmall    = "misled-too-small"       // the metric made it decide for fewer instances than the truth
	CauseTooBig      = "misled-too-big"         // for more
	CauseMissingZero = "missing-taken-for-zero" // nobody measured, and that was taken for no load
	CauseDeadCounted = "dead-still-counted"     // the expression has instances that are gone
	CauseTooLate     = "scaled-late"
	CauseOvershoot   = "overshoot"
	CauseFlapping    = "flapping"
	CauseCostly      = "costly-fleet"
)
