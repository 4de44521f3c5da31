// Package scrape is a way in: it fetches what instances expose for Prometheus, each at an interval of its target's own,
// and gives it to the collector as a Prometheus server would store it.
//
//	GET http://10.0.0.7:8080/metrics   →   words_total{instance="web-1",way="scrape",zone="a"} 17
//
// The parser is Prometheus' own, for its text, for OpenMetrics and for protobuf, which is asked for first: only that has native
// histograms. What a server does by default is done here:
//
//   - A point carries the moment of asking. Times that an exposition gives its samples are not heeded (honor_timestamps: false).
//   - The labels of a target win: an exposed `instance`, `way` or `zone` becomes `exported_instance` (honor_labels: false), unless the target
//     says otherwise ([Target.HonorLabels]).
//   - An exposition is kept whole or not at all: one that breaks off, has too many samples or is too long is a failed scrape.
//   - A series ends with a mark when a good scrape does not have it, when a scrape fails, and when its target is gone.
//   - A new series begins with its first value, and no zero goes before it: a rate() of it does not see what it began with.
//
// Counters are as exposed: one that begins anew falls. When it began, as far as an exposition tells (created timestamps), is a series
// beside it, NAME_created, with a point where that changes. A native histogram is one series of Type Summary; a classic one is its
// _bucket, _count and _sum, as counters, of which _count is exact whatever the bounds are.
//
// It pushes nothing, decides nothing, and does not ask an instance a last time when that is to end: what was counted after the last
// scrape is lost, as it is to a server. collector/pipeline makes one; a run adds its instances, `collect --scrape` what its flags name.
package scrape

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"throughline/collector"
)

// Config is how to scrape. The zero value of each field means its default.
type Config struct {
	MaxBody    int64 // bytes of an exposition, unpacked; default: 16 MiB
	MaxSamples int   // of an exposition, native histograms included; default: 50,000
}

// The defaults of Config.
const (
	defaultMaxBody    = 16 << 20
	defaultMaxSamples = 50_000
)

// Target is what is scraped: an instance, or something that speaks for it.
type Target struct {
	URL      string           // http://127.0.0.1:8080/metrics
	Instance string           // the label instance of all its series
	Labels   collector.Labels // what all its series have besides
	Every    time.Duration    // how often; 0: at every interval of the intake
	Timeout  time.Duration    // how long a scrape may take, at most Every; 0: as long as that, but at most 10 s
	// HonorLabels has an exposed label win over the target's of the same name, instance too, so that a target may speak for others, or take
	// their series for its own. It is what Prometheus calls honor_labels; what the collector tells of its scrapes keeps the target's.
	HonorLabels bool
}

// longestTimeout is the default limit of one scrape, however rare they are.
// Source: scrape_timeout in https://prometheus.io/docs/prometheus/latest/configuration/configuration/
const longestTimeout = 10 * time.Second

// Collector scrapes any number of targets. It is a collector.Source, Fetcher, Retirer and Tabler.
type Collector struct {
	cfg    Config
	intake collector.Intake
	client *http.Client

	mu      sync.Mutex
	targets map[string]*target // by instance
	known   map[string]bool    // instances of targets that are gone, too
	running context.Context    // nil unless Run runs
	ended   bool               // Run has ended, or Close was called instead
	wait    sync.WaitGroup
	failure error // the first that the sink did not take

	sharing sync.Mutex       // held while samples of targets whose labels are honoured are kept, which may be in one series
	newest  map[string]int64 // of these, by series, in milliseconds since 1970
}

// New returns a Collector without targets.
func New(cfg Config, in collector.Intake) *Collector {
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = defaultMaxBody
	}
	if cfg.MaxSamples <= 0 {
		cfg.MaxSamples = defaultMaxSamples
	}
	// An instance is asked where it is, not by way of a proxy of this machine's.
	transport := &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Minute}
	return &Collector{cfg: cfg, intake: in.WithDefaults(), client: &http.Client{Transport: transport}, targets: map[string]*target{}, known: map[string]bool{}, newest: map[string]int64{}}
}

