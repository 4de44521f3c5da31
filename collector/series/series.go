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
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
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
	opened int64 // newest time that was there when the store was opened, in ms

	// The database unmaps its files when it is closed, so Close waits for
	// whoever still reads them and has locked inUse for reading.
	inUse  sync.RWMutex
	closed bool
	life   context.Context // ends when Close begins, and the queries with it
	end    context.CancelFunc

	mu      sync.Mutex
	known   map[string]*known // by key
	sweepAt int               // number of known series that starts a sweep
	key     []byte            // scratch
	metas   map[string][]collector.Meta
}

// known is what is remembered of a series, so that its next sample finds it
// fast.
type known struct {
	ref    storage.SeriesRef
	labels labels.Labels
	newest int64 // no sample is newer, in ms
	meta   collector.Meta
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
		return nil, fmt.Errorf("open the store in %s: %w; is it in use by another process, or not a store? choose another directory", dir, err)
	}
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: logger, Parser: p, MaxSamples: maxSamples, Timeout: opts.Timeout, LookbackDelta: opts.Lookback,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Second.Milliseconds() },
	})
	life, end := context.WithCancel(context.Background())
	return &Store{opts: opts, db: db, engine: engine, parser: p, opened: newest(db), life: life, end: end,
		known: map[string]*known{}, sweepAt: firstSweep, metas: map[string][]collector.Meta{}}, nil
}

// newest is the newest time in db, in ms; math.MinInt64 if it is empty.
func newest(db *tsdb.DB) int64 {
	at := int64(math.MinInt64)
	if db.Head().NumSeries() > 0 {
		at = db.Head().MaxTime()
	}
	for _, block := range db.BlockMetas() {
		at = max(at, block.MaxTime-1)
	}
	return at
}

var errClosed = errors.New("the store is closed")

// use keeps the store from closing until release is called. ctx ends when the
// store is to close.
func (s *Store) use(parent context.Context) (ctx context.Context, release func(), err error) {
	s.inUse.RLock()
	if s.closed {
		s.inUse.RUnlock()
		return nil, nil, errClosed
	}
	ctx, cancel := context.WithCancel(parent)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel(); s.inUse.RUnlock() }, nil
}

// Close ends the queries that run, writes down what is in memory and closes the
// store. What is asked of it afterwards is refused; closing twice is harmless.
// A server of its Handler is to be closed before, for Close waits for answers
// that are on their way.
func (s *Store) Close() error {
	s.end()
	s.inUse.Lock()
	defer s.inUse.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := errors.Join(s.engine.Close(), s.db.Close()); err != nil {
		return fmt.Errorf("close the store in %s: %w", filepath.Clean(s.db.Dir()), err)
	}
	return nil
}

// Append implements collector.Sink. Times are kept in whole milliseconds. A
// sample that can not be kept does not keep the others out, and is named in the
// error. These can not be kept:
//
//   - a second, different value of a series at one time (the same value again
//     is no error);
//   - a sample older than the newest of its series, when it is older than the
//     newest of all by more than Options.OutOfOrder;
//   - a sample older than the newest of all by more than an hour. So append in
//     the order of time; series after series is right for a span of an hour.
//
// The end of a series (Sample.Stale) at the time of one of its samples is kept a
// millisecond later, so that neither covers the other. The end of a series that
// never was is nothing.
func (s *Store) Append(samples ...collector.Sample) error {
	ctx, release, err := s.use(context.Background())
	if err != nil {
		return fmt.Errorf("store %d samples: %w", len(samples), err)
	}
	defer release()
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.db.Appender(ctx)
	var late []pending
	bad := refusals{of: len(samples)}
	for i := range samples {
		p, err := s.prepare(app, &samples[i])
		switch {
		case err != nil:
			bad.add(&samples[i], err)
		case p.series == nil: // the end of what never was
		case p.at <= p.series.newest:
			late = append(late, p)
		default:
			if err := p.append(app); err != nil {
				bad.add(p.sample, err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("store %d samples: %w", len(samples), err)
	}
	for _, p := range late {
		if err := s.appendLate(p); err != nil {
			bad.add(p.sample, err)
		}
	}
	return bad.err()
}

// The times a sample may have. They bound what a mistaken unit or a forgotten
// time can do: one sample of the year 50,000 makes all others too old.
var (
	firstTime = time.Unix(0, 0)
	lastTime  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// prepare finds what a sample belongs to. The series is nil if there is nothing
// to keep.
func (s *Store) prepare(app storage.Appender, sample *collector.Sample) (pending, error) {
	p := pending{sample: sample, at: sample.At.UnixMilli()}
	if sample.At.Before(firstTime) || !sample.At.Before(lastTime) {
		return p, errors.New("the time is not between 1970 and 2200; was it set, and in the right unit?")
	}
	if sample.Histogram == nil && !sample.Stale && sample.Meta != nil && sample.Meta.Type == collector.Summary {
		return p, errors.New("the type is histogram, but Histogram is not set")
	}
	s.key = appendKey(s.key[:0], sample)
	p.series = s.known[string(s.key)]
	if p.series == nil {
		k, err := s.enter(app, sample)
		if k == nil || err != nil {
			return p, err
		}
		p.series = k
	}
	if sample.Meta != nil && *sample.Meta != p.series.meta {
		p.series.meta = *sample.Meta
		s.describe(sample.Name, *sample.Meta)
	}
	return p, nil
}

// appendKey writes what tells the series of a sample from all others. Lengths
// come first, for any byte may occur in a name.
func appendKey(key []byte, sample *collector.Sample) []byte {
	key = binary.AppendUvarint(key, uint64(len(sample.Name)))
	key = append(key, sample.Name...)
	for _, l := range sample.Labels {
		if l.Value == "" {
			continue // the same as no label
		}
		key = binary.AppendUvarint(key, uint64(len(l.Name)))
		key = append(key, l.Name...)
		key = binary.AppendUvarint(key, uint64(len(l.Value)))
		key = append(key, l.Value...)
	}
	return key
}

// enter makes the series of a sample, whose key is s.key, known. It is nil if
// the sample is the end of a series that the database does not have.
func (s *Store) enter(app storage.Appender, sample *collector.Sample) (*known, error) {
	all, err := toLabels(sample)
	if err != nil {
		return nil, err
	}
	k := &known{labels: all, newest: s.opened}
	if sample.Stale {
		if refs, ok := app.(storage.GetRef); ok {
			k.ref, _ = refs.GetRef(all, all.Hash())
		}
		if k.ref == 0 {
			return nil, nil
		}
	}
	if len(s.known) >= s.sweepAt {
		s.sweep()
	}
	s.known[string(s.key)] = k
	return k, nil
}

// firstSweep is the number of series that starts the first sweep.
const firstSweep = 10_000

// sweep forgets series of instances long gone. Nothing is lost by it: what is
// as old as their samples the database refuses by itself, and what is newer is
// in order.
func (s *Store) sweep() {
	oldest := s.db.Head().MaxTime() - s.opts.OutOfOrder.Milliseconds()
	for key, k := range s.known {
		if k.newest < oldest {
			delete(s.known, key)
		}
	}
	s.sweepAt = max(firstSweep, 2*len(s.known))
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
