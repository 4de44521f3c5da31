package series

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"throughline/collector"
)

// Handler serves Prometheus' HTTP API, as far as Grafana and promtool need it
// to query, and /metrics and /federate for a Prometheus that scrapes.
//
// It is written here, on Prometheus' engine, parser and encoders, because
// Prometheus' own (web/api/v1) cannot be had without its rules, alerts, remote
// write and OpenTelemetry: forty parameters and 7 MB for six paths.
// Source: https://prometheus.io/docs/prometheus/latest/querying/api/
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, answer := range map[string]answerer{
		"/query": s.query, "/query_range": s.queryRange, "/series": s.series, "/labels": s.labelNames,
		"/label/{name}/values": s.labelValues, "/metadata": s.metadata, "/status/buildinfo": buildInfo,
	} {
		mux.Handle("GET /api/v1"+path, answer)
		mux.Handle("POST /api/v1"+path, answer)
	}
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /federate", s.federate)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

// answerer answers one path of the API with data for its envelope.
type answerer func(*http.Request) (data any, notes annotations.Annotations, err error)

// envelope is what every answer of the API is in.
type envelope struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

// notesLimit is how many warnings, and how many hints, an answer tells: as in
// Prometheus.
const notesLimit = 10

func (a answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	var out envelope
	data, notes, err := any(nil), annotations.Annotations(nil), r.ParseForm()
	if err != nil {
		err = badData{fmt.Errorf("error parsing form values: %w", err)}
	} else {
		data, notes, err = a(r)
	}
	out.Warnings, out.Infos = notes.AsStrings(r.Form.Get("query"), notesLimit, notesLimit)
	if err == nil {
		out.Status, out.Data = "success", data
	} else {
		out.Status, out.Error = "error", err.Error()
		out.ErrorType, status = errorType(err)
	}
	body, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone if it fails
}

// badData is an error of who asks.
type badData struct{ error }

func (e badData) Unwrap() error { return e.error }

func badParameter(name string, err error) error {
	return badData{fmt.Errorf("invalid parameter %q: %w", name, err)}
}

// errorType is Prometheus' word for an error, and the status that goes with it.
func errorType(err error) (string, int) {
	var bad badData
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var broken promql.ErrStorage
	switch {
	case errors.As(err, &bad):
		return "bad_data", http.StatusBadRequest
	case errors.As(err, &timeout):
		return "timeout", http.StatusServiceUnavailable
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return "canceled", 499 // as nginx calls it
	case errors.As(err, &broken):
		return "internal", http.StatusInternalServerError
	}
	return "execution", http.StatusUnprocessableEntity
}

// queryData is the answer to a query.
type queryData struct {
	ResultType parser.ValueType `json:"resultType"`
	Result     parser.Value     `json:"result"`
}

func (s *Store) query(r *http.Request) (any, annotations.Annotations, error) {
	at, err := timeParameter(r, "time", s.opts.Now())
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel, err := deadline(r)
	if err != nil {
		return nil, nil, err
	}
	defer cancel()
	q, err := s.engine.NewInstantQuery(ctx, s.db, nil, r.Form.Get("query"), at)
	if err != nil {
		return nil, nil, badParameter("query", err)
	}
	return execute(ctx, q, r)
}

// maxPoints is how many points per series a range query may ask for: as in
// Prometheus.
const maxPoints = 11_000

func (s *Store) queryRange(r *http.Request) (any, annotations.Annotations, error) {
	start, err := timeParameter(r, "start", time.Time{})
	if err != nil {
		return nil, nil, err
	}
	end, err := timeParameter(r, "end", time.Time{})
	if err != nil {
		return nil, nil, err
	}
	if end.Before(start) {
		return nil, nil, badParameter("end", errors.New("end timestamp must not be before start time"))
	}
	step, err := duration(r.Form.Get("step"))
	if err != nil {
		return nil, nil, badParameter("step", err)
	}
	if step < time.Millisecond {
		return nil, nil, badParameter("step", errors.New("a query resolution step width of less than 1ms is not accepted"))
	}
	if end.Sub(start)/step > maxPoints {
		return nil, nil, badData{fmt.Errorf("exceeded maximum resolution of %d points per timeseries; use a greater step", maxPoints)}
	}
	ctx, cancel, err := deadline(r)
	if err != nil {
		return nil, nil, err
	}
	defer cancel()
	q, err := s.engine.NewRangeQuery(ctx, s.db, nil, r.Form.Get("query"), start, end, step)
	if err != nil {
		return nil, nil, badParameter("query", err)
	}
	return execute(ctx, q, r)
}

// execute runs a query and cuts its result at the parameter limit. The result
// is marshalled before the query is closed, which takes its memory back.
func execute(ctx context.Context, q promql.Query, r *http.Request) (any, annotations.Annotations, error) {
	defer q.Close()
	limit, err := limitParameter(r)
	if err != nil {
		return nil, nil, err
	}
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, res.Warnings, res.Err
	}
	out, notes := queryData{res.Value.Type(), res.Value}, res.Warnings
	switch v := res.Value.(type) {
	case promql.Vector:
		v, notes = truncate(v, limit, notes)
		out.Result = v
	case promql.Matrix:
		v, notes = truncate(v, limit, notes)
		out.Result = v
	}
	body, err := json.Marshal(out)
	return json.RawMessage(body), notes, err
}

