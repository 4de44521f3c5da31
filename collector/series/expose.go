package series

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"throughline/collector"
)

// Metrics serves the present value of every series, for a Prometheus that
// scrapes the collector as it would scrape statsd_exporter, in the format that
// it asks for: OpenMetrics, Prometheus' text or protobuf.
//
// Samples that live gives are served whether the store took them or not, in
// place of what it has of their series; if alone, they are served by themselves,
// and the store is not asked. They are floats. live may be nil.
func (s *Store) Metrics(live func() (samples []collector.Sample, alone bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		how := exposition{format: expfmt.NegotiateIncludingOpenMetrics(r.Header)}
		s.expose(w, r, func(r *http.Request) ([]promql.Sample, error) {
			var over []collector.Sample
			alone := false
			if live != nil {
				over, alone = live()
			}
			var stored []promql.Sample
			if !alone {
				var err error
				every := labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+")
				if stored, err = s.present(r.Context(), [][]*labels.Matcher{{every}}); err != nil {
					return nil, err
				}
			}
			return overlay(stored, over), nil
		}, how)
	})
}

// overlay puts samples in place of those of the same series, and in order. One
// that the store could not take for its labels has no form here either, and is
// left out.
func overlay(stored []promql.Sample, over []collector.Sample) []promql.Sample {
	if len(over) == 0 {
		return stored
	}
	covered := make(map[uint64]labels.Labels, len(over))
	out := make([]promql.Sample, 0, len(stored)+len(over))
	for i := range over {
		all, err := toLabels(&over[i])
		if err != nil {
			continue
		}
		covered[all.Hash()] = all
		out = append(out, promql.Sample{T: over[i].At.UnixMilli(), F: over[i].Value, Metric: all})
	}
	for _, sample := range stored {
		if all, ok := covered[sample.Metric.Hash()]; !ok || !labels.Equal(all, sample.Metric) {
			out = append(out, sample)
		}
	}
	slices.SortFunc(out, byMetric)
	return out
}

// byMetric orders samples by name and labels.
func byMetric(a, b promql.Sample) int {
	byName := strings.Compare(a.Metric.Get(model.MetricNameLabel), b.Metric.Get(model.MetricNameLabel))
	return cmp.Or(byName, labels.Compare(a.Metric, b.Metric))
}

// federate serves the present value of the series that match[] selects, each
// with its time. As in Prometheus, OpenMetrics is not offered, types are left
// out, native histograms are left out of the text format, and a series without
// an instance gets an empty one, lest the scraping Prometheus adds its own.
// Source: https://prometheus.io/docs/prometheus/latest/federation/
func (s *Store) federate(w http.ResponseWriter, r *http.Request) {
	how := exposition{format: expfmt.Negotiate(r.Header), federated: true}
	s.expose(w, r, func(r *http.Request) ([]promql.Sample, error) {
		selectors, err := s.parser.ParseMetricSelectors(r.Form["match[]"])
		if err != nil {
			return nil, badData{err}
		}
		return s.present(r.Context(), selectors)
	}, how)
}

// exposition is how to write samples.
type exposition struct {
	format    expfmt.Format
	federated bool
}

// native tells whether the format has native histograms.
func (e exposition) native() bool {
	switch e.format.FormatType() {
	case expfmt.TypeTextPlain, expfmt.TypeOpenMetrics:
		return false
	}
	return true
}

func (e exposition) openMetrics() bool { return e.format.FormatType() == expfmt.TypeOpenMetrics }

// expose writes the samples that gather gives, ordered by name and labels. Native
// histograms need the protobuf format, which Prometheus asks for when it wants
// them; in text they are reduced to their count and sum.
func (s *Store) expose(w http.ResponseWriter, r *http.Request, gather func(*http.Request) ([]promql.Sample, error), how exposition) {
	var out reply
	err := parseForm(w, r)
	if err == nil {
		err = s.inTurn(r, func(r *http.Request) error {
			samples, err := gather(r)
			if err != nil {
				return err
			}
			var body bytes.Buffer
			if err := write(&body, s.families(samples, how), how); err != nil {
				return err
			}
			out = reply{status: http.StatusOK, parts: [][]byte{body.Bytes()}}
			return s.book(&out)
		})
	}
	if err != nil {
		status := http.StatusInternalServerError
		if kind, its := errorType(err); kind != "execution" {
			status = its
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", string(how.format))
	s.send(w, out)
}

// write writes families in the format asked for.
func write(w io.Writer, families []*dto.MetricFamily, how exposition) error {
	encoder := expfmt.NewEncoder(w, how.format)
	for _, family := range families {
		var err error
		if how.openMetrics() && family.GetType() == dto.MetricType_HISTOGRAM {
			// The encoder refuses histograms whose counts are no whole
			// numbers, as those of sampled values are. Without buckets both
			// formats are alike, but for quotes in the help.
			text := strings.ReplaceAll(family.GetHelp(), `"`, "'")
			family.Help = &text
			_, err = expfmt.MetricFamilyToText(w, family)
		} else {
			err = encoder.Encode(family)
		}
		if err != nil {
			return err
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		return closer.Close() // which writes the # EOF of OpenMetrics
	}
	return errors.New("the encoder cannot be closed")
}

// present is the newest sample, not older than Options.Lookback, of each series
// that any selector selects, ordered by labels. Series that have ended are left
// out.
func (s *Store) present(ctx context.Context, selectors [][]*labels.Matcher) ([]promql.Sample, error) {
	now := s.opts.Now()
	hints := &storage.SelectHints{Start: now.Add(-s.opts.Lookback).UnixMilli(), End: now.UnixMilli()}
	querier, err := s.exposed(ctx).Querier(hints.Start, hints.End)
	if err != nil {
		return nil, err
	}
	defer querier.Close()
	var sets []storage.SeriesSet
	for _, selector := range selectors {
		sets = append(sets, querier.Select(ctx, true, hints, selector...))
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var out []promql.Sample
	var samples chunkenc.Iterator
	for set.Next() {
		samples = set.At().Iterator(samples)
		last, found, err := newestOf(samples)
		if err != nil {
			return nil, err
		}
		if found {
			last.Metric = set.At().Labels()
			out = append(out, last)
		}
	}
	slices.SortFunc(out, byMetric)
	return out, set.Err()
}

// newestOf reads to the newest sample, which is not found if it is the end of
// the series. All histograms are read into one, for each has hundreds of bytes.
func newestOf(samples chunkenc.Iterator) (last promql.Sample, found bool, err error) {
	var h *histogram.FloatHistogram
	kind := chunkenc.ValNone
	for next := samples.Next(); next != chunkenc.ValNone; next = samples.Next() {
		if kind = next; kind == chunkenc.ValFloat {
			last.T, last.F = samples.At()
		} else {
			last.T, h = samples.AtFloatHistogram(h)
		}
	}
	if kind == chunkenc.ValNone {
		return last, false, samples.Err()
	}
	if kind != chunkenc.ValFloat {
		last.F, last.H = math.NaN(), h
		return last, !value.IsStaleNaN(h.Sum), samples.Err()
	}
	return last, !value.IsStaleNaN(last.F), samples.Err()
}
