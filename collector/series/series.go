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

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
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
	// LeaveOpen does without the mark of the outage: by default Open ends
	// the series that an earlier Open left without an end, lest a query show
	// their last value while nobody measured. See Store.Outage.
	LeaveOpen bool
	// Now is the time of queries over HTTP that give none, and of Open;
	// default time.Now.
	Now func() time.Time
	// Log is told what no caller waits for: that the database repaired its
	// log, losing its end, or cannot write a block. Default: nobody.
	Log *slog.Logger
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
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// blockRange is the span of a block. Up to one and a half of them are in memory,
// where each chunk that was written to disk still takes 32 bytes: in the two
// hours of Prometheus, 100,000 series come to more than a gigabyte. A scratch
// store has those two hours, for samples that come series after series.
const blockRange = 15 * time.Minute

// Store keeps series in a directory. Its methods may be called by several
// goroutines at once.
type Store struct {
	opts    Options
	db      *tsdb.DB
	engines map[*allowance]*promql.Engine
	parser  parser.Parser
	opened  int64 // no sample that Open found is newer, in ms
	outage  outage
	began   time.Time // when it was opened
	turns   turns

	meanings *meanings

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
	o.MinBlockDuration = blockRange.Milliseconds()
	o.MaxBlockDuration = max(o.MinBlockDuration, o.RetentionDuration/10) // as in Prometheus
	if opts.Scratch {
		o.WALSegmentSize = -1
		o.MinBlockDuration, o.MaxBlockDuration = tsdb.DefaultBlockDuration, tsdb.DefaultBlockDuration
	}
	db, err := tsdb.Open(dir, quiet(opts.Log), nil, o, nil)
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w; is it in use by another process, or not a store? choose another directory", dir, err)
	}
	s := &Store{opts: opts, db: db, engines: map[*allowance]*promql.Engine{}, parser: newParser(), opened: newest(db), began: opts.Now().UTC(),
		turns: newTurns(), meanings: newMeanings(dir, opts),
		known: map[string]*known{}, sweepAt: firstSweep}
	if err := s.findOutage(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: find what an earlier process left: %w", dir, err), db.Close())
	}
	for _, a := range []*allowance{light, heavy, alone} {
		s.engines[a] = promql.NewEngine(promql.EngineOpts{
			Logger: slog.New(slog.DiscardHandler), Parser: s.parser, MaxSamples: a.samples, Timeout: opts.Timeout, LookbackDelta: opts.Lookback,
			EnableAtModifier: true, EnableNegativeOffset: true,
			NoStepSubqueryIntervalFn: func(int64) int64 { return subqueryStep.Milliseconds() },
		})
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// quiet passes on what is wrong, and leaves out the progress of the database.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(warnings{log.Handler()})
}

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

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
func (s *Store) Close() error {
	s.end()
	s.inUse.Lock()
	defer s.inUse.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := errors.Join(s.engines[light].Close(), s.engines[heavy].Close(), s.engines[alone].Close(), s.meanings.close(), s.db.Close()); err != nil {
		return fmt.Errorf("close the store in %s: %w", filepath.Clean(s.db.Dir()), err)
	}
	return nil
}
