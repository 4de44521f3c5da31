package fault

import (
	"math/rand/v2"
	"time"
)

// Delay holds every datagram back for a time. Their order stays.
func Delay(by time.Duration) Tamper {
	return func(p *Parcel, _ *rand.Rand) bool {
		p.Late = by
		return true
	}
}
