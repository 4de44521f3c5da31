package replica

import (
	"io"

	"github.com/hashicorp/raft"
)

// machine shows a State to raft.
type machine struct{ state State }

// Apply implements raft.FSM.
func (f machine) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM: what was committed together is applied together.
func (f machine) ApplyBatch(logs []*raft.Log) []any {
	results := make([]any, len(logs))
	entries, at := make([][]byte, 0, len(logs)), make([]int, 0, len(logs))
	for i, l := range logs {
		if l.Type == raft.LogCommand {
			entries, at = append(entries, l.Data), append(at, i)
		}
	}
	if len(entries) == 0 {
		return results
	}
	for i, result := range f.state.Apply(entries) {
		results[at[i]] = result
	}
	return results
}

// Snapshot implements raft.FSM.
func (f machine) Snapshot() (raft.FSMSnapshot, error) {
	image, err := f.state.Snapshot()
	if err != nil {
		return nil, err
	}
	return picture{image}, nil
}

// Restore implements raft.FSM.
func (f machine) Restore(from io.ReadCloser) error {
	defer func() { _ = from.Close() }() // it was only read
	return f.state.Restore(from)
}

// picture shows an Image to raft.
type picture struct{ image Image }

// Persist implements raft.FSMSnapshot.
func (p picture) Persist(sink raft.SnapshotSink) error {
	if err := p.image.Write(sink); err != nil {
		_ = sink.Cancel() // it is the first error that counts
		return err
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (p picture) Release() { _ = p.image.Close() } // what was read of it is sealed by its reader
