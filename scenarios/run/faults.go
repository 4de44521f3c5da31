package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"throughline/compose"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// faults are what a scenario does to the infrastructure: it makes the fault of a
// step, and ends what has begun. It is for one goroutine.
type faults struct {
	cfg       Config
	journal   *journal
	lives     *lives
	balancer  *balancer
	telemetry *telemetry
	ongoing   []ongoing // that have begun, the newest last
}

// ongoing is a fault that has begun.
type ongoing struct {
	name, instance string
	heal           fault.Heal
}

// possible asks of every fault of the scenario whether it can be done to the
// stack that is up. Instances that come later are like those that are there.
func (f *faults) possible() error {
	var errs []error
	for _, phase := range f.cfg.Scenario.Phases {
		for _, step := range phase.Do {
			if step.Kind != script.BeginFault {
				continue
			}
			step.Instance = ""
			one, err := f.fault(step)
			if err == nil {
				err = one.Possible()
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", step.Pos, err))
			}
		}
	}
	return errors.Join(errs...)
}

// fault is what a step begins.
func (f *faults) fault(step script.Step) (fault.Fault, error) {
	what := step.Fault
	datagrams := func(tamper fault.Tamper) (fault.Fault, error) {
		return fault.Datagrams{Name: what.Name, Relays: f.telemetry.relays, On: step.Instance, Tamper: tamper}, nil
	}
	switch what.Name {
	case script.DropDatagrams:
		return datagrams(fault.Drop(what.Share))
	case script.DuplicateDatagrams:
		return datagrams(fault.Duplicate(what.Share))
	case script.ReorderDatagrams:
		return datagrams(fault.Reorder(what.Share))
	case script.TruncateDatagrams:
		return datagrams(fault.Truncate(what.Bytes))
	case script.DelayDatagrams:
		return datagrams(fault.Delay(what.By))
	case script.RestartCollector:
		return fault.RestartCollector{Relays: f.telemetry.relays, For: what.For, Stop: f.telemetry.end, Start: f.telemetry.restart}, nil
	case script.ReloadLB:
		return replacing{fault.ReloadLB{LB: f.balancer.lb, Name: BalancerName, Look: f.telemetry.look}, f.balancer}, nil
	case script.Freeze:
		return fault.Freeze{Instances: func() ([]compose.Handle, error) { return f.lives.find(names(step.Instance)...) }}, nil
	case script.FreezeDatabase:
		return fault.Freeze{Instances: func() ([]compose.Handle, error) { return f.lives.find(DatabaseName) }}, nil
	case script.ReplayRequests:
		return fault.Replay{Proxy: f.balancer.proxy, Share: what.Share}, nil
	case script.LeftoverLoad:
		return fault.LeftoverLoad{Target: f.balancer.url(), Routes: f.requests(), Rate: what.Rate}, nil
	case script.LeftoverLines:
		return fault.LeftoverLines{Addrs: func() map[string]string { return f.telemetry.listening(step.Instance) }, Metric: f.metric(), Rate: what.Rate}, nil
	}
	return nil, fmt.Errorf("%s: no such fault", what.Name)
}

// names is the names to find: one, or none for all.
func names(instance string) []string {
	if instance == "" {
		return nil
	}
	return []string{instance}
}

// requests are what the users send.
func (f *faults) requests() []fault.Request {
	var out []fault.Request
	for _, name := range slices.Sorted(maps.Keys(f.cfg.Scenario.Load.Mix)) {
		route := f.cfg.Scenario.Stack.Web.Routes[name]
		out = append(out, fault.Request{Method: route.Method, Path: route.Path})
	}
	return out
}

// metric is a counter that the scenario checks.
func (f *faults) metric() string {
	for _, c := range f.cfg.Scenario.Checks {
		if c.Conservation != nil {
			return c.Conservation.Metric
		}
	}
	return "leftover"
}

// inject begins a fault and journals it. One that is over at once is ended.
func (f *faults) inject(ctx context.Context, step script.Step) error {
	one, err := f.fault(step)
	if err != nil {
		return err
	}
	o := ongoing{name: step.Fault.Name, instance: step.Instance}
	f.journal.event(o.event(record.FaultBegin))
	f.telemetry.pollers.dark.begin(o.name, time.Now())
	if o.heal, err = one.Inject(ctx); err != nil {
		ended := o.event(record.FaultEnd)
		ended.Error = err.Error()
		f.telemetry.pollers.dark.end(o.name, time.Now())
		f.journal.event(ended)
		return err
	}
	if step.Fault.Momentary() {
		return f.healed(ctx, o)
	}
	f.ongoing = append(f.ongoing, o)
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
func (f *faults) healed(ctx context.Context, o ongoing) error {
	touched, err := o.heal(ctx)
	f.telemetry.pollers.dark.end(o.name, time.Now())
	e := o.event(record.FaultEnd)
	e.Count, e.About = touched.Sum(), touched.String()
	if err != nil {
		e.Error = err.Error()
	}
	f.journal.event(e)
	return err
}

// heal ends a fault by its name.
func (f *faults) heal(ctx context.Context, name string) error {
	at := slices.IndexFunc(f.ongoing, func(o ongoing) bool { return o.name == name })
	if at < 0 {
		return errors.New("it has not begun")
	}
	o := f.ongoing[at]
	f.ongoing = slices.Delete(f.ongoing, at, at+1)
	return f.healed(ctx, o)
}

// healAll ends what no step has ended, the newest first.
func (f *faults) healAll(ctx context.Context) {
	for len(f.ongoing) > 0 {
		last := f.ongoing[len(f.ongoing)-1]
		if err := f.heal(ctx, last.name); err != nil {
			f.journal.trouble("fault "+last.name, 0, "heal: "+err.Error())
		}
	}
}
