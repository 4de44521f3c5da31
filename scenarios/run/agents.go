package run

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/scrape"
	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// agents are the metrics agents of a stack that has them: one beside each instance of web, which comes before it and ends
// after it. When a step ends one, another takes its place at the same address, as whoever supervises agents does it. They are safe for
// concurrent use.
type agents struct {
	cfg     Config
	journal *journal
	lives   *lives
	sensors sensors // scrape them, where the stack says so

	mu  sync.Mutex
	all map[string]*seat // by the instance beside which it is
}

// seat is the place beside one instance, in which one agent runs at a time.
type seat struct {
	serves string
	name   string // of its first agent; those after it are agent-2.2, agent-2.3, …
	to     string // where its agents send on to
	otlp   string // where they push to by OTLP, http://host:port; "": they do not

	mu    sync.Mutex // held while an agent comes or goes
	now   *life
	ports map[string]int // of all its agents
	had   int            // how many it has had
	drops *overflow      // before the present one; nil: nobody can tell
	over  bool           // its instance is gone, and no agent comes any more
}

// The ports of an agent: where it takes lines, and the one at which it may answer HTTP.
const statsdName, httpName = "statsd", "http"

func newAgents(c Config, journal *journal, of *lives, by sensors) *agents {
	return &agents{cfg: c, journal: journal, lives: of, sensors: by, all: map[string]*seat{}}
}

// there tells whether the stack has any.
func (a *agents) there() bool { return a != nil && a.cfg.Scenario.Stack.Agent.There() }

// beside starts that of an instance which is about to be started, and gives the host:port to which the instance shall send.
// to is where the agent sends on; what is scraped of it, or pushed by it, has the labels of its instance. In a stack without agents the instance itself sends there.
func (a *agents) beside(ctx context.Context, instance, to string, labels collector.Labels) (string, error) {
	if !a.there() {
		return to, nil
	}
	s := &seat{serves: instance, name: script.AgentOf(instance), to: to, ports: map[string]int{statsdName: 0, httpName: 0}}
	m := a.cfg.Scenario.Stack.Agent.Metrics
	if m.OTLP != "" {
		addr, err := a.sensors.listenOTLP(instance, labels, protocolOf(m.OTLP))
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		s.otlp = "http://" + addr
	}
	a.mu.Lock()
	a.all[instance] = s
	a.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := a.start(ctx, s); err != nil {
		return "", err
	}
	if m.Scrape != "" {
		err := a.sensors.scrape(scrape.Target{URL: "http://" + s.now.Addr(httpName) + m.Scrape, Instance: instance, Labels: labels, Every: m.Every})
		if err != nil {
			return "", err
		}
	}
	return s.now.Addr(statsdName), nil
}

// start starts the next agent of a seat, at the ports of those before it. seat.mu is held.
func (a *agents) start(ctx context.Context, s *seat) error {
	instance := a.instance(s)
	instance.Ready.Within = startWithin(ctx)
	one, err := a.lives.startBeside(ctx, instance, record.Agent, s.serves)
	if err != nil {
		return err
	}
	s.had++
	s.now = one
	if of, can := one.Handle.(compose.Dropper); can {
		s.drops = &overflow{agents: a, of: of, agent: one.Name(), serves: s.serves}
		a.lives.watching.Go(func() { s.drops.watch(one.gone) })
	}
	for name := range s.ports {
		_, port, err := net.SplitHostPort(one.Addr(name))
		if err != nil {
			return fmt.Errorf("%s: address of port %s: %w", one.Name(), name, err)
		}
		if s.ports[name], err = strconv.Atoi(port); err != nil {
			return fmt.Errorf("%s: address of port %s: %w", one.Name(), name, err)
		}
	}
	return nil
}