// Add adds a target. It may be called while Run runs.
func (c *Collector) Add(t Target) error {
	switch u, err := url.Parse(t.URL); {
	case err != nil:
		return fmt.Errorf("scrape %s: %w", t.Instance, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("scrape %s: %q is no address: want one like http://127.0.0.1:8080/metrics", t.Instance, t.URL)
	case t.Instance == "":
		return fmt.Errorf("scrape %s: it is nobody's: want the name of an instance", t.URL)
	}
	if t.Every <= 0 {
		t.Every = c.intake.Interval
	}
	if t.Timeout <= 0 {
		t.Timeout = min(t.Every, longestTimeout)
	}
	if t.Timeout > t.Every {
		return fmt.Errorf("scrape %s: its timeout of %v is longer than its interval of %v", t.Instance, t.Timeout, t.Every)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return fmt.Errorf("scrape %s: the collector has ended", t.Instance)
	}
	if _, taken := c.targets[t.Instance]; taken {
		return fmt.Errorf("scrape %s: it is scraped already; give each target the name of an instance of its own", t.Instance)
	}
	added := newTarget(t)
	c.targets[t.Instance], c.known[t.Instance] = added, true
	if c.running != nil {
		c.start(added)
	}
	return nil
}

// Run scrapes until ctx ends and the scrapes that are under way have come back. It returns an error if the sink did not take
// samples.
func (c *Collector) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.running != nil || c.ended {
		c.mu.Unlock()
		return errors.New("run the scrapes: they ran before, or were closed; make another collector for each run")
	}
	c.running = ctx
	for _, t := range c.targets {
		c.start(t)
	}
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.ended = true // no more is started
	c.mu.Unlock()
	c.wait.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// start begins to scrape t. c.mu is held.
func (c *Collector) start(t *target) {
	if c.ended {
		return
	}
	ctx := c.running
	c.wait.Go(func() { c.repeat(ctx, t) })
}

// repeat scrapes t at its times, until ctx ends or t is retired.
func (c *Collector) repeat(ctx context.Context, t *target) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := t.next(time.Now()); ; {
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return
		case <-t.retired:
			return
		case <-timer.C:
		}
		// A scrape that is under way when ctx ends is not cut short: its answer counts. The timeout bounds it.
		c.scrape(context.WithoutCancel(ctx), t, due)
		next := t.next(time.Now())
		t.missed(uint64(next.Sub(due)/t.Every - 1))
		due = next
	}
}

// Close implements collector.Source.
func (c *Collector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.ended = true
	}
	c.client.CloseIdleConnections()
	return nil
}

// lastAttempts is how often a target is asked at the end that does not answer: on a busy machine one may be short of its timeout by chance,
// and nobody asks again after that.
const lastAttempts = 3

// Fetch scrapes every target now, all at once, and those that fail again. It implements collector.Fetcher. A target that does not answer
// is no error of the collector's, but what a scrape found out, and is counted as such.
func (c *Collector) Fetch(ctx context.Context) error {
	c.mu.Lock()
	all := make([]*target, 0, len(c.targets))
	for _, t := range c.targets {
		all = append(all, t)
	}
	c.mu.Unlock()
	refused := make([]error, len(all))
	var wait sync.WaitGroup
	for i, t := range all {
		wait.Go(func() {
			for n := 0; n < lastAttempts && (n == 0 || !t.reached()); n++ {
				refused[i] = errors.Join(refused[i], c.scrape(ctx, t, time.Now()))
			}
		})
	}
	wait.Wait()
	return errors.Join(refused...)
}

// Retire implements collector.Retirer: the target of an instance that is gone is scraped no more, and its series end. A scrape that is
// under way is waited for, at most until its timeout.
func (c *Collector) Retire(_ context.Context, instance string) error {
	c.mu.Lock()
	t := c.targets[instance]
	delete(c.targets, instance)
	known, ended := c.known[instance], c.ended
	c.mu.Unlock()
	switch {
	case t != nil && ended: // it has given its last points
		t.retire(time.Now())
		return nil
	case t != nil:
		return c.keep(t, t.retire(time.Now()), nil)
	case known:
		return nil
	}
	return fmt.Errorf("retire %s: %w", instance, collector.ErrUnknownInstance)
}

// refuse notes that the sink did not take samples of t.
func (c *Collector) refuse(t *target, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("keep samples of %s: %w", t.Instance, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = err
	}
	return err
}
