package script

import "fmt"

// Primary stands for the member of the database that takes the writes at that moment.
const Primary = "primary"

// member is what `launch` starts another one of, beside instances.
const member = "member"

// StepDown has the primary hand its part over to another member.
type StepDown struct{}

// Kind implements [Move].
func (StepDown) Kind() string { return "step_down" }

// String implements [Move].
func (m StepDown) String() string { return m.Kind() + " " + Primary }

// Target implements [Move].
func (StepDown) Target() string { return Primary }

func (m StepDown) play(f *fleet) error { return f.members.lead(m) }

func readStepDown(what value, _ mapping) StepDown {
	what.oneOf(Primary)
	return StepDown{}
}

// members are those of the database at that point, if every step did what it is meant to do.
type members struct {
	set   int // who is in the set, dead ones too, until another takes their place; 0: there is none
	dead  int
	aside int // alive, and kept from their part by a fault
}

func membersOf(s Stack) members { return members{set: s.Members} }

// lead tells why there is no primary that a move could be made on.
func (s *members) lead(m Move) error {
	if s.set == 0 {
		return fmt.Errorf("%v: the database has no members: want stack.mongo: {members: 3}", m)
	}
	return nil
}

// kill kills the primary, unless so few would be left that they could not elect another one.
func (s *members) kill(m Move) error {
	if err := s.lead(m); err != nil {
		return err
	}
	if err := s.outvoted(m); err != nil {
		return err
	}
	s.dead++
	return nil
}

// launch puts another member in the place of those that are dead.
func (s *members) launch(m Move) error {
	if err := s.lead(m); err != nil {
		return err
	}
	if s.set-s.dead+1 > MostMembers {
		return fmt.Errorf("%v: the database would have %d members, want at most %d", m, s.set-s.dead+1, MostMembers)
	}
	s.set, s.dead = s.set-s.dead+1, 0
	return nil
}
