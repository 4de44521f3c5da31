// Package series keeps samples and answers questions about them: Prometheus'
// time series database, its query language and its HTTP API.
//
// It is the only package that knows Prometheus' code: its own types are plain.
// It measures nothing and flushes nothing. collector/server appends to it while
// things happen; a judge fills one with recorded samples later. Nothing in it
// depends on the present time, except for the default time of a query over
// HTTP: samples of any age can be appended and asked for.
package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"throughline/collector"
)

// Options are how to keep series. The zero value of each field means its
// default.
type Options struct {
	// Retention is how long samples are kept, counted back from the newest;
	// default 15 days.
	Retention time.Duration
	// OutOfOrder is how much older than the newest sample of all a series'
	// sample may be when the series has a later one already; default 30 s.
	OutOfOrder time.Duration
	// Lookback is how far back a query looks for the last sample of a
	// series that was not marked stale; default 5 min, as in Prometheus.
	Lookback time.Duration
	// Timeout is how long a query may take; default 2 min.
	Timeout time.Duration
	// Scratch leaves the write-ahead log out: samples are not to be found
	// by a later Open of the directory.
	Scratch bool
	// Now is the time of queries over HTTP that give none; default
	// time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Retention <= 0 {
		o.Retention = 15 * 24 * time.Hour
	}
	if o.OutOfOrder <= 0 {
		o.OutOfOrder = 30 * time.Second
	}
	if o.Lookback <= 0 {
		o.Lookback = 5 * time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// maxSamples is how many samples one query may hold in memory: Prometheus'
// default.
const maxSamples = 50_000_000

// Store keeps series in a directory. Its methods may be called by several
// goroutines at once.
type Store struct {
	opts   Options
	db     *tsdb.DB
	engine *promql.Engine
	parser parser.Parser

	mu    sync.Mutex
	known map[string]*known // by key
	key   []byte            // scratch
	metas map[string][]collector.Meta
}

// known is what is remembered of a series, so that its next sample finds it
// fast.
type known struct {
	ref       storage.SeriesRef
	labels    labels.Labels
	histogram bool
	meta      *collector.Meta
}

var _ collector.Sink = (*Store)(nil)

// Open opens the store in dir, which is made if it is not there. Samples from
// an earlier Open are found again, unless that was with Options.Scratch.
func Open(dir string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the store in %s: %w; choose another directory", dir, err)
	}
	o := tsdb.DefaultOptions()
	o.RetentionDuration = opts.Retention.Milliseconds()
	o.OutOfOrderTimeWindow = opts.OutOfOrder.Milliseconds()
	if opts.Scratch {
		o.WALSegmentSize = -1
	}
	logger := slog.New(slog.DiscardHandler)
	db, err := tsdb.Open(dir, logger, nil, o, nil)
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w; is it in use by another process? if not, remove the directory", dir, err)
	}
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: logger, Parser: p, MaxSamples: maxSamples, Timeout: opts.Timeout, LookbackDelta: opts.Lookback,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Second.Milliseconds() },
	})
	return &Store{opts: opts, db: db, engine: engine, parser: p, known: map[string]*known{}, metas: map[string][]collector.Meta{}}, nil
}

// Close writes down what is in memory and closes the store.
func (s *Store) Close() error {
	if err := errors.Join(s.engine.Close(), s.db.Close()); err != nil {
		return fmt.Errorf("close the store in %s: %w", filepath.Clean(s.db.Dir()), err)
	}
	return nil
}

// Append implements collector.Sink. Samples that can not be kept (two values of
// a series at one time, or one that is too old) do not keep the others out; the
// error counts them and names the first. Times are kept in milliseconds.
func (s *Store) Append(samples ...collector.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.db.Appender(context.Background())
	var first error
	refused := 0
	for i := range samples {
		if err := s.append(app, &samples[i]); err != nil {
			refused++
			if first == nil {
				first = fmt.Errorf("%s at %s: %w", seriesText(&samples[i]), samples[i].At.UTC().Format(time.RFC3339Nano), err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("store %d samples: %w", len(samples), err)
	}
	if refused > 0 {
		return fmt.Errorf("store: %d of %d samples refused, the first: %w", refused, len(samples), first)
	}
	return nil
}

func (s *Store) append(app storage.Appender, sample *collector.Sample) error {
	k, err := s.lookup(sample)
	if err != nil {
		return err
	}
	at := sample.At.UnixMilli()
	if sample.Histogram != nil {
		k.histogram = true
	}
	switch {
	case sample.Stale && k.histogram:
		k.ref, err = app.AppendHistogram(k.ref, k.labels, at, nil, &histogram.FloatHistogram{Sum: staleNaN()})
	case sample.Stale:
		k.ref, err = app.Append(k.ref, k.labels, at, staleNaN())
	case sample.Histogram != nil:
		k.ref, err = app.AppendHistogram(k.ref, k.labels, at, nil, toFloatHistogram(sample.Histogram))
	default:
		k.ref, err = app.Append(k.ref, k.labels, at, sample.Value)
	}
	if sample.Stale {
		delete(s.known, string(s.key))
	}
	return err
}

func staleNaN() float64 { return math.Float64frombits(value.StaleNaN) }

// lookup finds what is known of the sample's series; s.key is its key after.
func (s *Store) lookup(sample *collector.Sample) (*known, error) {
	s.key = append(s.key[:0], sample.Name...)
	for _, l := range sample.Labels {
		s.key = append(s.key, 0xff)
		s.key = append(s.key, l.Name...)
		s.key = append(s.key, 0xfe)
		s.key = append(s.key, l.Value...)
	}
	k, ok := s.known[string(s.key)]
	if !ok {
		all, err := toLabels(sample)
		if err != nil {
			return nil, err
		}
		k = &known{labels: all, histogram: sample.Meta != nil && sample.Meta.Type == collector.Summary}
		s.known[string(s.key)] = k
	}
	if k.meta != sample.Meta && sample.Meta != nil {
		k.meta = sample.Meta
		s.describe(sample.Name, *sample.Meta)
	}
	return k, nil
}

// describe remembers what a metric means. Two meanings of one name are both
// kept: somebody made a mistake, and it should show.
func (s *Store) describe(name string, meta collector.Meta) {
	for _, m := range s.metas[name] {
		if m == meta {
			return
		}
	}
	s.metas[name] = append(s.metas[name], meta)
}

// ParseExpr tells whether expr is a PromQL expression; the error says where it
// is wrong.
func ParseExpr(expr string) error {
	_, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	return err
}
