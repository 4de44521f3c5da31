package script

import (
	"fmt"
	"time"
)

// wantInstance is what the key of a step on one instance takes.
const wantInstance = "the name of an instance, like web-2"

// Kill ends an instance without warning (SIGKILL).
type Kill struct {
	Instance string        // or a word that stands for one, or Primary, or an agent
	Away     time.Duration // until another agent takes the place of one
}

// Kind implements [Move].
func (Kill) Kind() string { return "kill" }

// String implements [Move].
func (m Kill) String() string { return m.Kind() + " " + m.Instance + awayText(m.Away) }

// Target implements [Move].
func (m Kill) Target() string { return m.Instance }

func (m Kill) play(f *fleet) error {
	if m.Instance == Primary {
		return f.members.kill(m)
	}
	if number, agent := AgentNumber(m.Instance); agent {
		return f.endAgent(number, m)
	}
	return f.end(m.Instance, m)
}

func readKill(what value, m mapping) Kill {
	k := Kill{Instance: what.line(wantInstance)}
	k.Away = m.away(k.Instance)
	return k
}

// Terminate drains an instance, asks it to end (SIGTERM), and waits until it has.
type Terminate struct {
	Instance string        // or a word that stands for one, or an agent
	Abrupt   bool          // without draining it first
	Away     time.Duration // until another agent takes the place of one
}

// Kind implements [Move].
func (Terminate) Kind() string { return "terminate" }

// String implements [Move].
func (m Terminate) String() string {
	if m.Abrupt {
		return m.Kind() + " " + m.Instance + " without draining"
	}
	return m.Kind() + " " + m.Instance + awayText(m.Away)
}

// Target implements [Move].
func (m Terminate) Target() string { return m.Instance }

func (m Terminate) play(f *fleet) error {
	if number, agent := AgentNumber(m.Instance); agent {
		return f.endAgent(number, m)
	}
	return f.end(m.Instance, m)
}

func readTerminate(what value, m mapping) Terminate {
	t := Terminate{Instance: what.line(wantInstance)}
	if v, ok := m.get("drain"); ok {
		if t.Abrupt = v.oneOf("yes", "no") == "no"; isAgent(t.Instance) {
			v.failf("an agent is in no load balancer, which could drain it: remove it")
		}
	}
	t.Away = m.away(t.Instance)
	return t
}

// Launch starts new instances, or a new member of the database.
type Launch struct {
	Count  int
	Member bool // Count is 1
}

// Kind implements [Move].
func (Launch) Kind() string { return "launch" }

// String implements [Move].
func (m Launch) String() string {
	if m.Member {
		return m.Kind() + " " + member
	}
	return fmt.Sprintf("%s %d", m.Kind(), m.Count)
}

// Target implements [Move].
func (Launch) Target() string { return "" }

func (m Launch) play(f *fleet) error {
	if m.Member {
		return f.members.launch(m)
	}
	if err := f.unscaled(m); err != nil {
		return err
	}
	if n := f.alive() + m.Count; n > MaxInstances {
		return fmt.Errorf("%v: %d instances would be alive, want at most %d", m, n, MaxInstances)
	}
	f.launch(m.Count)
	return nil
}

func readLaunch(what value, _ mapping) Launch {
	if plain(what.node) == member {
		return Launch{Count: 1, Member: true}
	}
	return Launch{Count: what.instances(1)}
}

// ReplaceAll is the [Replace.Instance] that stands for every instance that is alive at that point, one after the other.
const ReplaceAll = "all"

// Replace launches an instance, waits until it serves, and terminates the old one.
type Replace struct{ Instance string } // or ReplaceAll, or a word that stands for one

// Kind implements [Move].
func (Replace) Kind() string { return "replace" }

// String implements [Move].
func (m Replace) String() string { return m.Kind() + " " + m.Instance }

// Target implements [Move].
func (m Replace) Target() string { return m.Instance }

// play launches before it terminates, so one more is alive meanwhile.
func (m Replace) play(f *fleet) error {
	all := m.Instance == ReplaceAll
	var err error
	if all || StandsIn(m.Instance) {
		err = f.someone(m)
	} else {
		_, err = f.find(m.Instance, m)
	}
	if err != nil {
		return err
	}
	if n := f.alive() + 1; n > MaxInstances {
		return fmt.Errorf("%v: %d instances would be alive meanwhile, want at most %d", m, n, MaxInstances)
	}
	fresh, old := 1, len(f.live)
	if all {
		fresh, f.live = old, nil
	} else if err := f.end(m.Instance, m); err != nil {
		return err
	}
	if !f.scaled { // else the autoscaler's launches have taken unknown numbers
		f.launch(fresh)
	}
	return nil
}

func readReplace(what value, _ mapping) Replace { return Replace{what.line(wantInstance)} }

// Scale launches or terminates (the newest first) until as many run as told.
type Scale struct{ Count int }

// Kind implements [Move].
func (Scale) Kind() string { return "scale" }

// String implements [Move].
func (m Scale) String() string { return fmt.Sprintf("%s %d", m.Kind(), m.Count) }

// Target implements [Move].
func (Scale) Target() string { return "" }

func (m Scale) play(f *fleet) error {
	if err := f.unscaled(m); err != nil {
		return err
	}
	if m.Count == len(f.live) {
		return fmt.Errorf("%v: that many are alive at that point, so nothing would happen (have %s)", m, f.have())
	}
	if n := f.alive() + m.Count - len(f.live); n > MaxInstances {
		return fmt.Errorf("%v: %d instances would be alive, want at most %d", m, n, MaxInstances)
	}
	f.launch(m.Count - len(f.live))
	f.live = f.live[:m.Count]
	return nil
}

func readScale(what value, _ mapping) Scale { return Scale{what.instances(1)} }
