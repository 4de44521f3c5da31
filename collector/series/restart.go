package series

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"

	"throughline/collector"
)

// outage is the time in which nobody appended.
type outage struct{ from, to time.Time }

// Outage is the time from the newest sample of an earlier Open, of any series,
// to this Open (Options.Now). ok is false if there was none: the store was empty
// or is Options.Scratch, or all its samples are newer than now. Samples whose
// time was ahead of their clock do not shorten it.
func (s *Store) Outage() (from, to time.Time, ok bool) {
	return s.outage.from, s.outage.to, !s.outage.from.IsZero()
}

// Last is the last sample, from before this Open, of exactly this series: a
// counter goes on from there, a histogram with its buckets. The end of a series
// is no sample: what was before it is given. Meta and Observed are not set.
//
// It is looked for in what the database has in memory, which is the time before
// the newest sample of all, seven minutes at least and 23 at most. A series that
// was silent for longer is not found. A store that was empty answers at once.
func (s *Store) Last(name string, ls collector.Labels) (collector.Sample, bool) {
	none := collector.Sample{}
	if s.opened == math.MinInt64 {
		return none, false
	}
	all, err := toLabels(&collector.Sample{Name: name, Labels: ls})
	if err != nil {
		return none, false
	}
	ctx, release, err := s.use(context.Background())
	if err != nil {
		return none, false
	}
	defer release()
	ref, err := s.find(ctx, all)
	if err != nil || ref == 0 {
		return none, false
	}
	memory, err := openMemory(s.db.Head())
	if err != nil {
		s.opts.Log.Warn("read the last sample of a series", "series", all.String(), "err", err)
		return none, false
	}
	defer memory.close()
	last, err := memory.last(ref, s.opened)
	if err == nil && last.found {
		out := collector.Sample{Name: name, Labels: ls, At: fromMilli(last.at), Value: last.value}
		if last.histogram == nil {
			return out, true
		}
		out.Value = 0
		if out.Histogram, err = fromFloatHistogram(last.histogram); err == nil {
			return out, true
		}
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		s.opts.Log.Warn("read the last sample of a series", "series", all.String(), "err", err)
	}
	return none, false
}

// find is the number of a series in the database; 0 if it is not in memory.
func (s *Store) find(ctx context.Context, all labels.Labels) (storage.SeriesRef, error) {
	app := s.db.Appender(ctx)
	ref := storage.SeriesRef(0)
	if refs, ok := app.(storage.GetRef); ok {
		ref, _ = refs.GetRef(all, all.Hash())
	}
	return ref, app.Rollback()
}

// marksAtOnce is how many ends are committed together.
const marksAtOnce = 10_000

// findOutage looks through what an earlier Open left, and ends the series that
// it left without an end, a millisecond after their last sample. Those that were
// silent for Options.Lookback before the newest sample of all are left alone:
// no query shows them since.
func (s *Store) findOutage() error {
	if s.opts.Scratch || s.opened == math.MinInt64 {
		return nil
	}
	now := s.opts.Now()
	newest := min(s.opened, now.UnixMilli())
	memory, err := openMemory(s.db.Head())
	if err != nil {
		return err
	}
	defer memory.close()
	ends := ends{db: s.db, since: newest - s.opts.Lookback.Milliseconds()}
	if first, ok := s.db.Head().AppendableMinValidTime(); ok {
		ends.since = max(ends.since, first)
	}
	from := int64(math.MinInt64)
	for _, block := range s.db.BlockMetas() {
		if block.MaxTime-1 <= newest {
			from = max(from, block.MaxTime-1)
		}
	}
	err = memory.each(func(ref storage.SeriesRef, all labels.Labels) {
		last, err := memory.last(ref, math.MaxInt64)
		if last.found && last.at <= newest {
			from = max(from, last.at)
		}
		if last.found && !last.ended && !s.opts.LeaveOpen {
			err = errors.Join(err, ends.add(ref, all, last.at+1))
		}
		if err != nil { // its last value stands for Options.Lookback; the others are not worse for it
			s.opts.Log.Warn("end a series at the outage", "series", all.String(), "err", err)
		}
	})
	if err := errors.Join(err, ends.commit()); err != nil {
		return err
	}
	if from != math.MinInt64 && now.After(fromMilli(from)) {
		s.outage = outage{from: fromMilli(from), to: now}
	}
	s.opened = max(s.opened, s.db.Head().MaxTime())
	return nil
}

