package run

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"throughline/collector/readback"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// reading is a run whose instances a server scrapes (metrics_from): the server is asked for its clock before anything starts, and for what it
// has when the load is over. Nil, it does nothing: the run's own collector scrapes.
type reading struct {
	from    script.MetricsFrom
	client  *readback.Client
	clock   readback.Clock // as it stood before the run
	journal *journal
	lives   *lives
	names   string            // a regular expression of the names that are read; "": all
	counted string            // of those that checks are about; "": none is
	hosts   map[string]string // addresses of instances that are not of this run's starting, by their names
}

// scrapeTolerance is how far the time of a sample may be off that of its scrape: a Prometheus puts it on its grid where it is so near.
// Source: ScrapeTimestampTolerance in https://github.com/prometheus/prometheus/blob/main/scrape/scrape.go
const scrapeTolerance = 2 * time.Millisecond

// Reading limits: what the server is given for all its answers, how often it is asked again that does not answer, and after how long.
const (
	readLimit    = 90 * time.Second
	readAttempts = 4
	readPause    = 2 * time.Second
)

// newReading asks the server for its clock. An error means that nothing could be judged: nothing has been started then.
func newReading(ctx context.Context, c Config, journal *journal) (*reading, error) {
	from := c.Scenario.MetricsFrom
	if from == nil {
		return nil, nil
	}
	client, err := readback.New(readback.Config{URL: from.URL, Access: c.Access})
	if err != nil {
		return nil, fmt.Errorf("metrics_from: %w", err)
	}
	r := &reading{from: *from, client: client, journal: journal, names: namesOf(c.Scenario), counted: countedOf(c.Scenario), hosts: map[string]string{}}
	if x := c.Scenario.Stack.External; x != nil {
		r.hosts = x.Addresses
	}
	if r.clock, err = client.Clock(ctx); err != nil {
		return nil, fmt.Errorf("metrics_from: %w", err)
	}
	return r, nil
}

// Access is how a server is reached that does not answer just anybody.
type Access = readback.Access

// of has it read what a server has of these instances.
func (r *reading) of(l *lives) *reading {
	if r != nil {
		r.lives = l
	}
	return r
}

// endings are what the name of a series may have behind that of its metric.
const endings = "(_total|_count|_sum|_bucket|_created)"

// namesOf is a regular expression of the series that the checks are about; "": of all, because an expression may ask for any.
func namesOf(s script.Scenario) string {
	for _, c := range s.Checks {
		switch c.Promise.(type) {
		case script.PromQL, script.Alert:
			return ""
		}
	}
	return countedOf(s)
}

