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
	cfg        Config
	journal    *journal
	lives      *lives
	balancer   *balancer
	telemetry  *telemetry
	network    *network
	database   *database
	fronts     *fronts
	hypervisor *hypervisor
	ongoing    []ongoing // that have begun, the newest last
	whom       string    // the member of the database to whom the last one was done; "": it was done to none
}

// ongoing is a fault that has begun.
type ongoing struct {
	name, instance string
	hop            script.Hop // of whose network it is; "": of none
	blinds         string     // the poller that it keeps from an answer; "": none
	heal           fault.Heal
}

// maker makes one fault of the language.
type maker struct {
	name string // as the language has it
	make func(f *faults, what script.Fault, on string) fault.Fault
	// blinds is the poller that the fault keeps from an answer; "": none. That such a
	// poll fails is what the scenario wants; it is no trouble of the harness.
	blinds string
}

// makerOf is the maker of one type of fault.
func makerOf[F script.Fault](build func(f *faults, what F, on string) fault.Fault) maker {
	var zero F
	return maker{name: zero.Name(), make: func(f *faults, what script.Fault, on string) fault.Fault { return build(f, what.(F), on) }}
}

// tampererOf is the maker of a fault of datagrams.
func tampererOf[F script.Fault](tamper func(F) fault.Tamper) maker {
	return makerOf(func(f *faults, what F, on string) fault.Fault {
		return fault.Datagrams{Name: what.Name(), Relays: f.telemetry.relays, On: on, Tamper: tamper(what)}
	})
}

// networkOf is the maker of a fault of the network.
func networkOf[F script.Fault](build func(n *network, what F, on string) fault.Fault) maker {
	return makerOf(func(f *faults, what F, on string) fault.Fault { return build(f.network, what, on) })
}

// blinding is the maker of a fault that keeps a poller from an answer.
func (m maker) blinding(poller string) maker {
	m.blinds = poller
	return m
}

// makers make all faults that the language has.
var makers = []maker{
	tampererOf(func(w script.DropDatagrams) fault.Tamper { return fault.Drop(w.Share) }),
	tampererOf(func(w script.DuplicateDatagrams) fault.Tamper { return fault.Duplicate(w.Share) }),
	tampererOf(func(w script.ReorderDatagrams) fault.Tamper { return fault.Reorder(w.Share) }),
	tampererOf(func(w script.TruncateDatagrams) fault.Tamper { return fault.Truncate(w.Bytes) }),
	tampererOf(func(w script.DelayDatagrams) fault.Tamper { return fault.Delay(w.By) }),
	makerOf((*faults).leftoverLines),
	makerOf((*faults).leftoverLoad),
	makerOf((*faults).replay),
	makerOf((*faults).freeze),
	makerOf((*faults).freezeDatabase).blinding(mongoPoller),
	makerOf((*faults).freezePrimary).blinding(mongoPoller),
	makerOf((*faults).isolate),
	makerOf((*faults).fillDisk),
	makerOf((*faults).reload),
	makerOf((*faults).killLB).blinding(balancerPoller),
	makerOf((*faults).reloadHTTPD).blinding(httpdPoller), // a reload may close the connection on which it is asked
	makerOf((*faults).killHTTPD).blinding(httpdPoller),
	makerOf((*faults).muteCloudWatch),
	makerOf((*faults).limitHTTPD).blinding(httpdPoller), // who asks waits with all others
	makerOf((*faults).restart),
	makerOf((*faults).killCollector),
	networkOf((*network).slow),
	networkOf((*network).throttle),
	networkOf((*network).cut),
	networkOf((*network).reset),
}

// Faults names the faults that a run can do: all of the language's.
func Faults() []string {
	var names []string
	for _, m := range makers {
		names = append(names, m.name)
	}
	return names
}

func findMaker(name string) (maker, error) {
	at := slices.IndexFunc(makers, func(m maker) bool { return m.name == name })
	if at < 0 {
		return maker{}, fmt.Errorf("%s: no such fault", name)
	}
	return makers[at], nil
}

func (f *faults) leftoverLines(what script.LeftoverLines, on string) fault.Fault {
	return fault.LeftoverLines{Addrs: func() map[string]string { return f.telemetry.listening(on) }, Metric: f.metric(), Rate: what.Rate}
}

func (f *faults) leftoverLoad(what script.LeftoverLoad, _ string) fault.Fault {
	return fault.LeftoverLoad{Target: f.balancer.url(), Routes: f.requests(), Rate: what.Rate}
}

func (f *faults) replay(what script.ReplayRequests, _ string) fault.Fault {
	return fault.Replay{Proxy: f.balancer.proxy, Share: what.Share}
}

func (f *faults) freeze(_ script.Freeze, on string) fault.Fault {
	return fault.Freeze{Instances: func() ([]compose.Handle, error) { return f.lives.find(names(on)...) }}
}