// ends writes the ends of series.
type ends struct {
	db    *tsdb.DB
	since int64 // older ones are left out, in ms
	app   storage.Appender
	n     int // not committed yet
}

func (e *ends) add(ref storage.SeriesRef, all labels.Labels, at int64) error {
	if at <= e.since {
		return nil
	}
	if e.app == nil {
		e.app = e.db.Appender(context.Background())
	}
	if _, err := e.app.Append(ref, all, at, math.Float64frombits(value.StaleNaN)); err != nil {
		return err
	}
	if e.n++; e.n < marksAtOnce {
		return nil
	}
	return e.commit()
}

func (e *ends) commit() error {
	app := e.app
	if app == nil {
		return nil
	}
	e.app, e.n = nil, 0
	return app.Commit()
}

// memory reads what the database has not written into blocks yet. It takes the
// last chunk of a series for itself, of two minutes, where a querier would read
// all of them. Samples that came out of order are in chunks of their own, which it
// leaves out: they are never the last. It is for one goroutine.
type memory struct {
	index  tsdb.IndexReader
	chunks tsdb.ChunkReader
	metas  []chunks.Meta
	labels labels.ScratchBuilder
	read   chunkenc.Iterator
}

func openMemory(head *tsdb.Head) (*memory, error) {
	m := &memory{}
	var err error
	if m.index, err = head.Index(); err != nil {
		return nil, err
	}
	m.chunks, err = head.Chunks()
	return m, errors.Join(err)
}

func (m *memory) close() { _ = errors.Join(m.index.Close(), m.chunks.Close()) } // nothing was written

// each visits all series.
func (m *memory) each(visit func(storage.SeriesRef, labels.Labels)) error {
	name, all := index.AllPostingsKey()
	found, err := m.index.Postings(context.Background(), name, all)
	if err != nil {
		return err
	}
	for found.Next() {
		err := m.index.Series(found.At(), &m.labels, &m.metas)
		if errors.Is(err, storage.ErrNotFound) {
			continue // it was forgotten meanwhile
		}
		if err != nil {
			return err
		}
		visit(found.At(), m.labels.Labels())
	}
	return found.Err()
}

// lastSample is the last sample of a series.
type lastSample struct {
	found     bool
	at        int64 // in ms
	value     float64
	histogram *histogram.FloatHistogram // instead of value
	ended     bool                      // the end of the series came after it
}

// last finds the last sample up to a time, in ms.
func (m *memory) last(ref storage.SeriesRef, until int64) (lastSample, error) {
	if err := m.index.Series(ref, &m.labels, &m.metas); err != nil {
		return lastSample{}, err
	}
	ended := false
	for i := len(m.metas) - 1; i >= 0; i-- {
		if m.metas[i].MinTime > until {
			continue
		}
		chunk, _, err := m.chunks.ChunkOrIterable(m.metas[i])
		if err != nil {
			return lastSample{}, err
		}
		m.read = chunk.Iterator(m.read)
		last, err := lastOf(m.read, until)
		if err != nil {
			return lastSample{}, err
		}
		ended = ended || last.ended
		if last.found {
			last.ended = ended
			return last, nil
		}
	}
	return lastSample{}, nil
}

// lastOf finds the last sample of a chunk up to a time, in ms. It is ended, too,
// if the chunk has nothing but ends.
func lastOf(read chunkenc.Iterator, until int64) (lastSample, error) {
	var last lastSample
	var h *histogram.FloatHistogram
	for kind := read.Next(); kind != chunkenc.ValNone && read.AtT() <= until; kind = read.Next() {
		var at int64
		var v float64
		if kind == chunkenc.ValFloat {
			at, v = read.At()
		} else {
			at, h = read.AtFloatHistogram(h)
			v = h.Sum
		}
		if last.ended = value.IsStaleNaN(v); last.ended {
			continue
		}
		last.found, last.at, last.value = true, at, v
		if kind == chunkenc.ValFloat {
			last.histogram = nil
		} else {
			last.histogram, h = h, last.histogram // two of them suffice
		}
	}
	return last, read.Err()
}
