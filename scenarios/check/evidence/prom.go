package evidence

import (
	"cmp"
	"slices"
	"time"

	"throughline/collector"
	"throughline/collector/series"
	"throughline/scenarios/record"
	"throughline/scratch"
)

// promStore is some series where PromQL can be asked.
type promStore struct {
	dir   *scratch.Dir
	store *series.Store
	err   error
}

// Prom gives the store of all that the record has, and makes it when it is asked first.
func (e *Index) Prom() (*series.Store, error) {
	if e.store == nil {
		e.store = e.newStore(e.History.Series)
	}
	return e.store.store, e.store.err
}

// StoreOf makes a store of some series, whose points are at offsets of this record. It is gone
// after Close.
func (e *Index) StoreOf(all []record.Series) (*series.Store, error) {
	p := e.newStore(all)
	return p.store, p.err
}

func (e *Index) newStore(all []record.Series) *promStore {
	p := &promStore{}
	p.err = p.fill(e.History.Run.Start, all)
	e.stores = append(e.stores, p)
	return p
}

// Moment is the time of an offset, as the stores have it: in whole milliseconds. In a record it lacks what is below a
// microsecond, so that an interval end seems to be just before the millisecond that it is.
func (e *Index) Moment(t time.Duration) time.Time { return moment(e.History.Run.Start, t) }

func moment(start time.Time, t time.Duration) time.Time { return start.Add(t).Round(time.Millisecond) }

// Close removes what judging left on disk.
func (e *Index) Close() {
	for _, p := range e.stores {
		if p.store != nil {
			_ = p.store.Close() // it was a copy
		}
		if p.dir != nil {
			_ = p.dir.Remove() // else the next judge does
		}
	}
	e.stores, e.store = nil, nil
}

// appendAtOnce is how many samples go into the store at once.
const appendAtOnce = 10_000

func (p *promStore) fill(start time.Time, all []record.Series) error {
	var err error
	if p.dir, err = scratch.New("judge"); err != nil {
		return err
	}
	if p.store, err = series.Open(p.dir.Path, series.Options{Scratch: true}); err != nil {
		return err
	}
	// The store takes no sample that is much older than its newest.
	type place struct {
		at            time.Duration
		series, point int
	}
	var order []place
	for i := range all {
		for k := range all[i].Points {
			order = append(order, place{all[i].Points[k].At, i, k})
		}
	}
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(CompareTimes(a.at, b.at), cmp.Compare(a.series, b.series), cmp.Compare(a.point, b.point))
	})
	samples := make([]collector.Sample, 0, min(appendAtOnce, len(order)))
	for chunk := range slices.Chunk(order, appendAtOnce) {
		samples = samples[:0]
		for _, o := range chunk {
			s := &all[o.series]
			point := &s.Points[o.point]
			samples = append(samples, collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, At: moment(start, point.At),
				Value: point.Value, Observed: point.Observed, Stale: point.Stale, Histogram: point.Histogram})
		}
		if err := p.store.Append(samples...); err != nil {
			return err
		}
	}
	return nil
}
