package replica

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// keptLog is the log's file. It tells who waits for it when an entry is in there, and what is taken out of it again.
type keptLog struct {
	*wal.WAL
	undone func(entries [][]byte)

	mu      sync.Mutex
	waiting map[*byte]chan struct{} // by the first byte of the entry, which is the same in memory
}

// await gives a channel that is closed when an entry is on disk here.
func (l *keptLog) await(entry []byte) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := make(chan struct{})
	l.waiting[&entry[0]] = stored
	return stored
}

// forget ends the wait for an entry.
func (l *keptLog) forget(entry []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, &entry[0])
}

// StoreLog implements raft.LogStore.
func (l *keptLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs implements raft.LogStore.
func (l *keptLog) StoreLogs(entries []*raft.Log) error {
	if err := l.WAL.StoreLogs(entries); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if len(e.Data) == 0 {
			continue
		}
		if stored := l.waiting[&e.Data[0]]; stored != nil {
			close(stored)
			delete(l.waiting, &e.Data[0])
		}
	}
	return nil
}

// DeleteRange implements raft.LogStore. What is taken from the end of the log, another primary has not: it is undone. What
// goes from its beginning is in a snapshot.
func (l *keptLog) DeleteRange(from, to uint64) error {
	var entries [][]byte
	first, err := l.FirstIndex()
	last, failed := l.LastIndex()
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if l.undone != nil && to == last && from > first {
		for i := from; i <= to; i++ {
			var e raft.Log
			if err := l.GetLog(i, &e); err != nil {
				return err
			}
			if e.Type == raft.LogCommand {
				entries = append(entries, e.Data)
			}
		}
	}
	if err := l.WAL.DeleteRange(from, to); err != nil {
		return err
	}
	if len(entries) > 0 {
		l.undone(entries)
	}
	return nil
}

// Proposal is an entry that is under way.
type Proposal struct {
	member *Member
	entry  []byte
	stored <-chan struct{}
	done   chan struct{} // closed when result and err are there
	result any
	err    error
}

// Begin proposes an entry, and waits for nothing. Entries are in the log in the order of the calls. done, if it is
// not nil, is called with what Propose would have given.
func (m *Member) Begin(entry []byte, done func(result any, err error)) *Proposal {
	p := &Proposal{member: m, entry: entry, stored: m.log.await(entry), done: make(chan struct{})}
	future := m.raft.Apply(entry, replyTime)
	m.tasks.Go(func() {
		p.result, p.err = m.applied(future)
		m.log.forget(entry)
		if done != nil {
			done(p.result, p.err)
		}
		close(p.done)
	})
	return p
}

// Done returns when the entry is applied, or given up, with what Propose would have given.
func (p *Proposal) Done() (result any, err error) {
	<-p.done
	return p.result, p.err
}

// OnDisk returns when the entry is on the disk of this member, which no other member may have: it may be undone. Where it
// is applied already, result is what that came to.
func (p *Proposal) OnDisk(within time.Duration) (result any, err error) {
	var late <-chan time.Time
	if within > 0 {
		timer := time.NewTimer(within)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-p.stored:
		return nil, nil
	case <-p.done:
		return p.result, p.err
	case <-late:
		return nil, ErrTime
	}
}
