package honesty

import (
	"slices"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// of proves a move on the instance that a step names, or for which its word stood: the journal tells for whom, and that
// must not contradict the word.
func (m *moves) of(t taken, instance string, proof func(t taken, name string) []string) []string {
	if !script.StandsIn(instance) {
		return proof(t, instance)
	}
	if t.whom == "" {
		m.fails(t.step, "", t.begin, "the journal does not tell for whom %s stood", instance)
		return nil
	}
	if other := m.nearer(t, instance); other != "" {
		m.fails(t.step, t.whom, t.begin, "%s was not the %s at %s: %s served all along", t.whom, instance, words.Seconds(t.begin), other)
		return nil
	}
	return proof(t, t.whom)
}

// nearer is an instance to which a word would have applied rather than to whom the step took: one that served when the
// step began, and that nobody had begun to end when it was over. Who came or went meanwhile contradicts nothing.
func (m *moves) nearer(t taken, word string) string {
	for _, name := range m.servingAt(t.step.Role, t.begin) {
		if name == t.whom || !slices.Contains(m.servingAt(t.step.Role, t.end), name) {
			continue
		}
		order := record.CompareNames(name, t.whom)
		if word == script.Newest && order > 0 || word == script.Oldest && order < 0 {
			return name
		}
	}
	return ""
}