// truncate cuts a list at limit (0 = none), and says so. A list that is not
// there becomes an empty one.
func truncate[S ~[]E, E any](list S, limit int, notes annotations.Annotations) (S, annotations.Annotations) {
	if limit > 0 && len(list) > limit {
		return list[:limit], notes.Add(errors.New("results truncated due to limit"))
	}
	if list == nil {
		list = S{}
	}
	return list, notes
}

// selection is what series, labels and label values are asked for.
type selection struct {
	querier  storage.Querier
	start    int64
	end      int64
	matchers [][]*labels.Matcher
	limit    int
}

func (s *Store) selection(r *http.Request) (selection, error) {
	var out selection
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
	if out.matchers, err = s.parser.ParseMetricSelectors(r.Form["match[]"]); err != nil {
		return out, badParameter("match[]", err)
	}
	out.start, out.end = start.UnixMilli(), end.UnixMilli()
	out.querier, err = s.db.Querier(out.start, out.end)
	return out, err
}

func (s *Store) series(r *http.Request) (any, annotations.Annotations, error) {
	sel, err := s.selection(r)
	if err != nil {
		return nil, nil, err
	}
	defer sel.querier.Close()
	if len(sel.matchers) == 0 {
		return nil, nil, badData{errors.New("no match[] parameter provided")}
	}
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
	return found, notes, set.Err()
}

func (s *Store) labelNames(r *http.Request) (any, annotations.Annotations, error) {
	sel, err := s.selection(r)
	if err != nil {
		return nil, nil, err
	}
	return sel.strings(func(m []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return sel.querier.LabelNames(r.Context(), nil, m...)
	})
}

func (s *Store) labelValues(r *http.Request) (any, annotations.Annotations, error) {
	name := r.PathValue("name")
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, nil, badData{fmt.Errorf("invalid label name: %q", name)}
	}
	sel, err := s.selection(r)
	if err != nil {
		return nil, nil, err
	}
	return sel.strings(func(m []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return sel.querier.LabelValues(r.Context(), name, nil, m...)
	})
}

// strings unites what ask says to each of the selectors.
func (sel selection) strings(ask func([]*labels.Matcher) ([]string, annotations.Annotations, error)) (any, annotations.Annotations, error) {
	defer sel.querier.Close()
	selectors := sel.matchers
	if len(selectors) == 0 {
		selectors = [][]*labels.Matcher{nil}
	}
	all := map[string]bool{}
	var notes annotations.Annotations
	for _, m := range selectors {
		some, n, err := ask(m)
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

// metadataEntry is one meaning of a metric.
type metadataEntry struct {
	Type string `json:"type"`
	Help string `json:"help"`
	Unit string `json:"unit"`
}

func (s *Store) metadata(r *http.Request) (any, annotations.Annotations, error) {
	limit, err := limitParameter(r)
	if err != nil {
		return nil, nil, err
	}
	metric := r.Form.Get("metric")
	out := map[string][]metadataEntry{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.metas)) {
		if metric != "" && name != metric || limit > 0 && len(out) >= limit {
			continue
		}
		for _, m := range s.metas[name] {
			out[name] = append(out[name], metadataEntry{promType(m.Type), help(m), m.Unit})
		}
	}
	return out, nil, nil
}

// promType is Prometheus' word for a type: the size of a set goes up and down.
func promType(t collector.Type) string {
	switch t {
	case collector.Counter, collector.Gauge, collector.Summary:
		return string(t)
	case collector.Set:
		return string(collector.Gauge)
	}
	return "unknown"
}

func help(m collector.Meta) string {
	if m.StatsD == "" {
		return ""
	}
	return "StatsD " + m.StatsD
}

// buildInfo answers Grafana, which asks what it talks to.
func buildInfo(*http.Request) (any, annotations.Annotations, error) {
	return map[string]string{"version": "3.13.0", "application": "throughline"}, nil, nil
}

func timeParameter(r *http.Request, name string, missing time.Time) (time.Time, error) {
	text := r.Form.Get(name)
	if text == "" && !missing.IsZero() {
		return missing, nil
	}
	if t, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(t) < math.MaxInt64/2000 {
		seconds, fraction := math.Modf(t)
		return time.Unix(int64(seconds), int64(math.Round(fraction*1000))*int64(time.Millisecond)).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	return time.Time{}, badParameter(name, fmt.Errorf("cannot parse %q to a valid timestamp", text))
}

func limitParameter(r *http.Request) (int, error) {
	text := r.Form.Get("limit")
	if text == "" {
		return 0, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 0 {
		return 0, badParameter("limit", fmt.Errorf("%q is no number from 0 on", text))
	}
	return limit, nil
}

// duration reads a number of seconds or Prometheus' notation ("1m30s").
func duration(text string) (time.Duration, error) {
	if d, err := strconv.ParseFloat(text, 64); err == nil {
		if ns := d * float64(time.Second); math.Abs(ns) < math.MaxInt64 {
			return time.Duration(ns), nil
		}
	}
	if d, err := model.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	return 0, fmt.Errorf("cannot parse %q to a valid duration", text)
}

// deadline is the request's context, cut at its parameter timeout.
func deadline(r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.Form.Get("timeout")
	if text == "" {
		return r.Context(), func() {}, nil
	}
	timeout, err := duration(text)
	if err != nil {
		return nil, nil, badParameter("timeout", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	return ctx, cancel, nil
}
