package run

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/compose/cloudwatch"
	"throughline/compose/haproxy"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
)

// hypervisor is what a cloud counts of a stack from outside, beside the collector and whatever becomes of that: the CPU of
// instances as the host's kernel has it, and what load balancer and database count. It tells CloudWatch, which the
// collector asks. It is safe for concurrent use. Its nil is of a stack without CloudWatch.
type hypervisor struct {
	cfg      Config
	journal  *journal
	lives    *lives
	balancer *balancer
	database *database
	host     *poll.Host
	store    *cloudwatch.Store
	meter    *cloudwatch.Meter
	server   *cloudwatch.Server
	read     map[string]time.Time // what the reading goroutine read last, by source
	end      context.CancelFunc
	ended    chan struct{}

	mu       sync.Mutex
	watched  map[string]*watched // instances that were seen, by name
	muted    bool
	whom     []string // are muted; none: all of the application
	withheld fault.Touched
}

// watched is an instance that CloudWatch tells of.
type watched struct {
	name        string
	metric      cloudwatch.Metric // of its CPU
	role        record.Role
	from, until time.Time
}

var _ fault.Hypervisor = (*hypervisor)(nil)

// newHypervisor is nil where the scenario has no CloudWatch.
func newHypervisor(c Config, journal *journal, lives *lives, balancer *balancer, database *database) *hypervisor {
	if !c.Scenario.Stack.CloudWatch.Told() {
		return nil
	}
	store := cloudwatch.NewStore(c.Scenario.Stack.CloudWatch.Delay, time.Now)
	return &hypervisor{cfg: c, journal: journal, lives: lives, balancer: balancer, database: database, store: store, meter: cloudwatch.NewMeter(store),
		read: map[string]time.Time{}, watched: map[string]*watched{}, withheld: fault.Touched{}}
}

// monitoring is how CloudWatch tells of instances; nil: there is none.
func (c Config) monitoring() *record.Monitoring {
	of := c.Scenario.Stack.CloudWatch
	if !of.Told() {
		return nil
	}
	return &record.Monitoring{Period: of.Period, Delay: of.Delay, CPUs: runtime.NumCPU(), Samples: int(of.Period / cloudwatch.Resolution)}
}

// asking is how the collector asks CloudWatch.
func (c Config) asking() poll.CloudWatchConfig {
	of := c.Scenario.Stack.CloudWatch
	return poll.CloudWatchConfig{Region: cloudRegion, KeyID: "throughline", Secret: "none", Period: of.Period, Delay: of.Delay}
}

// late is how late samples may come to the store beyond its default; 0: no later.
func (c Config) late() time.Duration {
	if !c.Scenario.Stack.CloudWatch.Told() {
		return 0
	}
	return c.asking().Late()
}

// start counts from now on, and has the collector ask for it.
func (h *hypervisor) start(ctx context.Context, polls *telemetry) (err error) {
	if h == nil {
		return nil
	}
	if h.host, err = poll.NewHost(h.lives.footprints); err != nil {
		return fmt.Errorf("stack.cloudwatch: %w", err)
	}
	if h.server, err = cloudwatch.Listen("127.0.0.1", h.store); err != nil {
		return err
	}
	asking := h.cfg.asking()
	asking.Endpoint, asking.Metrics = h.server.URL(), h.metrics
	poller, err := poll.NewCloudWatch(ctx, asking, time.Now())
	if err != nil {
		return err
	}
	reading, end := context.WithCancel(context.WithoutCancel(ctx))
	h.end, h.ended = end, make(chan struct{})
	go func() {
		defer close(h.ended)
		h.run(reading)
	}()
	return polls.addPoller(record.CloudWatchPoller, poller)
}

// close ends the counting, and CloudWatch with it.
func (h *hypervisor) close() error {
	if h == nil {
		return nil
	}
	if h.end != nil {
		h.end()
		<-h.ended
	}
	if h.server == nil {
		return nil
	}
	return h.server.Close()
}

