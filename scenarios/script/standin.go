package script

import (
	"fmt"
	"slices"
)

// The words that stand for an instance whose name nobody can know beforehand: one of those that serve at that moment.
const (
	Newest = "newest" // launched last
	Oldest = "oldest"
	AnyOne = "any" // drawn from the run's seed
)

// StandsIn tells whether what a step has in the place of an instance's name is one of these words.
func StandsIn(instance string) bool {
	return instance == Newest || instance == Oldest || instance == AnyOne
}

// endOne takes away whom a word stands for, as far as that is known.
func (f *fleet) endOne(word string, m Move) error {
	if err := f.someone(m); err != nil {
		return err
	}
	switch {
	case word == AnyOne:
		f.unsure = true
		fallthrough // one fewer, whoever it is
	case word == Newest:
		if !f.scaled { // else an autoscaler may have launched others
			f.live = f.live[:len(f.live)-1]
		}
	case len(f.live) > 0: // an autoscaler ends the newest first
		f.live = f.live[1:]
	}
	return nil
}

// someone tells why there is nobody whom a word could stand for.
func (f *fleet) someone(m Move) error {
	if len(f.live) == 0 && !f.scaled {
		return fmt.Errorf("%v: no instance is alive at that point", m)
	}
	return nil
}

// find gives the place among the living of an instance that a step names.
func (f *fleet) find(instance string, m Move) (int, error) {
	at := slices.Index(f.live, instance)
	switch {
	case f.unsure:
		return 0, fmt.Errorf("%v: a step before it ends any instance, so nobody knows who is alive at that point: want newest, oldest or any", m)
	case at >= 0:
		return at, nil
	case f.scaled:
		return 0, fmt.Errorf("%v: beside an autoscaler only those that run from the start have names that are known beforehand (have %s): want one of these, or newest, oldest or any", m, f.have())
	}
	return 0, f.absent(m)
}

// unscaled refuses a move that an autoscaler would undo.
func (f *fleet) unscaled(m Move) error {
	if f.scaled {
		return fmt.Errorf("%v: the autoscaler would undo it: remove it, or change the load, which the autoscaler follows", m)
	}
	return nil
}
