package otlp

// verdict is what became of a request as a whole.
type verdict uint8

const (
	read verdict = iota
	badEncoding
	tooLong
	brokenOff // the sender was gone before its end: it was not answered, and who lives sends it again
	elsewhere // it is no request for metrics: traces, logs, a browser
	verdicts
)

// String is the verdict as it is in the label reason.
func (v verdict) String() string {
	return [...]string{"read", "bad_encoding", "too_long", "broken_off", "elsewhere"}[v]
}

// fate is what became of a point.
type fate uint8

const (
	accepted  fate = iota
	duplicate      // the same point of a client that tried again
	late           // a cumulative point that is older than one before: that told as much
	noValue        // it says itself that there is none

	// What follows was refused: what it says is lost.
	isSummary
	noTemporality
	badValue
	negative
	badBuckets
	noName
	longName
	longValue
	manyAttributes
	conflict
	manySeries
	manyTotal
	manyBuckets
	manyInstances
	fates
)

// String is the fate as it is in the label reason.
func (f fate) String() string {
	return [...]string{"accepted", "duplicate", "late", "no_value", "summary", "no_temporality", "bad_value", "negative_count", "bad_buckets", "no_name",
		"long_name", "long_value", "too_many_attributes", "conflict", "too_many_series", "too_many_series_total", "too_many_buckets", "too_many_instances"}[f]
}