// run reads all counters at each whole second.
func (h *hypervisor) run(ctx context.Context) {
	for {
		now := time.Now()
		if sleepUntil(ctx, now.Truncate(cloudwatch.Resolution).Add(cloudwatch.Resolution)) != nil {
			return
		}
		h.look(ctx)
	}
}

// The sources of one look.
const (
	hostSource     = "the host"
	balancerSource = "the load balancer"
	databaseSource = "the database"
)

// patience is how long a counter is waited for. One that a fault holds back is read later, and then has all since.
const patience = cloudwatch.Resolution / 2

// unread is for how long nobody waits for the counters of a source: what it then has is not known.
const unread = 10 * time.Second

// look reads all counters. CloudWatch tells of the time up to which all are read.
func (h *hypervisor) look(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := time.Now()
	hosts, err := h.host.Poll(asking, at)
	if err == nil {
		h.read[hostSource] = at
		h.usage(hosts, at)
	}
	var group errgroup.Group
	got := map[string][]collector.Sample{}
	var mu sync.Mutex
	for name, source := range h.counters() {
		group.Go(func() error {
			samples, err := source.Poll(asking, at)
			if err != nil {
				return nil // a fault may hold it back; its next answer has all since
			}
			mu.Lock()
			defer mu.Unlock()
			got[name] = samples
			return nil
		})
	}
	_ = group.Wait() // none gives an error
	for name, samples := range got {
		h.read[name] = at
		h.count(samples, at)
	}
	known := at
	for name := range h.read {
		if last := h.read[name]; at.Sub(last) < unread && last.Before(known) {
			known = last
		}
	}
	if at.Sub(h.read[hostSource]) < unread {
		h.store.Known(known)
	}
}

// counters are what counts by itself, by name.
func (h *hypervisor) counters() map[string]collector.Poller {
	all := map[string]collector.Poller{balancerSource: BalancerPoller(h.balancer.lb)}
	if h.countsUpdates() {
		all[databaseSource] = h.database.mongo
	}
	return all
}

// countsUpdates tells whether there is a database that counts its updates in one place.
func (h *hypervisor) countsUpdates() bool {
	return h.database.mongo != nil && h.cfg.Scenario.Stack.Members == 0
}

// usage takes what the host tells of each instance.
func (h *hypervisor) usage(samples []collector.Sample, at time.Time) {
	living := h.lives.parts.Names()
	h.mu.Lock()
	defer h.mu.Unlock()
	percent := 100 / float64(runtime.NumCPU())
	for _, s := range samples {
		if s.Name != record.HostSeconds {
			continue
		}
		of := h.watch(s.Labels.Get("instance"), at)
		switch {
		case of == nil:
		case h.mutes(of):
			h.meter.Forget(of.metric)
			h.withheld[of.name]++
		default:
			h.meter.Usage(of.metric, at, s.Value, percent)
		}
	}
	for name, of := range h.watched {
		if of.until.IsZero() && !slices.Contains(living, name) {
			of.until = at
			h.meter.Forget(of.metric)
		}
	}
}

// watch finds an instance, or begins to tell of it; nil: it is none that a cloud tells of. h.mu is held.
func (h *hypervisor) watch(name string, at time.Time) *watched {
	if known := h.watched[name]; known != nil {
		return known
	}
	of := &watched{name: name, from: at.Add(-h.cfg.Scenario.Stack.CloudWatch.Period), role: h.lives.roleOf(name)}
	switch {
	case of.role.Application():
		server := h.lives.cloud.server(name)
		if server == nil {
			return nil // it has just gone
		}
		of.metric = cloudwatch.Metric{Namespace: cloudwatch.EC2, Name: cloudwatch.CPUUtilization, Dimension: cloudwatch.InstanceID, Value: server.Identity().ID}
	case of.role == record.Database:
		of.metric = cloudwatch.Metric{Namespace: cloudwatch.DocDB, Name: cloudwatch.CPUUtilization, Dimension: cloudwatch.Database, Value: name}
	default:
		return nil
	}
	h.watched[name] = of
	return of
}

