package run

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"throughline/collector"
)

// deaf gets no answer, and gives up after a second.
type deaf struct{}

func (deaf) Poll(ctx context.Context, _ time.Time) ([]collector.Sample, error) {
	time.Sleep(time.Second)
	return nil, errors.New("no answer")
}

// It is the frozen database, or member of it, that answers no poll, and the killed load balancer, and an httpd that is killed, or has all its
// workers at work.
func TestWhoBlindsAPoller(t *testing.T) {
	blinding := map[string]string{"freeze-database": mongoPoller, "freeze-primary": mongoPoller, "kill-lb": balancerPoller,
		"reload-httpd": httpdPoller, "kill-httpd": httpdPoller, "limit-httpd": httpdPoller}
	for _, m := range makers {
		if want := blinding[m.name]; m.blinds != want {
			t.Errorf("%s blinds the poller %q, want %q", m.name, m.blinds, want)
		}
	}
}

// Only a poll of what a fault silences, and only while it does and for a little
// after, is one that was to be expected to fail.
func TestPollsThatAFaultKeepsFromAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name     string
		blinded  string // the poller that the fault keeps from an answer
		poller   string
		from, to time.Duration // of the fault; to 0: it is never healed
		polled   time.Duration // when the poll begins; it fails 1 s later
		expected bool
	}{
		{"while it lasts", mongoPoller, "mongo", 10 * time.Second, 14 * time.Second, 12 * time.Second, true},
		{"never healed", mongoPoller, "mongo", 10 * time.Second, 0, time.Hour, true},
		{"under way when it begins", mongoPoller, "mongo", 10 * time.Second, 14 * time.Second, 9500 * time.Millisecond, true},
		{"under way when it ends", mongoPoller, "mongo", 10 * time.Second, 14 * time.Second, 13500 * time.Millisecond, true},
		{"just after", mongoPoller, "mongo", 10 * time.Second, 14 * time.Second, 14*time.Second + recovery - 1, true},
		{"long after", mongoPoller, "mongo", 10 * time.Second, 14 * time.Second, 14*time.Second + recovery, false},
		{"before", mongoPoller, "mongo", 10 * time.Second, 14 * time.Second, 8 * time.Second, false},
		{"of somebody else", mongoPoller, "haproxy", 10 * time.Second, 14 * time.Second, 12 * time.Second, false},
		{"another fault", "", "mongo", 10 * time.Second, 14 * time.Second, 12 * time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			dark := &darkness{}
			p := &poller{name: c.poller, Poller: deaf{}, dark: dark}
			time.AfterFunc(c.from, func() { dark.begin(c.blinded, time.Now()) })
			if c.to > 0 {
				time.AfterFunc(c.to, func() { dark.end(c.blinded, time.Now()) })
			}
			time.Sleep(c.polled)
			_, err := p.Poll(t.Context(), begin)
			if err == nil {
				t.Errorf("%s: the failure was swallowed", c.name)
			}
			other := errors.New("of another poller")
			all := errors.Join(fmt.Errorf("poll %s: %w", c.poller, err), errors.Join(nil, other))
			if left := withoutExpected(all); !errors.Is(left, other) || errors.Is(left, err) == c.expected {
				t.Errorf("%s: of %q is left %q", c.name, all, left)
			}
			time.Sleep(time.Until(begin.Add(c.to))) // let the timers run out
			polls, expected, failed := p.take()
			want := failures{1, "no answer"}
			if c.expected && (expected != want || failed != failures{}) || !c.expected && (failed != want || expected != failures{}) {
				t.Errorf("%s: expected %+v, unexpected %+v", c.name, expected, failed)
			}
			if polls != 1 {
				t.Errorf("%s: %d polls, want 1", c.name, polls)
			}
			if polls, expected, failed := p.take(); polls+expected.count+failed.count > 0 {
				t.Errorf("%s: told twice", c.name)
			}
			dark.end(c.blinded, time.Now())
		})
	}
}
