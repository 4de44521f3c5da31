package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"
)

// ErrInitiated says that a set has its members already.
var ErrInitiated = errors.New("the set is initiated already")

// Initiate makes the set's first configuration, of which this member is one. The others
// are told by it.
func (m *Member) Initiate(members []string) error {
	if !slices.Contains(members, m.cfg.Me) {
		return fmt.Errorf("initiate: this member is %s, which is none of %v", m.cfg.Me, members)
	}
	var c raft.Configuration
	for _, member := range members {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(member), Address: raft.ServerAddress(member)})
	}
	err := m.raft.BootstrapCluster(c).Error()
	if errors.Is(err, raft.ErrCantBootstrap) {
		return ErrInitiated
	}
	if err != nil {
		return fmt.Errorf("initiate %v: %w", members, err)
	}
	m.refresh()
	return nil
}

// Reconfigure has the set consist of these members: those that are gone leave first, so
// that they are not waited for, and then come the new ones, one by one. Only the primary can.
func (m *Member) Reconfigure(members []string) error {
	have := m.View().Members
	for _, old := range have {
		if slices.Contains(members, old) {
			continue
		}
		if err := m.answer(m.raft.RemoveServer(raft.ServerID(old), 0, reconfigureTime)); err != nil {
			return m.reconfigureError("remove "+old, err)
		}
	}
	for _, next := range members {
		if slices.Contains(have, next) {
			continue
		}
		if err := m.answer(m.raft.AddVoter(raft.ServerID(next), raft.ServerAddress(next), 0, reconfigureTime)); err != nil {
			return m.reconfigureError("add "+next, err)
		}
	}
	m.refresh()
	return nil
}

func (m *Member) reconfigureError(what string, err error) error {
	m.refresh()
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return fmt.Errorf("%s: %w: %w", what, ErrNotPrimary, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// handOver hands the lead over. Meanwhile raft takes no entries, and so this member is no
// primary: who is refused has to hear that from a view that is newer than what it knew.
func (m *Member) handOver() error {
	m.hand(true)
	defer m.hand(false)
	return m.raft.LeadershipTransfer().Error()
}

func (m *Member) hand(over bool) {
	m.mu.Lock()
	m.handing = over
	m.mu.Unlock()
	m.refresh()
}

// StepDown hands the lead over to the member that has the most of the log. It returns when
// that one has it, or says that nobody took it.
func (m *Member) StepDown(ctx context.Context) error {
	done := make(chan error, 1)
	m.tasks.Go(func() { done <- m.handOver() })
	select {
	case err := <-done:
		if errors.Is(err, raft.ErrNotLeader) {
			return fmt.Errorf("%w: %w", ErrNotPrimary, err)
		}
		if err != nil {
			return fmt.Errorf("step down: nobody took the lead over: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("step down: %w", ctx.Err())
	}
}
