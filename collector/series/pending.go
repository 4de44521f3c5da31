package series

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"throughline/collector"
)

// pending is a sample on its way into the database.
type pending struct {
	sample *collector.Sample
	series *known
	at     int64 // in ms
}

// append hands the sample to the database, which checks it only against what is
// committed: what comes twice, or out of order, between two commits is dropped
// in Commit without a word. So only what is newer than all of its series is
// appended together with others.
func (p pending) append(app storage.Appender) error {
	var ref storage.SeriesRef
	var err error
	if h := p.histogram(); h != nil {
		ref, err = app.AppendHistogram(p.series.ref, p.series.labels, p.at, nil, h)
	} else {
		ref, err = app.Append(p.series.ref, p.series.labels, p.at, p.value())
	}
	if err != nil {
		return err
	}
	p.series.ref, p.series.newest = ref, max(p.series.newest, p.at)
	return nil
}

// value is the sample's, or the mark of the end, which the database converts
// for a series of histograms.
func (p pending) value() float64 {
	switch {
	case p.sample.Stale:
		return math.Float64frombits(value.StaleNaN)
	case math.IsNaN(p.sample.Value): // of any kind, for one of them is the mark of the end
		return math.Float64frombits(value.NormalNaN)
	}
	return p.sample.Value
}

// histogram is nil if the sample is a float or the end.
func (p pending) histogram() *histogram.FloatHistogram {
	if p.sample.Stale || p.sample.Histogram == nil {
		return nil
	}
	return toFloatHistogram(p.sample.Histogram)
}

// appendLate keeps a sample that is not newer than all of its series. Whatever
// came before it is committed.
func (s *Store) appendLate(p pending) error {
	f, h, found, err := s.stored(p.series.labels, p.at)
	if found && p.sample.Stale && (h != nil || !value.IsStaleNaN(f)) {
		p.at++
		f, h, found, err = s.stored(p.series.labels, p.at)
	}
	if err != nil {
		return err
	}
	if found {
		return p.compare(f, h)
	}
	app := s.db.Appender(context.Background())
	if err := p.append(app); err != nil {
		return errors.Join(err, app.Rollback())
	}
	return app.Commit()
}

// compare is an error if the sample is not what is stored at its time.
func (p pending) compare(f float64, h *histogram.FloatHistogram) error {
	mine := p.histogram()
	switch {
	case h == nil && mine == nil && math.Float64bits(f) == math.Float64bits(p.value()):
		return nil
	case h != nil && mine != nil && h.Compact(0).Equals(mine.Compact(0)):
		return nil
	}
	was := fmt.Sprint(f)
	switch {
	case h != nil:
		was = fmt.Sprintf("a histogram of %g", h.Count)
	case value.IsStaleNaN(f):
		was = "the end of the series"
	}
	return fmt.Errorf("there is %s at this time already, and a series has one value at a time", was)
}

// stored is what a series has at a time, in ms. The end of a series of
// histograms is given as that of a series of floats.
func (s *Store) stored(all labels.Labels, at int64) (f float64, h *histogram.FloatHistogram, found bool, err error) {
	querier, err := s.db.Querier(at, at)
	if err != nil {
		return 0, nil, false, err
	}
	defer querier.Close()
	var matchers []*labels.Matcher
	all.Range(func(l labels.Label) {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
	})
	set := querier.Select(context.Background(), false, nil, matchers...)
	for set.Next() {
		if !labels.Equal(set.At().Labels(), all) { // it has more labels
			continue
		}
		samples := set.At().Iterator(nil)
		switch kind := samples.Seek(at); {
		case kind == chunkenc.ValNone || samples.AtT() != at:
			return 0, nil, false, samples.Err()
		case kind == chunkenc.ValFloat:
			_, f = samples.At()
			return f, nil, true, nil
		}
		_, h = samples.AtFloatHistogram(nil)
		if value.IsStaleNaN(h.Sum) {
			return h.Sum, nil, true, nil
		}
		return 0, h, true, nil
	}
	return 0, nil, false, set.Err()
}

// mostNamed bounds the length of an error.
const mostNamed = 20

// Refused is the error of an Append that kept all but some of its samples: the
// store works, and has no place for these. Any other error of Append tells that
// it kept none.
type Refused struct {
	Count, Of int     // samples refused, and given
	named     []error // the first of them
}

// Lost implements collector.PartlyRefused.
func (r *Refused) Lost() int { return r.Count }

func (r *Refused) add(sample *collector.Sample, err error) {
	r.Count++
	if len(r.named) < mostNamed {
		r.named = append(r.named, fmt.Errorf("%s at %s: %w", seriesText(sample), sample.At.UTC().Format(time.RFC3339Nano), err))
	}
}

// Error names the first samples that were refused, with the reasons.
func (r *Refused) Error() string {
	named := errors.Join(r.named...).Error()
	if more := r.Count - len(r.named); more > 0 {
		named += fmt.Sprintf("\nand %d more", more)
	}
	return fmt.Sprintf("store: %d of %d samples refused: %s", r.Count, r.Of, named)
}

// Unwrap gives the reasons.
func (r *Refused) Unwrap() []error { return r.named }

func (r *Refused) err() error {
	if r.Count == 0 {
		return nil
	}
	return r
}
