// Package dogstatsd reads the wire format of StatsD with Datadog's extensions:
// one datagram in, its lines out. It is a pure parser: it keeps no state
// between datagrams, opens no socket, adds nothing up and knows no series.
//
// collector/statsd calls it for every datagram, so a Scanner allocates nothing
// for a metric; what it allocates for an event or a service check are the words
// it hands out. Junk never stops the rest of its datagram; each bad line is
// handed out with the reason.
//
// Beside DogStatsD's lines it takes those of etsy's StatsD: several typed samples
// after one name ("a:1|ms:2|ms|@0.5"), and blanks around values, types and rates.
//
// It is stricter than Datadog's agent: a line of which a part can not be
// understood (a number, a rate, one of packed values, the lengths of an event)
// is bad as a whole, so that no wrong number comes out of it unseen.
//
// Format: DogStatsD 1.0 to 1.6,
// https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/ and
// https://github.com/statsd/statsd/blob/master/docs/metric_types.md
package dogstatsd

// Type is the type field of a line.
type Type uint8

// The types of lines.
const (
	Count        Type = iota + 1 // c
	Gauge                        // g
	Timing                       // ms
	Histogram                    // h
	Distribution                 // d
	Set                          // s
)

// String is the type as it is written on the wire.
func (t Type) String() string {
	names := [...]string{"unknown", "c", "g", "ms", "h", "d", "s"}
	if int(t) >= len(names) {
		return names[0]
	}
	return names[t]
}

// Reason is why a line is bad.
type Reason uint8

// The reasons, in the order in which a line is looked at.
const (
	NoName          Reason = iota // nothing before the first colon
	BadName                       // a bar before the first colon: a line that is cut has none
	NoValue                       // no colon, or nothing after it
	NoType                        // no type after the value
	UnknownType                   // a type other than c, g, ms, h, d and s
	BadValue                      // a value that is no finite decimal number, or is missing between two colons
	BadRate                       // a sample rate that is no number, or not in (0, 1]
	BadTimestamp                  // |T without a positive whole number of seconds
	BadEvent                      // _e{ without a title, or with lengths that are not those of its title and text
	BadServiceCheck               // _sc| without a name, or with a status other than 0 to 3
	Reasons                       // how many reasons there are
)

// String is the reason as a label value: "bad_value".
func (r Reason) String() string {
	names := [...]string{"no_name", "bad_name", "no_value", "no_type", "unknown_type", "bad_value", "bad_rate", "bad_timestamp",
		"bad_event", "bad_service_check"}
	if int(r) >= len(names) {
		return "unknown"
	}
	return names[r]
}

// Value is one number of a line.
type Value struct {
	Number float64
	// Signed tells that the number was written with + or -. StatsD takes a
	// signed gauge for a change of its present value.
	Signed bool
}

// Line is one metric line. Its slices point into the datagram and into the
// Scanner, and hold until the next call of Next.
type Line struct {
	Name   []byte // never empty; any bytes but : and |; see SplitName
	Type   Type
	Values []Value // one or more (packed, protocol 1.1); empty for a Set
	Member []byte  // the value of a Set, which need not be a number
	// Rate is the sample rate in (0, 1]; 1 where none was sent. Of a Gauge or
	// a Set it is always 1: how often its sender kept silent says nothing of
	// its value, and Datadog's agent and StatsD ignore it there too.
	// Source: https://github.com/DataDog/datadog-agent, pkg/metrics/gauge.go and set.go
	Rate float64
	Tags []byte // after the #, not taken apart; see NextTag

	Timestamp   int64  // |T, seconds since 1970 (protocol 1.3); 0 = none
	Container   []byte // |c: (protocols 1.2 and 1.4)
	External    []byte // |e: (protocol 1.5)
	Cardinality []byte // |card: (protocol 1.6)
}
