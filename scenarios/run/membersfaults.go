package run

import (
	"context"

	"throughline/compose"
	"throughline/compose/mongoset"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The faults of members of the database.

// freezePrimary makes the fault of that name. While the primary stands still, another one is elected; when it goes on it takes
// itself for the primary until it hears of that.
func (f *faults) freezePrimary(script.FreezePrimary, string) fault.Fault {
	s := f.database.members
	return fault.OfMember{
		Whom: f.member(s.primary),
		Do: func(name string) fault.Fault {
			return fault.Freeze{Instances: func() ([]compose.Handle, error) {
				if name == "" {
					return f.lives.find(s.names()...)
				}
				return f.lives.find(name)
			}}
		},
		Seen: func(ctx context.Context, name string) error { _, err := s.awaitPrimary(ctx, name); return err },
		Back: func(ctx context.Context, name string) error {
			if err := s.sidelined(ctx, name, func(state mongoset.State) bool { return !state.Primary }); err != nil {
				return err
			}
			return s.join(ctx, name)
		},
	}
}

// isolate makes the fault of that name.
func (f *faults) isolate(what script.IsolateMember, _ string) fault.Fault {
	s := f.database.members
	whom := s.primary
	if what.Member == script.Secondary {
		whom = s.secondary
	}
	return fault.OfMember{
		Whom: f.member(whom),
		Do:   func(name string) fault.Fault { return fault.Isolate{Peers: s.peers, Name: name} },
		Seen: func(ctx context.Context, name string) error {
			if what.Member == script.Primary {
				if _, err := s.awaitPrimary(ctx, name); err != nil {
					return err
				}
			}
			return s.sidelined(ctx, name, func(state mongoset.State) bool { return !state.Primary && !state.Secondary })
		},
		Back: s.join,
	}
}

// member notes whom a fault is done to.
func (f *faults) member(whom func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (name string, err error) {
		name, err = whom(ctx)
		f.whom = name
		return name, err
	}
}

// secondary is who follows the primary: the last of those that do.
func (s *replicaSet) secondary(ctx context.Context) (string, error) {
	addr, err := mongoset.Secondary(ctx, s.living())
	return s.nameOf(addr), err
}

// sidelined waits until a member says itself that it has its part no more, and says so.
func (s *replicaSet) sidelined(ctx context.Context, name string, out func(mongoset.State) bool) error {
	if err := mongoset.Await(ctx, s.addrOf(name), "to know that it has lost its part", out); err != nil {
		return err
	}
	s.journal.event(record.Event{Kind: record.Sidelined, Instance: name, Role: record.Database})
	return nil
}
