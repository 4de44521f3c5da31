package fault

import "math/rand/v2"

// Duplicate delivers a share of the datagrams twice, as UDP may.
func Duplicate(share float64) Tamper {
	return func(p *Parcel, random *rand.Rand) bool {
		if random.Float64() >= share {
			return false
		}
		p.Copies = 2
		return true
	}
}
