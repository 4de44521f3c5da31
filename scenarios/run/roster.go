package run

import (
	"slices"
	"sync"

	"throughline/live"
	"throughline/scenarios/record"
)

// Roster lists the instances of the application in a run for somebody who is not part of it. It serves
// several runs, one after the other; before, between and behind them there is nobody. Its
// methods may be called by several goroutines at once. Nobody is on its nil.
type Roster struct {
	mu  sync.Mutex
	bed *testbed // nil: no stack is there
}

// Hosts are the instances of the application that live, role by role, oldest first.
func (r *Roster) Hosts() []live.Host {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	bed := r.bed
	r.mu.Unlock()
	if bed == nil {
		return nil
	}
	return bed.lives.hosts()
}

// of has it list the instances of a stack; nil: of none.
func (r *Roster) of(bed *testbed) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bed = bed
}

// hosts are those of all roles that live, in the order of their names.
func (l *lives) hosts() (all []live.Host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return nil
	}
	for name, one := range l.all {
		if !one.role.Application() || one.dead {
			continue
		}
		h := live.Host{Name: name, Role: string(one.role), Addr: one.Addr("http"), Zone: one.zone, Version: one.version, Serving: one.serving}
		if c := one.cloud; c != nil {
			h.Cloud = &live.CloudHost{ID: c.ID, Type: c.Type, Zone: c.Zone, Launched: c.Launched, Tags: c.Tags}
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b live.Host) int { return record.CompareNames(a.Name, b.Name) })
	return all
}
