package statsd

import "throughline/collector/dogstatsd"

// fate is what becomes of a line. Those below bads are bad lines, the first of
// them dogstatsd.Reason; from there to accepted they are refused by a limit.
type fate uint8

const (
	conflict      = fate(dogstatsd.Reasons) + iota // its series' name belongs to another metric or type
	negativeCount                                  // a counter can not fall
	overflow                                       // the sum would be no finite number
	truncated                                      // its end was cut off with that of its payload
	bads

	tooManySeries = fate(dogstatsd.Reasons) + iota - 1 // Config.MaxSeries
	tooManyTotal                                       // Config.MaxSeriesTotal
	unknownOrigin                                      // Config.MaxOrigins
	manyTags                                           // Config.MaxTags
	longName                                           // Config.MaxName
	longTagValue                                       // Config.MaxTagValue
	manyBuckets                                        // bucketsPerSeries
	heldFull                                           // Config.MaxHeld
	late                                               // its interval was given out already
	early                                              // its time is too far ahead
	accepted                                           // it was added up
	held                                               // it waits for its time
	told                                               // it is an event
	checked                                            // it is a service check
	fates                                              // how many there are
)

// String is the fate as a label value.
func (f fate) String() string {
	if f < fate(dogstatsd.Reasons) {
		return dogstatsd.Reason(f).String()
	}
	names := [...]string{"conflict", "negative_count", "overflow", "truncated", "series", "total_series", "origins", "tags", "name",
		"tag_value", "buckets", "held", "late", "early", "accepted", "waiting", "event", "service_check"}
	if i := int(f) - int(dogstatsd.Reasons); i < len(names) {
		return names[i]
	}
	return "unknown"
}