// instance is what the next agent of a seat is.
func (a *agents) instance(s *seat) compose.Instance {
	said := a.cfg.Scenario.Stack.Agent
	i := compose.Instance{Name: s.name, Ports: s.ports, StatsD: s.to, OTLP: s.otlp, Files: said.Files, Stop: said.Stop, Program: a.cfg.agentProgram(),
		Ready: compose.Probe{Datagrams: statsdName, Path: said.Health}}
	if said.Health != "" || said.Metrics.Scrape != "" {
		i.Ready.Port = httpName
	}
	if s.now != nil {
		i.Succeeds = s.now.Name()
		i.Name = fmt.Sprintf("%s.%d", s.name, s.had+1)
	}
	return i
}

// agentProgram is what agents execute: the reference agent, or the user's command in the directory of the scenario file.
func (c Config) agentProgram() compose.Program { return AgentProgram(c.Scenario) }

// AgentProgram is what agents of a scenario execute.
func AgentProgram(s script.Scenario) compose.Program {
	said := s.Stack.Agent
	if len(said.Command) > 0 {
		return compose.Program{Command: said.Command, Dir: filepath.Dir(s.File)}
	}
	program := compose.Program{Self: []string{"agent", "--listen", "{{.Host}}:{{.Ports.statsd}}", "--to", "{{.StatsDHost}}:{{.StatsDPort}}", "--window", said.Window.String()}}
	if said.Defect != "" {
		program.Self = append(program.Self, "--defect", said.Defect)
	}
	return program
}

// retire ends the agent of an instance that is gone, or was never started, after it has outlived it for as long as the stack says.
func (a *agents) retire(ctx context.Context, instance string) {
	if !a.there() {
		return
	}
	s := a.of(instance)
	if s == nil {
		return
	}
	_ = sleepUntil(ctx, time.Now().Add(a.cfg.Scenario.Stack.Agent.Linger))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.now == nil {
		return
	}
	if err := a.end(ctx, s, compose.Terminate); err != nil {
		a.journal.trouble("agent "+s.now.Name(), 0, fmt.Sprintf("end it: %v", err))
	}
}

func (a *agents) of(instance string) *seat {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[instance]
}

// replace ends the agent of a number by a signal, and has another take its place after so long.
func (a *agents) replace(ctx context.Context, number int, how compose.Signal, away time.Duration) error {
	return a.lives.makeMove(ctx, func(ctx context.Context) error {
		serves := script.InstanceName(script.FirstRole, number)
		s := a.of(serves)
		if s == nil {
			return fmt.Errorf("%s: no such agent: there is no %s", script.InstanceName(script.AgentRole, number), serves)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.over || s.now == nil {
			return fmt.Errorf("%s: is gone with %s", s.name, serves)
		}
		if err := a.end(ctx, s, how); err != nil {
			return err
		}
		if err := sleepUntil(ctx, time.Now().Add(away)); err != nil {
			return fmt.Errorf("another agent in the place of %s: %w", s.now.Name(), err)
		}
		return a.start(ctx, s)
	})
}

// end ends the agent of a seat and returns when it is gone. One that does not end within its time is killed, which the journal tells.
// seat.mu is held.
func (a *agents) end(ctx context.Context, s *seat, how compose.Signal) error {
	one := s.now
	select {
	case <-one.gone: // it died by itself, which the journal tells
		return nil
	default:
	}
	s.drops.look()
	a.lives.want(one)
	signal := func(by compose.Signal) error {
		a.journal.event(record.Event{Kind: record.Signalled, Instance: one.Name(), Role: record.Agent, Signal: by.String()})
		return one.Signal(ctx, by)
	}
	if err := signal(how); err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, a.cfg.Scenario.Stack.Agent.Stop)
	defer cancel()
	err := awaitDeath(patient, one)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	a.journal.event(record.Event{Kind: record.Note, About: "stop of " + one.Name(), Instance: one.Name(), Role: record.Agent,
		Error: fmt.Sprintf("it had not ended %v after %v (stack.agent.stop) and was killed", a.cfg.Scenario.Stack.Agent.Stop, how)})
	_ = signal(compose.Kill) // an error says that it has just ended
	return awaitDeath(ctx, one)
}
