package series

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	jsoniter "github.com/json-iterator/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// selection is what series, labels and label values are asked for.
type selection struct {
	querier  storage.Querier
	start    int64
	end      int64
	matchers [][]*labels.Matcher
	limit    int
}

// selectors reads match[].
func (s *Store) selectors(r *http.Request) ([][]*labels.Matcher, error) {
	out, err := s.parser.ParseMetricSelectors(r.Form["match[]"])
	for _, selector := range out {
		if !slices.ContainsFunc(selector, func(m *labels.Matcher) bool { return !m.Matches("") }) {
			return nil, errors.New("match[] must contain at least one non-empty matcher")
		}
	}
	return out, err
}

func (s *Store) selection(r *http.Request, selectors [][]*labels.Matcher) (selection, error) {
	out := selection{matchers: selectors}
	start, err := timeParameter(r, "start", time.UnixMilli(math.MinInt64/2))
	if err != nil {
		return out, err
	}
	end, err := timeParameter(r, "end", time.UnixMilli(math.MaxInt64/2))
	if err != nil {
		return out, err
	}
	if out.limit, err = limitParameter(r); err != nil {
		return out, err
	}
	out.start, out.end = start.UnixMilli(), end.UnixMilli()
	out.querier, err = s.listed(r.Context()).Querier(out.start, out.end)
	return out, err
}

func (s *Store) series(r *http.Request) (any, annotations.Annotations, error) {
	if len(r.Form["match[]"]) == 0 {
		return nil, nil, badData{errors.New("no match[] parameter provided")}
	}
	selectors, err := s.selectors(r)
	if err != nil {
		return nil, nil, badParameter("match[]", err)
	}
	sel, err := s.selection(r, selectors)
	if err != nil {
		return nil, nil, err
	}
	defer sel.querier.Close()
	hints := &storage.SelectHints{Start: sel.start, End: sel.end, Func: "series"}
	var sets []storage.SeriesSet
	for _, m := range sel.matchers {
		sets = append(sets, sel.querier.Select(r.Context(), true, hints, m...))
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var found []labels.Labels
	for set.Next() {
		found = append(found, set.At().Labels())
	}
	found, notes := truncate(found, sel.limit, set.Warnings())
	out := newStream(allowanceOf(r.Context()))
	writeArray(out, found, writeLabels)
	return jsoniter.RawMessage(out.Buffer()), notes, errors.Join(set.Err(), out.Error)
}

func (s *Store) labelNames(r *http.Request) (any, annotations.Annotations, error) {
	return s.union(r, func(q storage.Querier, m []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelNames(r.Context(), nil, m...)
	})
}

func (s *Store) labelValues(r *http.Request) (any, annotations.Annotations, error) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, "U__") { // a name that is not safe in a path
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, nil, badData{fmt.Errorf("invalid label name: %q", name)}
	}
	return s.union(r, func(q storage.Querier, m []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelValues(r.Context(), name, nil, m...)
	})
}

// union is all that ask says to the selectors.
func (s *Store) union(r *http.Request, ask func(storage.Querier, []*labels.Matcher) ([]string, annotations.Annotations, error)) (any, annotations.Annotations, error) {
	given, err := s.selectors(r)
	if err != nil {
		return nil, nil, badData{err}
	}
	sel, err := s.selection(r, given)
	if err != nil {
		return nil, nil, err
	}
	defer sel.querier.Close()
	selectors := sel.matchers
	if len(selectors) == 0 {
		selectors = [][]*labels.Matcher{nil}
	}
	all := map[string]bool{}
	var notes annotations.Annotations
	for _, m := range selectors {
		some, n, err := ask(sel.querier, m)
		if err != nil {
			return nil, notes, err
		}
		notes.Merge(n)
		for _, v := range some {
			all[v] = true
		}
	}
	list, notes := truncate(slices.Sorted(maps.Keys(all)), sel.limit, notes)
	return list, notes, nil
}
