package run

import (
	"context"
	"fmt"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// A stack that runs already (stack.external) has no load balancer, database or host that this run could ask: users go
// straight to its URL, its instances are handles of a platform that changes them by the user's commands, and the collector
// listens where these send already. What is not seen is left out, and the journal says so.

// There is how a stack that runs already is reached.
type There struct {
	Dial string // host:port of its URL, whose address is held for the run
	// After executes the user's command for the end; nil: there is none.
	After func(context.Context) error
	// Tell is given, before anything starts, what hears of each command that changed the stack; nil: none will.
	Tell func(hears func(Command))
}

// Command is a command of the user's that has ended.
type Command struct {
	Text     string
	Instance string // for which; "": none
	Begin    time.Time
	Code     int    // exit status; -1: it has none
	Output   string // what it wrote
	Err      error  // why it was not started, or was ended
}

// foreign tells whether the stack runs already.
func (c Config) foreign() bool { return c.Scenario.Stack.External != nil }

// afterLimit bounds the user's command for the end.
const afterLimit = time.Minute

// commands has every command that changes the stack written into the journal.
func (j *journal) commands(there There) {
	if there.Tell == nil {
		return
	}
	there.Tell(func(c Command) {
		e := record.Event{At: j.offset(c.Begin), Kind: record.Commanded, Instance: c.Instance, About: c.Text, Code: c.Code, Error: c.Output}
		if c.Instance != "" {
			e.Role = record.Web
		}
		if c.Err != nil {
			e.Error = strings.TrimSpace(c.Err.Error() + " " + c.Output)
		}
		j.event(e)
	})
}

// unseen says what is not seen of a stack that is there.
func (s *testbed) unseen() {
	if s.cfg.foreign() {
		s.journal.note("not seen", 0, "the stack was there already: its load balancer's log and counters, its database, and the CPU of its machines are in no verdict of this run; "+
			"what is judged is what users had and what instances sent. The run puts nothing back")
	}
}

// after executes the user's command for the end, once, however the run went.
func (s *testbed) after(ctx context.Context) error {
	if s.cfg.There.After == nil || s.afterwards {
		return nil
	}
	s.afterwards = true
	ending, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), afterLimit, fmt.Errorf("it took longer than %v", afterLimit))
	defer cancel()
	if err := s.cfg.There.After(ending); err != nil {
		return fmt.Errorf("stack.external.after: %w", err)
	}
	return nil
}

// theirs is what the platform is told of an instance of a stack that is there.
func theirs(name string, stop time.Duration) compose.Instance {
	return compose.Instance{Name: name, Stop: stop}
}

// listenThere opens the port that all instances of a stack that is there send to.
func (t *telemetry) listenThere(x script.External) error {
	if x.StatsD == "" {
		return nil
	}
	l := statsd.Listener{Origin: statsd.BySource, Addr: socket.Address{Network: socket.UDP, Host: x.StatsD}}
	if x.Tag != "" {
		l.Origin, l.Tag = statsd.ByTag, x.Tag
	}
	at, err := t.collector().Listen(l)
	if err != nil {
		return fmt.Errorf("stack.external.statsd: %w; whoever listens there has to give it up, or the instances have to send elsewhere", err)
	}
	t.shared = at.Host
	return nil
}

// assignThere has the collector know an instance of a stack that is there.
func (t *telemetry) assignThere(x script.External, name string, labels collector.Labels) (string, error) {
	if x.StatsD == "" {
		return "", nil
	}
	origin := name
	if x.Tag == "" {
		origin = x.Addresses[name]
	}
	return t.shared, t.collector().Assign(origin, name, labels)
}
