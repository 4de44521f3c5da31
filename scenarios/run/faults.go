package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"throughline/compose"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// relayed are the faults for which the instances' datagrams go through relays.
var relayed = []string{
	script.DropDatagrams, script.DuplicateDatagrams, script.ReorderDatagrams, script.TruncateDatagrams, script.DelayDatagrams,
	script.RestartCollector,
}

// ongoing is a fault that has begun.
type ongoing struct {
	name, instance string
	heal           fault.Heal
}

// possible asks of every fault of the scenario whether it can be done to the
// stack that is up. Instances that come later are like those that are there.
func (s *stack) possible() error {
	var errs []error
	for _, phase := range s.cfg.Scenario.Phases {
		for _, step := range phase.Do {
			if step.Kind != script.BeginFault {
				continue
			}
			step.Instance = ""
			f, err := s.fault(step)
			if err == nil {
				err = f.Possible()
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", step.Pos, err))
			}
		}
	}
	return errors.Join(errs...)
}

// fault is what a step begins.
func (s *stack) fault(step script.Step) (fault.Fault, error) {
	f := step.Fault
	datagrams := func(tamper fault.Tamper) (fault.Fault, error) {
		return fault.Datagrams{Name: f.Name, Relays: s.relays, On: step.Instance, Tamper: tamper}, nil
	}
	switch f.Name {
	case script.DropDatagrams:
		return datagrams(fault.Drop(f.Share))
	case script.DuplicateDatagrams:
		return datagrams(fault.Duplicate(f.Share))
	case script.ReorderDatagrams:
		return datagrams(fault.Reorder(f.Share))
	case script.TruncateDatagrams:
		return datagrams(fault.Truncate(f.Bytes))
	case script.DelayDatagrams:
		return datagrams(fault.Delay(f.By))
	case script.RestartCollector:
		return fault.RestartCollector{Relays: s.relays, For: f.For, Stop: s.endCollector, Start: s.restartCollector}, nil
	case script.ReloadLB:
		return fault.ReloadLB{LB: s.lb, Name: BalancerName, Look: s.look}, nil
	case script.Freeze:
		return fault.Freeze{Instances: func() ([]compose.Handle, error) { return s.handles(step.Instance) }}, nil
	case script.FreezeDatabase:
		return fault.Freeze{Instances: func() ([]compose.Handle, error) { return s.handles(DatabaseName) }}, nil
	case script.ReplayRequests:
		return fault.Replay{Proxy: s.proxy, Share: f.Share}, nil
	case script.LeftoverLoad:
		return fault.LeftoverLoad{Target: s.balancer(), Routes: s.requests(), Rate: f.Rate}, nil
	case script.LeftoverLines:
		return fault.LeftoverLines{Addrs: func() map[string]string { return s.listening(step.Instance) }, Metric: s.metric(), Rate: f.Rate}, nil
	}
	return nil, fmt.Errorf("%s: no such fault", f.Name)
}

// handles gives an instance, or all web instances that serve.
func (s *stack) handles(name string) ([]compose.Handle, error) {
	names := []string{name}
	if name == "" {
		names = s.serving()
	}
	var out []compose.Handle
	for _, n := range names {
		handle, err := s.parts.Find(n)
		if err != nil {
			return nil, err
		}
		out = append(out, handle)
	}
	return out, nil
}

// listening tells where the collector listens for a web instance, or for all.
func (s *stack) listening(name string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for n, l := range s.listeners {
		if name == "" || n == name {
			out[n] = l.addr
		}
	}
	return out
}

// requests are what the users send.
func (s *stack) requests() []fault.Request {
	var out []fault.Request
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Scenario.Load.Mix)) {
		route := s.cfg.Scenario.Stack.Web.Routes[name]
		out = append(out, fault.Request{Method: route.Method, Path: route.Path})
	}
	return out
}

// metric is a counter that the scenario checks.
func (s *stack) metric() string {
	for _, c := range s.cfg.Scenario.Checks {
		if c.Conservation != nil {
			return c.Conservation.Metric
		}
	}
	return "leftover"
}

// inject begins a fault and journals it. One that is over at once is ended.
func (s *stack) inject(ctx context.Context, step script.Step) error {
	f, err := s.fault(step)
	if err != nil {
		return err
	}
	o := ongoing{name: step.Fault.Name, instance: step.Instance}
	s.event(o.event(record.FaultBegin))
	s.dark.begin(o.name, time.Now())
	if o.heal, err = f.Inject(ctx); err != nil {
		ended := o.event(record.FaultEnd)
		ended.Error = err.Error()
		s.dark.end(o.name, time.Now())
		s.event(ended)
		return err
	}
	if step.Fault.Momentary() {
		return s.healed(ctx, o)
	}
	s.ongoing = append(s.ongoing, o)
	return nil
}

func (o ongoing) event(kind record.Kind) record.Event {
	e := record.Event{Kind: kind, Fault: o.name, Instance: o.instance}
	if o.instance != "" {
		e.Role = record.Web
	}
	return e
}

// healed ends a fault and journals what it touched.
func (s *stack) healed(ctx context.Context, o ongoing) error {
	touched, err := o.heal(ctx)
	s.dark.end(o.name, time.Now())
	e := o.event(record.FaultEnd)
	e.Count, e.About = touched.Sum(), touched.String()
	if err != nil {
		e.Error = err.Error()
	}
	s.event(e)
	return err
}

// heal ends a fault by its name.
func (s *stack) heal(ctx context.Context, name string) error {
	at := slices.IndexFunc(s.ongoing, func(o ongoing) bool { return o.name == name })
	if at < 0 {
		return errors.New("it has not begun")
	}
	o := s.ongoing[at]
	s.ongoing = slices.Delete(s.ongoing, at, at+1)
	return s.healed(ctx, o)
}

// healAll ends what no step has ended, the newest first.
func (s *stack) healAll(ctx context.Context) {
	for len(s.ongoing) > 0 {
		last := s.ongoing[len(s.ongoing)-1]
		if err := s.heal(ctx, last.name); err != nil {
			s.trouble("fault "+last.name, 0, "heal: "+err.Error())
		}
	}
}

// startProxy puts a proxy between users and load balancer, if a fault needs it.
func (s *stack) startProxy() error {
	if !s.cfg.Scenario.Uses(script.ReplayRequests) {
		return nil
	}
	to, err := url.Parse(s.balancer())
	if err != nil {
		return err
	}
	s.proxy, err = fault.NewProxy(to.Hostname(), s.balancer(), s.cfg.Run.Seed)
	return err
}

// closeRelays sends on all that is in the relays, and puts into the journal
// what they lost by themselves.
func (s *stack) closeRelays(ctx context.Context) {
	if s.relays == nil {
		return
	}
	if err := s.relays.Close(ctx); err != nil {
		s.trouble(relayTrouble, 0, err.Error())
	}
	for _, l := range s.relays.Lost() {
		s.event(record.Event{Kind: record.Trouble, About: relayTrouble, Instance: l.Instance, Role: record.Web, Count: l.Count, Error: l.Why})
	}
}

// relayTrouble is what the Trouble of a relay is about.
const relayTrouble = "relay"
