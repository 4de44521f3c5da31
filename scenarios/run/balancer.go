package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/compose/haproxy"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// balancer is the load balancer of a stack: HAProxy, its list of servers, its log,
// and the proxy that some faults need before it. A backend of it is a fleet's pool.
type balancer struct {
	cfg        Config
	executions *executions // takes in its log; nil: it keeps none
	network    *network
	lb         *haproxy.Runtime
	runtime    string       // host:port of its Runtime API
	front      string       // host:port where it serves
	proxy      *fault.Proxy // nil: no fault needs it
	users      string       // URL where users are served: by HAProxy, or by what stands before it
	reloading  sync.RWMutex // held while its process is replaced, and shared by who counts on this one
}

// start starts HAProxy and what stands before it.
func (b *balancer) start(ctx context.Context, in *lives, polls *telemetry) error {
	instance, err := b.instance(ctx)
	if err != nil {
		return err
	}
	one, err := in.start(ctx, instance, record.LoadBalancer, "")
	if err != nil {
		return err
	}
	b.front, b.runtime = one.Addr(haproxy.HTTPPort), one.Addr(haproxy.RuntimePort)
	b.lb = haproxy.NewRuntime(b.runtime)
	if b.config().Master {
		b.lb = haproxy.NewMaster(b.runtime)
	}
	if err := b.before(); err != nil {
		return err
	}
	return polls.addPoller(balancerPoller, BalancerPoller(b.lb))
}

// before has a link and a proxy stand before HAProxy, where faults need them: what the users send comes to the link first.
func (b *balancer) before() error {
	b.users = b.url()
	if b.cfg.needs(script.Proxy) {
		var err error
		if b.proxy, err = fault.NewProxy(b.cfg.Platform.Home(), b.url(), b.cfg.Run.Seed); err != nil {
			return err
		}
		b.users = b.proxy.URL()
	}
	var err error
	b.users, err = b.network.frontend(b.users)
	return err
}

// url is the load balancer itself.
func (b *balancer) url() string { return "http://" + b.front }

// frontend is where users are served.
func (b *balancer) frontend() string { return b.users }

// holdReloads implements pool.
func (b *balancer) holdReloads() (release func()) {
	b.reloading.RLock()
	return b.reloading.RUnlock
}

// backend is the servers of one role.
type backend struct {
	*balancer
	name string
}

// add implements pool.
func (b backend) add(ctx context.Context, h compose.Handle) error {
	addr, err := behind(h)
	if err == nil {
		addr, err = b.network.way(script.LBWeb, h.Name(), addr, h.Addr("http"))
	}
	if err != nil {
		return err
	}
	if err := b.lb.AddTo(ctx, b.name, h.Name(), addr); err != nil {
		return err
	}
	return b.lb.WaitState(ctx, h.Name(), haproxy.Up)
}

// drain implements pool.
func (b *balancer) drain(ctx context.Context, name string) error {
	if err := b.lb.Drain(ctx, name); err != nil {
		return err
	}
	return b.awaitIdle(ctx, name)
}

// idleEvery is how often the load balancer is asked whether a drained server
// still has requests on it.
const idleEvery = 20 * time.Millisecond

// awaitIdle returns when no request is in flight between the load balancer and
// the server.
func (b *balancer) awaitIdle(ctx context.Context, name string) error {
	if b.lb == nil {
		return nil // it is not ours, and does not say
	}
	ticker := time.NewTicker(idleEvery)
	defer ticker.Stop()
	for {
		state, err := b.lb.State(ctx, name)
		if err != nil {
			return err
		}
		if state.Sessions == 0 && state.Queued == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still has %s in flight: %w", name, plural(int64(state.Sessions), "request"), ctx.Err())
		case <-ticker.C:
		}
	}
}

// awaitDown implements pool.
func (b *balancer) awaitDown(ctx context.Context, name string) error {
	return b.lb.WaitState(ctx, name, haproxy.Down)
}

// remove implements pool.
func (b *balancer) remove(ctx context.Context, name string) error { return b.lb.Remove(ctx, name, 0) }

