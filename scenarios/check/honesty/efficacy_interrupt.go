package honesty

import (
	"fmt"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// interrupted is proved when the metadata service served a notice, the instance was drained
// if it had to be, SIGTERM did not come before the deadline of the notice, and it ended. One
// that asks for notices must have been told of this one before.
func (m *moves) interrupted(t taken, name string, move script.Interrupt) []string {
	notice, given := m.noticeOf(name, t.begin)
	drained := m.firstEvent(record.Draining, name, "", t.begin)
	sent := m.firstEvent(record.Signalled, name, "SIGTERM", t.begin)
	gone := m.firstEvent(record.Death, name, "", t.begin)
	asked, told := m.askedFor(record.Asked, name), m.askedFor(record.Told, name)
	end := sent
	if end == record.Never {
		end = gone
	}
	switch {
	case !given:
		m.fails(t.step, name, t.begin, "%s was given no notice", name)
	case drained == record.Never && !move.Abrupt:
		m.fails(t.step, name, notice.At, "%s was not drained", name)
	case end == record.Never:
		m.fails(t.step, name, notice.At, "%s was never sent SIGTERM, and did not end by itself", name)
	case sent != record.Never && sent < notice.Deadline:
		m.fails(t.step, name, sent, "%s got SIGTERM at %s, before the %s that its notice said", name, words.Seconds(sent), words.Seconds(notice.Deadline))
	case gone < end:
		m.fails(t.step, name, end, "%s got SIGTERM at %s and was not seen to die after it", name, words.Seconds(sent))
	case asked != record.Never && asked < end && (told == record.Never || told > end):
		m.fails(t.step, name, notice.At, "%s asks for notices since %s, and did not from %s to %s, so it knew nothing; want a longer notice than %s", name,
			words.Seconds(asked), words.Seconds(notice.At), words.Seconds(end), move.Notice)
	default:
		return []string{m.interruption(name, notice.At, told, drained, sent, gone)}
	}
	return nil
}

// interruption tells how an instance was interrupted.
func (m *moves) interruption(name string, given, told, drained, sent, gone time.Duration) string {
	text := fmt.Sprintf("%s given notice at %s", name, words.Seconds(given))
	if told == record.Never {
		text += ", which it does not ask for"
	} else {
		text += fmt.Sprintf(", told at %s", words.Seconds(told))
	}
	if drained != record.Never {
		text += fmt.Sprintf(", drained at %s", words.Seconds(drained))
	}
	if sent == record.Never {
		return text + fmt.Sprintf(", gone by itself at %s", words.Seconds(gone))
	}
	return text + fmt.Sprintf(", SIGTERM at %s, gone at %s%s", words.Seconds(sent), words.Seconds(gone), m.untidy(name))
}

// noticeOf is the first notice that an instance was given from a time on.
func (m *moves) noticeOf(name string, from time.Duration) (record.Event, bool) {
	for _, ev := range m.e.EventsOf(name) {
		if ev.Kind == record.Noticed && ev.At >= from {
			return *ev, true
		}
	}
	return record.Event{}, false
}

// askedFor is when an instance first asked for a notice, or was told of one.
func (m *moves) askedFor(kind record.Kind, name string) time.Duration {
	for _, ev := range m.e.EventsOf(name) {
		if ev.Kind == kind && ev.About == record.AboutNotice {
			return ev.At
		}
	}
	return record.Never
}
