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

// promStore is the record's series where PromQL can be asked.
type promStore struct {
	dir   *scratch.Dir
	store *series.Store
	err   error
}

// Prom gives the store, and makes it when it is asked first.
func (e *Index) Prom() (*series.Store, error) {
	if e.store == nil {
		e.store = &promStore{}
		e.store.err = e.store.fill(e.History)
	}
	return e.store.store, e.store.err
}

// Close removes what judging left on disk.
func (e *Index) Close() {
	if e.store == nil {
		return
	}
	if e.store.store != nil {
		_ = e.store.store.Close() // it was a copy
	}
	if e.store.dir != nil {
		_ = e.store.dir.Remove() // else the next judge does
	}
}

// appendAtOnce is how many samples go into the store at once.
const appendAtOnce = 10_000

func (p *promStore) fill(h record.History) error {
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
	for i := range h.Series {
		for k := range h.Series[i].Points {
			order = append(order, place{h.Series[i].Points[k].At, i, k})
		}
	}
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(CompareTimes(a.at, b.at), cmp.Compare(a.series, b.series), cmp.Compare(a.point, b.point))
	})
	samples := make([]collector.Sample, 0, min(appendAtOnce, len(order)))
	for chunk := range slices.Chunk(order, appendAtOnce) {
		samples = samples[:0]
		for _, o := range chunk {
			s := &h.Series[o.series]
			point := &s.Points[o.point]
			samples = append(samples, collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, At: h.Run.Start.Add(point.At),
				Value: point.Value, Observed: point.Observed, Stale: point.Stale, Histogram: point.Histogram})
		}
		if err := p.store.Append(samples...); err != nil {
			return err
		}
	}
	return nil
}