// countedOf is a regular expression of the series of the metrics that checks name; "": they name none.
func countedOf(s script.Scenario) string {
	var all []string
	for _, c := range s.Checks {
		of := c.Promise.Metrics()
		if between, is := c.Promise.(script.Correlation); is {
			of = append(of, between.Metric)
		}
		for _, m := range of {
			if name := m.Name(); name != "" {
				name = regexp.MustCompile(endings+"$").ReplaceAllString(name, "")
				all = append(all, regexp.QuoteMeta(name))
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	return "(" + strings.Join(slices.Compact(all), "|") + ")" + endings + "?"
}

// finish waits until the server has what it scraped last, reads it, and puts it into the record. What keeps it from that is a trouble.
func (r *reading) finish(ctx context.Context, progress Progress) {
	if r == nil {
		return
	}
	quiet := time.Now()
	if ctx.Err() == nil && r.from.Lag > 0 {
		progress.Note(fmt.Sprintf("waiting %v until %s has what it scraped last", r.from.Lag, r.from.URL))
		_ = sleepUntil(ctx, quiet.Add(r.from.Lag)) // who calls it off wants what there is
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
	defer cancel()
	a, err := r.read(reading, quiet)
	if err != nil {
		r.journal.trouble("metrics_from", 0, err.Error())
		progress.Note(err.Error())
		return
	}
	_ = r.journal.record.Append(a.samples...) // the writer keeps a failure
	for _, t := range a.troubles {
		r.journal.trouble("metrics_from", 0, t)
	}
	r.journal.note("metrics_from", 0, a.told)
	progress.Note(a.told)
}

// read asks for everything, and again where the server does not answer.
func (r *reading) read(ctx context.Context, quiet time.Time) (attributed, error) {
	for n := 1; ; n++ {
		a, err := r.readOnce(ctx, quiet)
		if err == nil || n == readAttempts || errors.Is(err, errNobody) {
			return a, err
		}
		if sleepUntil(ctx, time.Now().Add(readPause)) != nil {
			return a, err
		}
	}
}

// errNobody is what is wrong where the server knows no instance of ours.
var errNobody = errors.New("none of our instances is scraped by it")

func (r *reading) readOnce(ctx context.Context, quiet time.Time) (attributed, error) {
	later, err := r.client.Clock(ctx)
	if err != nil {
		return attributed{}, err
	}
	spans := r.lives.spans(r.hosts)
	b := book{from: r.from, clock: r.clock.And(later), spans: spans, quiet: quiet}
	if len(spans) == 0 {
		return attributed{}, errNobody
	}
	from, to := b.theirs(spans[0].from).Add(-r.from.Every), b.theirs(time.Now())
	ups, err := r.client.Read(ctx, from, to, r.with(readback.Condition{Label: model.MetricNameLabel, OneOf: []string{upName}})...)
	if err != nil {
		return attributed{}, err
	}
	values, other := b.known(ups)
	if len(values) == 0 {
		return attributed{}, r.nobody(spans, other)
	}
	ours := readback.Condition{Label: r.from.Instance, OneOf: values}
	took, err := r.client.Read(ctx, from, to, r.with(ours, readback.Condition{Label: model.MetricNameLabel, OneOf: []string{durationName}})...)
	if err != nil {
		return attributed{}, err
	}
	wanted := []readback.Condition{ours}
	if r.names != "" {
		wanted = append(wanted, readback.Condition{Label: model.MetricNameLabel, Like: r.names})
	} else {
		wanted = append(wanted, readback.Condition{Label: model.MetricNameLabel, Like: ".+"})
	}
	all, err := r.client.Read(ctx, from, to, r.with(wanted...)...)
	if err != nil {
		return attributed{}, err
	}
	others, err := r.overwritten(ctx, from, to, values, b.jobs(ups))
	if err != nil {
		return attributed{}, err
	}
	types, err := r.client.Types(ctx)
	if err != nil {
		types = nil // names tell, as they do where the server keeps no metadata
	}
	return b.attribute(ups, took, all, types).with(b.overwritten(ups, others, types)), nil
}

// overwritten asks for series that checks are about, of the jobs of our instances, and of none of these: what an instance exposes may have won
// over the label by which it is known (honor_labels).
func (r *reading) overwritten(ctx context.Context, from, to time.Time, ours, jobs []string) ([]readback.Series, error) {
	if r.counted == "" {
		return nil, nil
	}
	conditions := []readback.Condition{{Label: model.MetricNameLabel, Like: r.counted}, {Label: r.from.Instance, OneOf: ours, Not: true}}
	if len(jobs) > 0 {
		conditions = append(conditions, readback.Condition{Label: model.JobLabel, OneOf: jobs})
	}
	return r.client.Read(ctx, from, to, conditions...)
}

// with adds the job to conditions.
func (r *reading) with(all ...readback.Condition) []readback.Condition {
	if r.from.Job != "" {
		all = append(all, readback.Condition{Label: model.JobLabel, OneOf: []string{r.from.Job}})
	}
	return all
}

// mostShown is how many values of a label are told.
const mostShown = 8

// nobody tells which values the label has whose values should be our instances.
func (r *reading) nobody(spans []span, other []string) error {
	var names []string
	for _, s := range spans {
		names = append(names, s.name)
	}
	have := "the series up has no such label"
	if len(other) > 0 {
		more := ""
		if n := len(other) - mostShown; n > 0 {
			more, other = fmt.Sprintf(" and %d more", n), other[:mostShown]
		}
		have = "it has " + strings.Join(other, ", ") + more
	}
	where := ""
	if r.from.Job != "" {
		where = " in the job " + r.from.Job
	}
	return fmt.Errorf("%s: %w: the label %s of up%s should be %s, or an address of theirs, and %s; name another label with metrics_from.instance, "+
		"or have the server find the instances (throughline inventory)", r.from.URL, errNobody, r.from.Instance, where, strings.Join(names, ", "), have)
}

// span is one instance, and when it lived; to is zero while it does.
type span struct {
	name, addr string // addr is host:port, or a host alone
	from, to   time.Time
}

// spans are the instances of the application that there were, in the order of their births. hosts are the addresses of those whose handles
// know none.
func (l *lives) spans(hosts map[string]string) (all []span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, one := range l.all {
		if one.role.Application() {
			addr := one.Addr("http")
			if addr == "" {
				addr = hosts[name]
			}
			all = append(all, span{name, addr, one.born, one.died})
		}
	}
	slices.SortFunc(all, func(a, b span) int {
		if c := a.from.Compare(b.from); c != 0 {
			return c
		}
		return record.CompareNames(a.name, b.name)
	})
	return all
}
