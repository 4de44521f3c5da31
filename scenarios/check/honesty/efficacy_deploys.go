package honesty

import (
	"fmt"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// deployed is proved as a roll is, of all or of as many as the canary says.
func (m *moves) deployed(t taken, move script.Deploy) []string {
	return m.rolled(t, move.Web.Version, move.Canary)
}

// rolledBack is proved as a roll of all is.
func (m *moves) rolledBack(t taken, move script.Rollback) []string {
	return m.rolled(t, move.Version, 0)
}

// rolled is proved when as many instances of the version were born in the step and came to serve as were to be
// replaced, when these were terminated, and, unless it was a canary, when nobody of another version serves any more. Where
// an autoscaler acts, it may have ended some of them first, whom nobody has to follow.
func (m *moves) rolled(t taken, version string, canary int) []string {
	old := m.ofOthers(t.step.Role, version, t.begin)
	want, beside := len(old), t.step.Role == "" && m.e.Scenario.Autoscale != nil
	if canary > 0 {
		old = m.endedWithin(old, t)
		if want = canary; len(old) < canary {
			m.fails(t.step, "", t.begin, "%d of %d instances of other versions were terminated", len(old), canary)
		}
	} else if beside {
		want = min(want, 1)
	}
	did := m.bornOf(t, version, want)
	for _, name := range old {
		did = append(did, m.terminated(t, name, true)...)
	}
	if canary > 0 {
		return did
	}
	for _, name := range m.ofOthers(t.step.Role, version, t.end) {
		m.fails(t.step, name, t.end, "%s of version %q still serves", name, m.life(name).Version)
	}
	return did
}

// ofOthers are those that serve at some time, are of another version, and nobody is ending yet.
func (m *moves) ofOthers(role, version string, at time.Duration) (names []string) {
	for _, l := range m.e.LivesOf(role) {
		leaving := l.Draining != record.Never && l.Draining < at
		if l.Version != version && l.Serving != record.Never && l.Serving <= at && l.Alive(at) && !leaving {
			names = append(names, l.Instance)
		}
	}
	return names
}

// endedWithin are those of some whose end began in a step.
func (m *moves) endedWithin(names []string, t taken) (ended []string) {
	for _, name := range names {
		if at := m.life(name).Draining; at >= t.begin && at <= t.end {
			ended = append(ended, name)
		}
	}
	return ended
}

// bornOf are those of a version that were born in a step and came to serve: so many at least.
func (m *moves) bornOf(t taken, version string, want int) (did []string) {
	complaints := len(m.out)
	for _, l := range m.e.LivesOf(t.step.Role) {
		switch {
		case l.Version != version || l.Birth == record.Never || l.Birth < t.begin || l.Birth > t.end:
		case l.Serving == record.Never:
			m.fails(t.step, l.Instance, l.Birth, "%s was born at %s and never came to serve", l.Instance, words.Seconds(l.Birth))
		default:
			did = append(did, fmt.Sprintf("%s of %s serving at %s", l.Instance, version, words.Seconds(l.Serving)))
		}
	}
	if len(did) < want && len(m.out) == complaints {
		m.fails(t.step, "", t.begin, "%d of %d instances of version %s came to serve", len(did), want, version)
	}
	return did
}
