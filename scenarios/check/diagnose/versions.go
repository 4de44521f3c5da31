package diagnose

import "slices"

// outside are causes that lie in no version of the application: a network, a collector or a stranger strikes instances
// of any.
var outside = map[string]bool{NetLost: true, NetTwice: true, Away: true, ForeignLines: true}

// ofLoad is what it costs to think that a version is struck, and another one under the same load is not, by a cause that
// the load brings about: then the version has changed what holds against it too.
var ofLoad = map[string]float64{QueueFull: 4}

// byVersion scores a hypothesis about the accounts of a set.
func (h *hypothesis) byVersion(k *court, set, sound []int) fit {
	own := h.ofVersion(k, set, sound)
	f := h.fit(k, set, own)
	if cost, loaded := ofLoad[h.cause]; loaded && len(own) < len(sound) {
		f.shared -= cost
		return f.or(h.fit(k, set, sound))
	}
	return f
}

// ofVersion leaves of the sound accounts those that can speak against a hypothesis about the accounts of a set. What is
// wrong with one version of the application needs not be wrong with another, of which no instance is struck: that none
// of these lost anything is what it predicts.
func (h *hypothesis) ofVersion(k *court, set, sound []int) []int {
	if outside[h.cause] {
		return sound
	}
	return slices.DeleteFunc(slices.Clone(sound), func(i int) bool {
		return !slices.ContainsFunc(set, func(j int) bool { return k.tracks[j].Life.Version == k.tracks[i].Life.Version })
	})
}
