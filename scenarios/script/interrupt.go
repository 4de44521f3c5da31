package script

import (
	"errors"
	"fmt"
	"time"
)

// The notice of an interruption. EC2 gives two minutes; a run has not that long.
const (
	defaultNotice = 2 * time.Second
	longestNotice = 2 * time.Minute
)

// Interrupt takes an instance away as a cloud takes its own back: notice first, and SIGTERM when that is over.
type Interrupt struct {
	Instance string        // or a word that stands for one
	Notice   time.Duration // from the notice to SIGTERM
	Abrupt   bool          // the load balancer does not drain it meanwhile
}

// Kind implements [Move].
func (Interrupt) Kind() string { return "interrupt" }

// String implements [Move].
func (m Interrupt) String() string {
	text := fmt.Sprintf("%s %s, notice: %s", m.Kind(), m.Instance, show(m.Notice))
	if m.Abrupt {
		text += ", without draining"
	}
	return text
}

// Target implements [Move].
func (m Interrupt) Target() string { return m.Instance }

func (m Interrupt) play(f *fleet) error {
	if !f.cloud {
		return fmt.Errorf("%v: %w", m, errNoCloud)
	}
	return f.end(m.Instance, m)
}

var errNoCloud = errors.New("nobody gives notice here: want stack: {cloud: yes}, where a metadata service does")

func readInterrupt(what value, m mapping) Interrupt {
	i := Interrupt{Instance: what.line(wantInstance), Notice: defaultNotice}
	if v, ok := m.get("notice"); ok {
		if i.Notice = v.duration(shortest); i.Notice > longestNotice {
			v.failf("%s is out of range: want %s to %s", show(i.Notice), show(shortest), show(longestNotice))
		}
	}
	if v, ok := m.get("drain"); ok {
		i.Abrupt = v.oneOf("yes", "no") == "no"
	}
	return i
}

// noticeOf is how long a move waits before it ends anybody.
func noticeOf(m Move) time.Duration {
	if i, ok := m.(Interrupt); ok {
		return i.Notice
	}
	return 0
}

// outlasts complains about a step that would be over with the notice, or while an agent is away.
func (s Step) outlasts(m mapping) {
	notice := noticeOf(s.Move)
	if v, ok := m.get("within"); ok && s.Within > 0 && AwayOf(s.Move) > 0 && s.Within <= AwayOf(s.Move) {
		v.failf("%s is over before another agent comes, after %s: want longer", show(s.Within), show(AwayOf(s.Move)))
		return
	}
	if v, ok := m.get("within"); ok && s.Within > 0 && s.Within <= notice {
		v.failf("%s is over when the notice of %s is: want longer", show(s.Within), show(notice))
	}
}
