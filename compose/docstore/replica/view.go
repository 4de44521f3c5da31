package replica

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Role is what a member is in its set.
type Role int

// The roles.
const (
	Uninitiated Role = iota // it knows of no set yet
	Starting                // it has not caught up with the others, or nobody has the lead
	Secondary               // it follows a primary
	Primary                 // it takes writes, and has applied all that was acknowledged before
	Removed                 // the set has no such member
)

// String is the role in MongoDB's words, as replSetGetStatus has them.
func (r Role) String() string {
	return [...]string{"STARTUP", "STARTUP2", "SECONDARY", "PRIMARY", "REMOVED"}[r]
}

// View is how a member sees its set.
type View struct {
	Role    Role
	Primary string   // host:port; "": none that is known
	Term    uint64   // rises with each election
	Members []string // host:port of each, in the order of the configuration
	Counter int64    // rises with each change of what is above
}

// lookEvery is how often the view is looked at when nothing tells that it changed: what a
// member has applied is told by nobody.
const lookEvery = 20 * time.Millisecond

// View is the newest one.
func (m *Member) View() View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view
}

// Watch gives the newest view and a channel that is closed when there is another one.
func (m *Member) Watch() (View, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view, m.changed
}

// Applied is the number of the last entry that is in the state, and of the last one that
// is known to be committed.
func (m *Member) Applied() (applied, committed uint64) {
	return m.raft.AppliedIndex(), m.raft.CommitIndex()
}

// watch keeps the view until the member is closed.
func (m *Member) watch(events <-chan raft.Observation) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var asked uint64 // the last term in which all before it was asked for
	for {
		if term := m.raft.CurrentTerm(); m.raft.State() == raft.Leader && asked != term {
			asked = term
			m.tasks.Go(func() { m.settle(term) })
		}
		m.refresh()
		select {
		case <-m.stop:
			return
		case <-events:
		case <-ticker.C:
		}
	}
}

// settle waits until everything that earlier primaries acknowledged is applied here.
func (m *Member) settle(term uint64) {
	if m.answer(m.raft.Barrier(0)) != nil {
		return // the lead is lost again
	}
	m.mu.Lock()
	m.settled = term
	m.mu.Unlock()
	m.refresh()
}

// refresh looks at the set anew.
func (m *Member) refresh() {
	future := m.raft.GetConfiguration()
	if future.Error() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := View{Term: m.raft.CurrentTerm()}
	for _, s := range future.Configuration().Servers {
		now.Members = append(now.Members, string(s.ID))
	}
	state := m.raft.State()
	_, leader := m.raft.LeaderWithID()
	now.Role, now.Primary = m.role(state, string(leader), now), string(leader)
	if now.Role != Primary && now.Primary == m.cfg.Me {
		now.Primary = "" // elected, and not yet ready
	}
	if now.Counter = m.view.Counter; !now.equal(m.view) {
		now.Counter++
		m.view = now
		close(m.changed)
		m.changed = make(chan struct{})
	}
}

// role is what this member is. m.mu is held.
func (m *Member) role(state raft.RaftState, leader string, v View) Role {
	applied, committed := m.Applied()
	m.caughtUp = m.caughtUp || leader != "" && applied > 0 && applied >= committed
	switch {
	case len(v.Members) == 0:
		return Uninitiated
	case !slices.Contains(v.Members, m.cfg.Me):
		return Removed
	case state == raft.Leader && m.settled == v.Term && !m.handing:
		return Primary
	case state == raft.Follower && leader != "" && m.caughtUp:
		return Secondary
	}
	return Starting
}

// equal compares all but the counter.
func (v View) equal(w View) bool {
	return v.Role == w.Role && v.Primary == w.Primary && v.Term == w.Term && slices.Equal(v.Members, w.Members)
}
