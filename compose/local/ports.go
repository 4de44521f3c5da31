package local

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
)

// portBook gives out ports and remembers them: none is given out twice, not
// even after its instance is gone, because a late datagram or connection for
// the old one must not reach the new one, unless that succeeds it.
type portBook struct {
	lock *os.File // shared by every runner of this user; see lockPort

	mu    sync.Mutex
	taken map[int]string // by whom
}

func newPortBook() (*portBook, error) {
	lock, err := openLock(userDirs())
	if err != nil {
		return nil, fmt.Errorf("port locks: %w", err)
	}
	return &portBook{lock: lock, taken: map[int]string{}}, nil
}

// release gives the locks back to other runners.
func (b *portBook) release() error {
	if err := b.lock.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("port locks: %w", err)
	}
	return nil
}

// take fills in the ports that are 0 and checks the others, which may be those of the instance that this one succeeds.
func (b *portBook) take(name, succeeds string, asked map[string]int) (map[string]int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ports := maps.Clone(asked)
	for _, port := range slices.Sorted(maps.Keys(asked)) {
		number := asked[port]
		var err error
		if number == 0 {
			number, err = b.free()
		} else {
			err = b.check(number, succeeds)
		}
		if err != nil {
			return nil, err
		}
		b.taken[number] = name
		ports[port] = number
	}
	return ports, nil
}

var errPortLocked = errors.New("locked by another runner")

// check says why a port that was asked for cannot be had.
func (b *portBook) check(number int, succeeds string) error {
	if by, ok := b.taken[number]; ok && (by != succeeds || succeeds == "") {
		return fmt.Errorf("port %d was given to %s in this run; choose another", number, by)
	}
	err := b.try(number)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errPortLocked):
		return fmt.Errorf("port %d belongs to another run of throughline; choose another", number)
	case errors.Is(err, syscall.EADDRINUSE):
		who := strangerOn(number, 0)
		if who == "" {
			who = "another process"
		}
		return fmt.Errorf("port %d is in use by %s; choose another", number, who)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d needs privileges; choose one above 1023: %w", number, err)
	}
	return fmt.Errorf("port %d: %w", number, err)
}

func (b *portBook) try(number int) error {
	if err := lockPort(b.lock, number); err != nil {
		return err
	}
	l, err := net.Listen("tcp4", hostPort(number))
	if err != nil {
		return err
	}
	return l.Close()
}

// free draws a port. The draw is not seeded: what is free depends on the
// machine, so a seed could not repeat it, and two runners that start at once
// must not draw the same ones.
func (b *portBook) free() (int, error) {
	const tries = 1000
	span := candidates()
	var last error
	for range tries {
		number := span.at(rand.IntN(span.size()))
		if _, ok := b.taken[number]; ok {
			continue
		}
		if last = b.try(number); last == nil {
			return number, nil
		}
	}
	return 0, fmt.Errorf("no free port found in %d tries: %w", tries, last)
}

const (
	lowest  = 10000 // below it live well-known services
	highest = 65535
)

// spans are the ports below and above those the kernel uses for outgoing
// connections, which would otherwise steal a port between choice and listen.
type spans struct{ lowEnd, highStart int } // [lowest,lowEnd) and [highStart,highest]

func candidates() spans {
	first, last := ephemeralPorts()
	s := spans{lowEnd: max(first, lowest), highStart: min(last+1, highest+1)}
	if s.size() < 1000 { // the kernel has them nearly all: no choice but to share
		return spans{lowEnd: lowest, highStart: lowest}
	}
	return s
}

func (s spans) size() int { return s.lowEnd - lowest + highest + 1 - s.highStart }

func (s spans) at(n int) int {
	if low := s.lowEnd - lowest; n >= low {
		return s.highStart + n - low
	}
	return lowest + n
}
