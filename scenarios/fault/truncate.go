package fault

import "math/rand/v2"

// Truncate cuts datagrams to a number of bytes, as a reader with a buffer that
// is too small does.
func Truncate(bytes int) Tamper {
	return func(p *Parcel, _ *rand.Rand) bool {
		if len(p.Payload) <= bytes {
			return false
		}
		p.Payload = p.Payload[:bytes]
		return true
	}
}
