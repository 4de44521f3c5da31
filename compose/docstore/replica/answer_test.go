package replica

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"
)

// asked is something asked of raft, which answers when the channel has one.
type asked chan error

func (a asked) Error() error { return <-a }

// What raft leaves unanswered as it shuts down keeps nobody waiting; what it answered before is what counts.
func TestAnswerOfRaftThatIsDown(t *testing.T) {
	m := &Member{stop: make(chan struct{})}
	late := asked(make(chan error, 1))
	late <- raft.ErrNotLeader
	if err := m.answer(late); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("while it is up: %v", err)
	}
	never := asked(make(chan error))
	waiting := make(chan error)
	go func() { waiting <- m.answer(never) }()
	close(m.stop)
	if err := <-waiting; !errors.Is(err, raft.ErrRaftShutdown) {
		t.Errorf("what is never answered: %v", err)
	}
	close(never)
}