// mutes tells whether nothing is told of an instance. h.mu is held.
func (h *hypervisor) mutes(of *watched) bool {
	return h.muted && of.role.Application() && (len(h.whom) == 0 || slices.Contains(h.whom, of.name))
}

// counted are the counters that CloudWatch tells of besides, by the series that a poller makes of them.
var counted = map[string]func(h *hypervisor, s collector.Sample) (cloudwatch.Metric, bool){
	record.FrontendPrefix + "req_tot": func(h *hypervisor, s collector.Sample) (cloudwatch.Metric, bool) {
		return h.ofBalancer(cloudwatch.RequestCount), s.Labels.Get("proxy") == haproxy.Frontend
	},
	record.BackendPrefix + "hrsp_2xx": func(h *hypervisor, s collector.Sample) (cloudwatch.Metric, bool) {
		return h.ofBalancer(cloudwatch.Target2XX), s.Labels.Get("proxy") == haproxy.Backend
	},
	record.Opcounters: func(h *hypervisor, s collector.Sample) (cloudwatch.Metric, bool) {
		return cloudwatch.Metric{Namespace: cloudwatch.DocDB, Name: cloudwatch.OpcountersUpdate, Dimension: cloudwatch.Database, Value: DatabaseName}, s.Labels.Get("type") == "update"
	},
}

// count takes what load balancer or database count.
func (h *hypervisor) count(samples []collector.Sample, at time.Time) {
	for _, s := range samples {
		find := counted[s.Name]
		if find == nil {
			continue
		}
		if metric, ok := find(h, s); ok {
			h.meter.Count(metric, at, s.Value)
		}
	}
}

// ofBalancer is a metric of the load balancer, which Amazon names by the end of its ARN. The same run has the same again.
func (h *hypervisor) ofBalancer(name string) cloudwatch.Metric {
	drawn := rand.New(rand.NewPCG(h.cfg.Run.Seed, 0))
	return cloudwatch.Metric{Namespace: cloudwatch.ALB, Name: name, Dimension: cloudwatch.Balancer, Value: fmt.Sprintf("app/%s/%016x", BalancerName, drawn.Uint64())}
}

// The statistics that the collector asks for.
var (
	ofUse    = []string{"Average", "SampleCount"}
	ofCounts = []string{"Sum"}
)

// metrics are what the collector asks for.
func (h *hypervisor) metrics(context.Context) ([]poll.CloudWatchMetric, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []poll.CloudWatchMetric
	add := func(m cloudwatch.Metric, instance string, statistics []string) *poll.CloudWatchMetric {
		all = append(all, poll.CloudWatchMetric{Namespace: m.Namespace, Name: m.Name, Dimensions: collector.NewLabels(m.Dimension, m.Value), Statistics: statistics, Instance: instance})
		return &all[len(all)-1]
	}
	for _, of := range slices.SortedFunc(maps.Values(h.watched), func(a, b *watched) int { return record.CompareNames(a.name, b.name) }) {
		m := add(of.metric, of.name, ofUse)
		m.From, m.Until = of.from, of.until
	}
	add(h.ofBalancer(cloudwatch.RequestCount), BalancerName, ofCounts)
	add(h.ofBalancer(cloudwatch.Target2XX), BalancerName, ofCounts)
	if h.countsUpdates() {
		add(cloudwatch.Metric{Namespace: cloudwatch.DocDB, Name: cloudwatch.OpcountersUpdate, Dimension: cloudwatch.Database, Value: DatabaseName}, DatabaseName, ofCounts)
	}
	return all, nil
}

// Mute implements fault.Hypervisor.
func (h *hypervisor) Mute(instances ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.muted, h.whom, h.withheld = true, instances, fault.Touched{}
}

// Unmute implements fault.Hypervisor.
func (h *hypervisor) Unmute() fault.Touched {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.muted = false
	return h.withheld
}
