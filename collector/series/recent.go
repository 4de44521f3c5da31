package series

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"throughline/collector"
)

var _ collector.Recents = (*Store)(nil)

// Recent implements collector.Recents. All series are looked at by their labels, the
// points are read of those that are shown only. It waits for its turn as a query over
// HTTP does.
func (s *Store) Recent(ctx context.Context, want collector.Wanted) (collector.Recent, error) {
	var out collector.Recent
	work := func(ctx context.Context) (err error) {
		out, err = s.recent(ctx, want)
		return err
	}
	err := s.lookInTurn(ctx, s.turns.light, light, work)
	if tooMuch(err) {
		err = s.lookInTurn(ctx, s.turns.heavy, heavy, work)
	}
	if err != nil {
		return collector.Recent{}, fmt.Errorf("recent series: %w", err)
	}
	return out, nil
}

func (s *Store) recent(ctx context.Context, want collector.Wanted) (collector.Recent, error) {
	now := s.opts.Now()
	hints := &storage.SelectHints{Start: now.Add(-want.Span).UnixMilli(), End: now.UnixMilli()}
	querier, err := s.listed(ctx).Querier(hints.Start, hints.End)
	if err != nil {
		return collector.Recent{}, err
	}
	defer querier.Close()
	found, err := s.wanted(ctx, querier, hints, want)
	if err != nil {
		return collector.Recent{}, err
	}
	out := collector.Recent{Names: len(found)}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all := found[name]
		out.Series += len(all)
		shown := min(len(all), want.Series)
		if len(found) > 1 {
			shown = min(shown, want.OfName)
		}
		if shown <= 0 {
			continue
		}
		want.Series -= shown
		slices.SortFunc(all, labels.Compare)
		metric := collector.RecentMetric{Name: name, Of: len(all)}
		if meanings := s.meanings.get(name); len(meanings) > 0 {
			metric.Meta = meanings[0]
		}
		for _, ls := range all[:shown] {
			series, err := readRecent(ctx, querier, hints, ls)
			if err != nil {
				return collector.Recent{}, err
			}
			metric.Series = append(metric.Series, series)
		}
		out.Metrics = append(out.Metrics, metric)
	}
	return out, nil
}

// wanted are the labels of the series that are wanted, by name.
func (s *Store) wanted(ctx context.Context, querier storage.Querier, hints *storage.SelectHints, want collector.Wanted) (map[string][]labels.Labels, error) {
	matcher := labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+")
	found := map[string][]labels.Labels{}
	set := querier.Select(ctx, false, hints, matcher)
	for set.Next() {
		ls := set.At().Labels()
		name := ls.Get(model.MetricNameLabel)
		if !want.Own && strings.HasPrefix(name, collector.OwnPrefix) || !hasWords(ls, want.Words) {
			continue
		}
		found[name] = append(found[name], ls)
	}
	return found, set.Err()
}

// asInNames is what becomes of a StatsD name's letters.
var asInNames = strings.NewReplacer(".", "_", "-", "_")

// hasWords tells whether all words are in the name or in a label, written name=value.
func hasWords(ls labels.Labels, words []string) bool {
	if len(words) == 0 {
		return true
	}
	var text strings.Builder
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			text.WriteString(l.Name + "=")
		}
		text.WriteString(l.Value + "\n")
	})
	all := strings.ToLower(text.String())
	for _, word := range words {
		word = strings.ToLower(word)
		if !strings.Contains(all, word) && !strings.Contains(all, asInNames.Replace(word)) {
			return false
		}
	}
	return true
}

// readRecent reads the points of the series that has exactly these labels.
func readRecent(ctx context.Context, querier storage.Querier, hints *storage.SelectHints, ls labels.Labels) (collector.RecentSeries, error) {
	var matchers []*labels.Matcher
	out := collector.RecentSeries{}
	ls.Range(func(l labels.Label) {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
		if l.Name != model.MetricNameLabel {
			out.Labels = append(out.Labels, collector.Label{Name: l.Name, Value: l.Value})
		}
	})
	set := querier.Select(ctx, false, hints, matchers...)
	for set.Next() {
		if labels.Equal(set.At().Labels(), ls) { // others have more labels
			var err error
			if out.Points, out.Ended, err = recentPoints(set.At().Iterator(nil)); err != nil {
				return out, err
			}
		}
	}
	return out, set.Err()
}

// recentPoints reads all points; ended tells whether the last one is the mark of an end.
func recentPoints(samples chunkenc.Iterator) (points []collector.RecentPoint, ended bool, err error) {
	var h *histogram.FloatHistogram
	for next := samples.Next(); next != chunkenc.ValNone; next = samples.Next() {
		var p collector.RecentPoint
		var t int64
		if next == chunkenc.ValFloat {
			t, p.Value = samples.At()
			ended = value.IsStaleNaN(p.Value)
		} else {
			t, h = samples.AtFloatHistogram(h)
			p.Value, p.Sum = h.Count, h.Sum
			ended = value.IsStaleNaN(h.Sum)
		}
		p.At = fromMilli(t)
		if !ended {
			points = append(points, p)
		}
	}
	return points, ended, samples.Err()
}
