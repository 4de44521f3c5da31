package app

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"throughline/app/statsd"
)

// Defect is one way in which the instrumentation can be wrong. The service
// itself stays right: what users get and what is in the database do not change.
type Defect struct {
	Name  string
	About string // one line
	wrap  func(statsd.Client, Config) (defective, error)
}

// defective is a Client that does not do what it should, and knows how much.
type defective interface {
	statsd.Client
	// booked tells, after Close, how many inserts the counter
	// fullstack.insert never got and how many it got too much.
	booked() (dropped, extra int64)
}

// counted is the metric that the defects are about. Where About does not say
// otherwise the others stay right, so that a finding can only be about this one.
const counted = "fullstack.insert"

const (
	holdLost    = 2 * time.Second // datadog-go's default aggregation window
	holdLate    = 4 * time.Second
	silentFor   = 5 * time.Second
	doubleEvery = 20
	skipEvery   = 25
	sampleEvery = 10
)

// Defects lists what Config.Defect can be.
func Defects() []Defect {
	return []Defect{
		{"lost-on-exit", "counts wait up to 2 s in a buffer that is not flushed on exit", lostOnExit},
		{"counted-twice", "every 20th insert is counted twice", tamper(func(n int64) int64 {
			if n%doubleEvery == 0 {
				return 2
			}
			return 1
		})},
		{"not-counted", "every 25th insert is not counted", tamper(func(n int64) int64 {
			if n%skipEvery == 0 {
				return 0
			}
			return 1
		})},
		{"forgotten-rate", "one insert in ten is sent, without its rate @0.1", tamper(func(n int64) int64 {
			if n%sampleEvery == 0 {
				return 1
			}
			return 0
		})},
		{"renamed-per-instance", "inserts are counted as fullstack.insert.<instance>", renamed},
		{"late", "every count leaves 4 s after it happened, or at a graceful exit", late},
		{"silent-start", "nothing at all is sent in the first 5 s", silentStart},
		{"total-as-counter", "each insert adds the total so far to the counter", tamper(func(n int64) int64 { return n })},
	}
}

// findDefect looks a name up.
func findDefect(name string) (Defect, error) {
	var names []string
	for _, d := range Defects() {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Defect{}, fmt.Errorf("defect %s: no such defect (have %s)", name, strings.Join(names, ", "))
}

// ledger is what a defect did to the counter fullstack.insert.
type ledger struct{ dropped, extra atomic.Int64 }

// book notes that the counter got sent where it should have got due.
func (l *ledger) book(sent, due int64) {
	if sent < due {
		l.dropped.Add(due - sent)
		return
	}
	l.extra.Add(sent - due)
}

func (l *ledger) booked() (dropped, extra int64) { return l.dropped.Load(), l.extra.Load() }

// tampered sends a wrong number, or under a wrong name.
type tampered struct {
	statsd.Client
	ledger
	name   string                // under which inserts are sent
	change func(nth int64) int64 // what is sent for the nth insert, from 1
	nth    atomic.Int64
}

func tamper(change func(nth int64) int64) func(statsd.Client, Config) (defective, error) {
	return func(client statsd.Client, _ Config) (defective, error) {
		return &tampered{Client: client, name: counted, change: change}, nil
	}
}

func renamed(client statsd.Client, c Config) (defective, error) {
	if c.Instance == "" {
		return nil, errors.New("defect renamed-per-instance: INSTANCE is not set, and the name is made of it")
	}
	return &tampered{Client: client, name: counted + "." + c.Instance, change: func(int64) int64 { return 1 }}, nil
}

func (t *tampered) Count(name string, n int64) {
	if name != counted {
		t.Client.Count(name, n)
		return
	}
	for range n {
		sent := t.change(t.nth.Add(1))
		if sent != 0 {
			t.Client.Count(t.name, sent)
		}
		if t.name != counted {
			sent = 0 // of this counter
		}
		t.book(sent, 1)
	}
}

// silent sends nothing at first.
type silent struct {
	statsd.Client
	ledger
	now   func() time.Time
	until time.Time
}

func silentStart(client statsd.Client, _ Config) (defective, error) {
	return &silent{Client: client, now: time.Now, until: time.Now().Add(silentFor)}, nil
}

func (s *silent) speaks() bool { return !s.now().Before(s.until) }

func (s *silent) Count(name string, n int64) {
	if s.speaks() {
		s.Client.Count(name, n)
	} else if name == counted {
		s.book(0, n)
	}
}

func (s *silent) Gauge(name string, value float64) {
	if s.speaks() {
		s.Client.Gauge(name, value)
	}
}

func (s *silent) Timing(name string, d time.Duration) {
	if s.speaks() {
		s.Client.Timing(name, d)
	}
}
