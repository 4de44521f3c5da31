package series

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"throughline/collector"
)

// known is what is remembered of a series, so that its next sample finds it
// fast.
type known struct {
	ref    storage.SeriesRef
	labels labels.Labels
	newest int64           // no sample is newer, in ms
	meta   *collector.Meta // one that meanings keep; nil: none was given
}

// Append implements collector.Sink. Times are kept in whole milliseconds. A
// sample that can not be kept does not keep the others out, and is named in the
// error, a *Refused. These can not be kept:
//
//   - a second, different value of a series at one time (the same value again
//     is no error);
//   - a sample older than the newest of its series, when it is older than the
//     newest of all by more than Options.OutOfOrder;
//   - a sample older than the newest of all by more than seven and a half
//     minutes, or an hour with Options.Scratch. So append in the order of time;
//     series after series is right for that span.
//
// The end of a series (Sample.Stale) at the time of one of its samples is kept a
// millisecond later, so that neither covers the other. The end of a series that
// never was is nothing.
//
// What Append returned for is there after the process is killed. Of samples whose
// Append was interrupted by that, some may be there and others not.
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
	bad := &Refused{Of: len(samples)}
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
	s.meanings.saveNowAndThen(s.opts.Now())
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
	if sample.Meta != nil && (p.series.meta == nil || *sample.Meta != *p.series.meta) {
		p.series.meta = s.meanings.add(sample.Name, *sample.Meta)
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
