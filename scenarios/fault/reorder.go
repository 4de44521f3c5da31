package fault

import "math/rand/v2"

// Reorder sends a share of the datagrams after the one that follows.
func Reorder(share float64) Tamper {
	return func(p *Parcel, random *rand.Rand) bool {
		// Of two in a row only the first is held back: else they would
		// change places with nobody.
		if random.Float64() >= share || p.Waiting {
			return false
		}
		p.Behind = true
		return true
	}
}
