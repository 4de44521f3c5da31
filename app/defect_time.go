package app

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"throughline/app/statsd"
)

// Wrong times: when is sent, and when not.

const (
	holdLate    = 4 * time.Second
	silentFor   = 5 * time.Second
	speakFor    = 6 * time.Second
	firstWindow = time.Second
	slowFlush   = 3 * time.Second
)

func timeDefects() []Defect {
	return []Defect{
		{Name: "late", Entry: "F18", About: "every count leaves 4 s after it happened, or at a graceful exit",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return hold(c, l, 1, func(now time.Time) time.Time { return now.Add(holdLate) })
			})},
		{Name: "flush-every-3s", Entry: "F18", About: "counters and gauges leave every 3 s: a spike in every third interval",
			begin: onOptions(func(_ Config, o *statsd.Options) { o.Aggregation = slowFlush })},
		{Name: "silent-start", Entry: "F43", About: "nothing at all is sent in the first 5 s", begin: speaking(func(age time.Duration, _ int) bool {
			return age >= silentFor
		})},
		{Name: "goes-silent", Entry: "F7", About: "nothing at all is sent after 6 s, as when the collector moved and its name was resolved once",
			begin: speaking(func(age time.Duration, _ int) bool { return age < speakFor })},
		{Name: "never-speaks", Entry: "F8", About: "instances with an even number (web-2) never send anything, as when nobody listened at their start",
			begin: speaking(func(_ time.Duration, number int) bool { return number%2 != 0 })},
		{Name: "first-window-lost", Entry: "F43", About: "inserts in the first second after an instance's first are not counted",
			begin: onClient(func(c statsd.Client, l *harm) statsd.Client {
				return &blindStart{Client: c, harm: l, now: time.Now}
			})},
	}
}

// onOptions makes a defect that only sets the client up wrongly.
func onOptions(change func(Config, *statsd.Options)) beginning {
	return func(c Config, _ *harm) (wrong, error) {
		return wrong{options: func(o *statsd.Options) { change(c, o) }}, nil
	}
}

// silent sends nothing at times.
type silent struct {
	statsd.Client
	*harm
	now    func() time.Time
	birth  time.Time
	number int // of the instance
	spoken func(age time.Duration, number int) bool
}

func speaking(when func(age time.Duration, number int) bool) beginning {
	return func(c Config, l *harm) (wrong, error) {
		return wrong{client: func(client statsd.Client) (statsd.Client, error) {
			return &silent{Client: client, harm: l, now: time.Now, birth: time.Now(), number: numberOf(c.Instance), spoken: when}, nil
		}}, nil
	}
}

// numberOf is the 2 of web-2, and 0 where a name has no number.
func numberOf(instance string) int {
	n, err := strconv.Atoi(instance[len(strings.TrimRight(instance, "0123456789")):])
	if err != nil {
		return 0
	}
	return n
}

func (s *silent) speaks() bool { return s.spoken(s.now().Sub(s.birth), s.number) }

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

// blindStart takes the first value of a counter for where it begins, not for
// an increase.
type blindStart struct {
	statsd.Client
	*harm
	now   func() time.Time
	mu    sync.Mutex
	until time.Time // zero before the first insert
}

func (b *blindStart) Count(name string, n int64) {
	if name == counted && b.blind() {
		b.book(0, n)
		return
	}
	b.Client.Count(name, n)
}

func (b *blindStart) blind() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.until.IsZero() {
		b.until = now.Add(firstWindow)
	}
	return now.Before(b.until)
}
