package loadgen

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Stats is how a run goes, at one moment.
type Stats struct {
	Sent     uint64 // requests handed to the network
	Acked    uint64
	Refused  uint64
	Unknown  uint64
	InFlight uint64        // sent, without an outcome yet
	Late     uint64        // sent later than Config.LatenessP99 after they were due
	Worst    time.Duration // the highest lateness so far
	// Exhausted counts requests that this machine could not send, for want
	// of file descriptors, ports or memory. They are refused, but say
	// nothing about the stack.
	Exhausted uint64
}

// book joins vegeta's results with what the wire saw of the same requests,
// by sequence number, and keeps the live figures. Safe for concurrent use.
type book struct {
	start time.Time
	clock func(time.Time) time.Time
	shape Shape // of the part
	part  Part
	bound time.Duration // above it, a request is late
	// foreign: a 503 that names no instance proves nothing, see Config.Foreign.
	foreign bool

	mu     sync.Mutex
	onward map[uint64]*exchange // in flight
	stats  Stats
}

// open enters request n of the part, which is about to be sent.
func (b *book) open(n uint64, x *exchange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	due, _ := b.shape.Due(n)
	x.due = b.start.Add(due)
	x.sent = notBefore(x.due, b.clock(time.Now()))
	b.onward[n] = x
	b.stats.Sent++
	lateness := x.sent.Sub(x.due)
	b.stats.Worst = max(b.stats.Worst, lateness)
	if lateness > b.bound {
		b.stats.Late++
	}
}

// close makes the row of a finished request.
func (b *book) close(res *vegeta.Result) (Row, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, ok := b.onward[res.Seq]
	if !ok {
		return Row{}, fmt.Errorf("request %d: never came to the wire: %s", res.Seq, res.Error)
	}
	delete(b.onward, res.Seq)

	// vegeta leaves Code at 0 unless it read the whole body.
	complete := res.Code != 0
	row := Row{
		Seq: b.part.Seq(res.Seq), Route: x.target.route.Name, Word: x.target.word,
		Due: x.due, Sent: x.sent, Done: notBefore(x.sent, b.clock(res.End())),
		Outcome: judge(x, complete, b.foreign), Status: x.status, Instance: x.instance,
		Attempts: x.attempts, Stale: x.conns - x.attempts,
	}
	switch {
	case x.err != nil:
		row.Err = x.err.Error()
	case !complete:
		row.Err = res.Error
	}
	switch row.Outcome {
	case Acked:
		b.stats.Acked++
	case Refused:
		b.stats.Refused++
	default:
		b.stats.Unknown++
	}
	if exhausted(x.err) {
		b.stats.Exhausted++
	}
	return row, nil
}

func (b *book) now() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.InFlight = uint64(len(b.onward))
	return s
}

// notBefore is t, unless a clock that was set back a little has it before what came before it.
func notBefore(before, t time.Time) time.Time {
	if t.Before(before) {
		return before
	}
	return t
}

// exhausted tells whether err is this machine's want of something to send with.
func exhausted(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
