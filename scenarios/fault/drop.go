package fault

import "math/rand/v2"

// Drop loses a share of the datagrams, as a full socket buffer or a network does.
func Drop(share float64) Tamper {
	return func(p *Parcel, random *rand.Rand) bool {
		if random.Float64() >= share {
			return false
		}
		p.Copies = 0
		return true
	}
}
