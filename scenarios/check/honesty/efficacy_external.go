package honesty

import (
	"fmt"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// terminatedThere is proved, of an instance of a stack that was there already, when the user's command had been executed and the
// user's probe found it gone. How it ended, and whether it was drained, nobody saw.
func (m *moves) terminatedThere(t taken, name string) []string {
	sent := m.firstEvent(record.Signalled, name, "SIGTERM", t.begin)
	gone := m.firstEvent(record.Death, name, "", t.begin)
	switch {
	case sent == record.Never:
		m.fails(t.step, name, t.begin, "%s was never told to end", name)
	case gone < sent:
		m.fails(t.step, name, sent, "%s was told to end at %s and was not seen to be gone after it", name, words.Seconds(sent))
	default:
		return []string{fmt.Sprintf("%s told to end at %s, gone by %s", name, words.Seconds(sent), words.Seconds(gone))}
	}
	return nil
}