func (f *faults) freezeDatabase(script.FreezeDatabase, string) fault.Fault {
	return fault.Freeze{Instances: func() ([]compose.Handle, error) { return f.lives.find(DatabaseName) }}
}

func (f *faults) fillDisk(script.FillDisk, string) fault.Fault {
	return fault.FillDisk{Name: DatabaseName, Dir: func() (string, error) { return f.database.disk(f.lives) }}
}

func (f *faults) reload(script.ReloadLB, string) fault.Fault {
	return replacing{fault.ReloadLB{LB: f.balancer.lb, Name: BalancerName, Look: f.telemetry.pollNow}, f.balancer}
}

func (f *faults) killLB(script.KillLB, string) fault.Fault {
	return replacing{fault.KillLB{LB: f.balancer.lb, Name: BalancerName, Look: f.telemetry.pollNow}, f.balancer}
}

func (f *faults) reloadHTTPD(_ script.ReloadHTTPD, on string) fault.Fault {
	return fault.AtHTTPD{Servers: f.fronts.controlled(names(on)...), Do: fault.HTTPD.Reload}
}

func (f *faults) killHTTPD(_ script.KillHTTPD, on string) fault.Fault {
	return fault.AtHTTPD{Servers: f.fronts.controlled(names(on)...), Do: fault.HTTPD.Crash}
}

func (f *faults) limitHTTPD(what script.LimitHTTPD, on string) fault.Fault {
	return fault.LimitHTTPD{Servers: f.fronts.controlled(names(on)...), Workers: what.Workers}
}

func (f *faults) muteCloudWatch(_ script.MuteCloudWatch, on string) fault.Fault {
	return fault.MuteCloudWatch{Hypervisor: f.hypervisor, Instances: names(on)}
}

func (f *faults) restart(what script.RestartCollector, _ string) fault.Fault {
	return fault.RestartCollector{Relays: f.telemetry.relays, For: what.For, Stop: f.telemetry.end, Start: f.telemetry.restart}
}

func (f *faults) killCollector(what script.KillCollector, _ string) fault.Fault {
	return fault.KillCollector{Relays: f.telemetry.relays, For: what.For, Kill: f.telemetry.kill, Start: f.telemetry.restart}
}

// possible asks of every fault of the scenario whether it can be done to the
// stack that is up. Instances that come later are like those that are there.
func (f *faults) possible() error {
	var errs []error
	for _, phase := range f.cfg.Scenario.Phases {
		for _, step := range phase.Do {
			begin, ok := step.Move.(script.BeginFault)
			if !ok {
				continue
			}
			m, err := findMaker(begin.Fault.Name())
			if err == nil {
				err = m.make(f, begin.Fault, "").Possible()
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", step.Pos, err))
			}
		}
	}
	return errors.Join(errs...)
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
		route := f.cfg.Scenario.Stack.Routes()[name]
		out = append(out, fault.Request{Method: route.Method, Path: route.Path})
	}
	return out
}

// metric is a counter that the scenario checks.
func (f *faults) metric() string {
	if all := script.Promised[script.Conservation](f.cfg.Scenario); len(all) > 0 {
		return all[0].Metric.Name()
	}
	return "leftover"
}

// inject begins a fault and journals it. One that is over at once is ended.
func (f *faults) inject(ctx context.Context, begin script.BeginFault) error {
	m, err := findMaker(begin.Fault.Name())
	if err != nil {
		return err
	}
	o := ongoing{name: m.name, instance: begin.Instance, hop: script.HopOf(begin.Fault), blinds: m.blinds}
	f.whom = ""
	f.journal.event(o.event(record.FaultBegin))
	f.telemetry.pollers.dark.begin(o.blinds, time.Now())
	if o.heal, err = m.make(f, begin.Fault, begin.Instance).Inject(ctx); err != nil {
		ended := o.event(record.FaultEnd)
		ended.Error = err.Error()
		f.telemetry.pollers.dark.end(o.blinds, time.Now())
		f.journal.event(ended)
		return err
	}
	if begin.Momentary() {
		return f.healed(ctx, o)
	}
	f.ongoing = append(f.ongoing, o)
	return nil
}

func (o ongoing) event(kind record.Kind) record.Event {
	e := record.Event{Kind: kind, Fault: o.name, Instance: o.instance, Hop: string(o.hop)}
	if o.instance != "" {
		e.Role = roleOf(o.instance)
	}
	return e
}

// healed ends a fault and journals what it touched.
func (f *faults) healed(ctx context.Context, o ongoing) error {
	touched, err := o.heal(ctx)
	f.telemetry.pollers.dark.end(o.blinds, time.Now())
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

// names are the faults that have begun, the oldest first.
func (f *faults) names() []string {
	var names []string
	for _, o := range f.ongoing {
		names = append(names, o.name)
	}
	return names
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
