package evidence

import "math"

// Settle is for how many intervals the last counts of an instance are followed
// after its death; what comes later still is in the total. As many before a
// SIGKILL tell what was missing already.
const Settle = 5

// Whole rounds what a series says to a number of requests: 799.6 is 800, NaN is 0. What is
// beyond mostWhole stays there, so that it is neither taken for nothing nor too large to be
// added up.
func Whole(v float64) int64 {
	if math.IsNaN(v) {
		return 0
	}
	return int64(math.Round(min(max(v, -mostWhole), mostWhole)))
}

// mostWhole is up to where a float tells whole numbers apart.
const mostWhole = 1 << 53
