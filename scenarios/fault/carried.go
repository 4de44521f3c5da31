package fault

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// carried is one connection over a link: the one that came, and the one to the target.
type carried struct {
	link *link
	ends [2]*net.TCPConn // who came, and the target
	once sync.Once
	over chan struct{} // closed when it was aborted
}

// piece is what was read at once, on its way to the other end.
type piece struct {
	bytes []byte
	due   time.Time // not before then it arrives
	// end is why there is no more: io.EOF where one side has said all it had to say, anything else where the connection
	// broke.
	end error
}

const (
	// pieceSize is the longest piece: at a bandwidth of 100 KB/s one takes 41 ms.
	pieceSize = 4 << 10
	// mostPieces are on their way in one direction at once: at a latency of 200 ms that lets 1.3 MB/s through.
	mostPieces = 64
)

// run carries both directions until both have ended, or one broke.
func (c *carried) run() {
	var directions sync.WaitGroup
	for d := range c.ends {
		way := make(chan piece, mostPieces)
		directions.Go(func() { c.take(d, way) })
		directions.Go(func() { c.give(d, way) })
	}
	directions.Wait()
	for _, end := range c.ends {
		_ = end.Close() // both have said all, or it was aborted
	}
}

// abort resets both ends at once.
func (c *carried) abort() {
	c.once.Do(func() {
		close(c.over)
		for _, end := range c.ends {
			reset(end)
		}
	})
}

// take reads what one end says.
func (c *carried) take(direction int, way chan<- piece) {
	for {
		p := piece{bytes: make([]byte, pieceSize)}
		n, err := c.ends[direction].Read(p.bytes)
		now, _ := c.link.conditions()
		p.bytes, p.end, p.due = p.bytes[:n], err, time.Now().Add(now.latency)
		if now.latency > 0 && n > 0 {
			c.link.strike(slowed)
		}
		select {
		case way <- p:
		case <-c.over:
			return
		}
		if err != nil {
			return
		}
	}
}

// give hands it to the other end.
func (c *carried) give(direction int, way <-chan piece) {
	to := c.ends[1-direction]
	for {
		var p piece
		select {
		case p = <-way:
		case <-c.over:
			return
		}
		if !c.wait(direction, p) {
			return
		}
		if len(p.bytes) > 0 {
			if _, err := to.Write(p.bytes); err != nil {
				c.abort()
				return
			}
		}
		switch {
		case p.end == nil:
		case errors.Is(p.end, io.EOF):
			if err := to.CloseWrite(); err != nil {
				c.abort()
			}
			return
		default:
			c.abort()
			return
		}
	}
}

// wait returns when a piece may arrive; false: there is nowhere to any more. What a latency holds back comes in its time
// also when the link has become quick again; a cut and a bandwidth are over when they are healed.
func (c *carried) wait(direction int, p piece) bool {
	if !c.sleep(time.Until(p.due), nil) {
		return false
	}
	cut, queued := false, false
	for {
		now, changed := c.link.conditions()
		switch {
		case now.cut:
			if !cut && len(p.bytes) > 0 {
				c.link.strike(stopped)
			}
			cut = true
			select {
			case <-changed:
			case <-c.over:
				return false
			}
		case now.bandwidth > 0 && len(p.bytes) > 0 && !queued:
			queued = true
			c.link.strike(throttled)
			if !c.sleep(time.Until(c.link.turn(direction, len(p.bytes), now.bandwidth)), changed) {
				return false
			}
		default:
			return true
		}
	}
}

// sleep waits for so long, or until something is closed; false: the connection is over.
func (c *carried) sleep(long time.Duration, until <-chan struct{}) bool {
	if long <= 0 {
		return true
	}
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-until:
	case <-c.over:
		return false
	}
	return true
}