// replacing is a fault that replaces the load balancer's process. It waits until
// nobody counts on the one that is there.
type replacing struct {
	fault.Fault
	of *balancer
}

// Inject implements fault.Fault.
func (r replacing) Inject(ctx context.Context) (fault.Heal, error) {
	r.of.reloading.Lock()
	defer r.of.reloading.Unlock()
	return r.Fault.Inject(ctx)
}

// close ends the proxy; HAProxy goes with the other instances.
func (b *balancer) close() error {
	if b.proxy == nil {
		return nil
	}
	return b.proxy.Close()
}

// instance is HAProxy, with a configuration it has agreed to.
func (b *balancer) instance(ctx context.Context) (compose.Instance, error) {
	config := b.config()
	if b.cfg.HAProxy == "" {
		return b.own(config)
	}
	text, err := config.Render("127.0.0.1:1", "127.0.0.1:2") // any ports: -c binds none
	if err != nil {
		return compose.Instance{}, err
	}
	if err := haproxy.Check(ctx, b.cfg.HAProxy, text); err != nil {
		return compose.Instance{}, err
	}
	instance, err := config.Instance(BalancerName, b.cfg.HAProxy)
	return b.fronted(instance), err
}

// config is how HAProxy is set up for the scenario.
func (b *balancer) config() haproxy.Config {
	stack := b.cfg.Scenario.Stack
	return haproxy.Config{HealthPath: stack.Web.Health, Backends: b.pools(), Log: b.executions.addr(), RetryAll: stack.RetryAll, Master: b.cfg.needs(script.Master), Proxied: stack.HTTPD}
}

// pools are the backends beside that of the first role: of each further role that users reach one, by the paths of its
// routes.
func (b *balancer) pools() (further []haproxy.Pool) {
	for _, role := range b.cfg.Scenario.Stack.Others {
		if !role.WithUsers() {
			continue
		}
		p := haproxy.Pool{Name: haproxy.BackendOf(role.RoleName()), HealthPath: role.Health}
		for _, name := range slices.Sorted(maps.Keys(role.Routes)) {
			text, prefix := role.Routes[name].Match()
			if path := (haproxy.Path{Text: text, Prefix: prefix}); !slices.Contains(p.Paths, path) {
				p.Paths = append(p.Paths, path)
			}
		}
		further = append(further, p)
	}
	return further
}

// own is the platform's HAProxy. It reads its configuration when it starts; nobody
// can ask it before.
func (b *balancer) own(config haproxy.Config) (compose.Instance, error) {
	instance, err := config.Instance(BalancerName, "haproxy")
	return b.fronted(instance), err
}

// fronted gives the load balancer the port for users that was asked for, and has somebody start it again when it has
// crashed, where a fault needs that.
func (b *balancer) fronted(i compose.Instance) compose.Instance {
	if b.cfg.needs(script.Respawn) {
		i.Program = compose.Program{Self: append([]string{"respawn", "--"}, i.Program.Command...)}
	}
	if b.cfg.Frontend != 0 && i.Ports != nil {
		i.Ports[haproxy.HTTPPort] = b.cfg.Frontend
	}
	return i
}

// BalancerPoller gives a load balancer's statistics to the collector, which
// knows no HAProxy.
func BalancerPoller(lb *haproxy.Runtime) *poll.HAProxy {
	kinds := map[haproxy.Kind]string{
		haproxy.FrontendRow: poll.Frontend, haproxy.BackendRow: poll.Backend, haproxy.Server: poll.Server, haproxy.Listener: poll.Listener}
	return &poll.HAProxy{Rows: func(ctx context.Context) ([]poll.HAProxyRow, error) {
		rows, err := lb.Statistics(ctx)
		out := make([]poll.HAProxyRow, 0, len(rows))
		for _, r := range rows {
			out = append(out, poll.HAProxyRow{Proxy: r.Proxy, Server: r.Server, Kind: kinds[r.Kind], Values: r.Values,
				Status: r.Text["status"], Check: r.State().Check, Removed: r.Removed})
		}
		return out, err
	}}
}
