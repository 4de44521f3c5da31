package statsd

import (
	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"
)

// members are those of a set in one interval: as they are, by their hashes, or
// estimated when there are many.
//
// Of two hashes of 64 bits one pair in 10^19 is the same: with 10,000 members
// the number is one too low once in 10^11 intervals.
type members struct {
	exact  map[uint64]struct{}
	sketch *hyperloglog.Sketch // nil while the number is exact
}

func hashMember(member []byte) uint64 { return xxhash.Sum64(member) }

// exactSets is how many times Config.SetExact all sets together may have.
const exactSets = 100

// add counts a member.
func (m *members) add(hash uint64, shared *shared) {
	if m.sketch != nil {
		m.sketch.InsertHash(hash)
		return
	}
	if _, known := m.exact[hash]; known {
		return
	}
	most := shared.cfg.SetExact
	if total := shared.members.Add(1); len(m.exact) >= most || total > int64(most)*exactSets {
		m.estimate(shared)
		m.sketch.InsertHash(hash)
		shared.members.Add(-1)
		return
	}
	if m.exact == nil {
		m.exact = map[uint64]struct{}{}
	}
	m.exact[hash] = struct{}{}
}

// estimate goes over to estimating.
func (m *members) estimate(shared *shared) {
	m.sketch = hyperloglog.New14()
	for hash := range m.exact {
		m.sketch.InsertHash(hash)
	}
	shared.members.Add(-int64(len(m.exact)))
	m.exact = nil
}

// number is how many there are.
func (m *members) number() (n float64, estimated bool) {
	if m.sketch != nil {
		return float64(m.sketch.Estimate()), true
	}
	return float64(len(m.exact)), false
}

// keepRoom is up to how many members the memory for them is kept for the next
// interval.
const keepRoom = 256

// forget begins the next interval.
func (m *members) forget(shared *shared) {
	shared.members.Add(-int64(len(m.exact)))
	m.sketch = nil
	if len(m.exact) > keepRoom {
		m.exact = nil
	} else {
		clear(m.exact)
	}
}
