package script

import "fmt"

// Secondary stands for a member of the database that follows the primary.
const Secondary = "secondary"

// FreezePrimary stops the member of the database that takes the writes in the midst of whatever it does (SIGSTOP), for
// longer than the others wait for it: when it goes on, another one has its part.
type FreezePrimary struct{}

// Name implements [Fault].
func (FreezePrimary) Name() string { return "freeze-primary" }

// IsolateMember cuts a member of the database off from the others, in both directions; clients reach it all the while.
type IsolateMember struct{ Member string } // Primary or Secondary: one of those at that moment

// Name implements [Fault].
func (IsolateMember) Name() string   { return "isolate-member" }
func (f IsolateMember) whom() string { return f.Member }

func readIsolate(m mapping) IsolateMember {
	if v, ok := m.get("member"); ok {
		return IsolateMember{v.oneOf(Primary, Secondary)}
	}
	return IsolateMember{Primary}
}

// sideline plays that a fault keeps a member from its part, unless so few would be left that they could not elect a primary.
func (s *members) sideline(m Move) error {
	if err := s.lead(m); err != nil {
		return err
	}
	if err := s.outvoted(m); err != nil {
		return err
	}
	s.aside++
	return nil
}

// outvoted tells why one member less could not be done without.
func (s *members) outvoted(m Move) error {
	if left := s.set - s.dead - s.aside - 1; left <= s.set/2 {
		return fmt.Errorf("%v: %d of %d members would be left, who elect no primary: want %s before it", m, left, s.set, s.remedy())
	}
	return nil
}

// remedy is what has to be done before so that more are left.
func (s *members) remedy() string {
	if s.aside > 0 {
		return "heal"
	}
	return "launch: member"
}
