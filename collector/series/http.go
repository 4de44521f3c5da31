package series

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	jsoniter "github.com/json-iterator/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
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
	} {
		mux.Handle("GET /api/v1"+path, answer)
		mux.Handle("POST /api/v1"+path, answer)
	}
	mux.Handle("GET /api/v1/label/{name}/values", answerer(s.labelValues))
	mux.Handle("GET /api/v1/metadata", answerer(s.metadata))
	mux.Handle("GET /api/v1/status/buildinfo", answerer(buildInfo))
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /federate", s.federate)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, release, err := s.use(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer release()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
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
	stream := newStream()
	stream.WriteVal(out)
	if stream.Error != nil {
		http.Error(w, stream.Error.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(stream.Buffer()) // the client has gone if it fails
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

func (s *Store) query(r *http.Request) (any, annotations.Annotations, error) {
	limit, err := limitParameter(r)
	if err != nil {
		return nil, nil, err
	}
	at, err := timeParameter(r, "time", s.opts.Now())
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel, err := deadline(r)
	if err != nil {
		return nil, nil, err
	}
	defer cancel()
	opts, err := queryOptions(r)
	if err != nil {
		return nil, nil, err
	}
	q, err := s.engine.NewInstantQuery(ctx, s.db, opts, r.Form.Get("query"), at)
	if err != nil {
		return nil, nil, badParameter("query", err)
	}
	return execute(ctx, q, limit)
}

// maxPoints is how many points per series a range query may ask for: as in
// Prometheus.
const maxPoints = 11_000

func (s *Store) queryRange(r *http.Request) (any, annotations.Annotations, error) {
	limit, err := limitParameter(r)
	if err != nil {
		return nil, nil, err
	}
	start, err := parseTime(r.Form.Get("start"))
	if err != nil {
		return nil, nil, badParameter("start", err)
	}
	end, err := parseTime(r.Form.Get("end"))
	if err != nil {
		return nil, nil, badParameter("end", err)
	}
	if end.Before(start) {
		return nil, nil, badParameter("end", errors.New("end timestamp must not be before start time"))
	}
	step, err := duration(r.Form.Get("step"))
	if err != nil {
		return nil, nil, badParameter("step", err)
	}
	if step <= 0 {
		return nil, nil, badParameter("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	}
	if step < time.Millisecond { // which the engine would divide by, as 0 ms
		return nil, nil, badParameter("step", errors.New("step widths below 1ms are not accepted"))
	}
	if end.Sub(start)/step > maxPoints {
		return nil, nil, badData{errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")}
	}
	ctx, cancel, err := deadline(r)
	if err != nil {
		return nil, nil, err
	}
	defer cancel()
	opts, err := queryOptions(r)
	if err != nil {
		return nil, nil, err
	}
	q, err := s.engine.NewRangeQuery(ctx, s.db, opts, r.Form.Get("query"), start, end, step)
	if err != nil {
		return nil, nil, badParameter("query", err)
	}
	return execute(ctx, q, limit)
}

// execute runs a query and cuts its result at limit. The result is written
// before the query is closed, which takes its memory back.
func execute(ctx context.Context, q promql.Query, limit int) (any, annotations.Annotations, error) {
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, res.Warnings, res.Err
	}
	result, notes := any(res.Value), res.Warnings
	switch v := result.(type) {
	case promql.Vector:
		result, notes = truncate(v, limit, notes)
	case promql.Matrix:
		result, notes = truncate(v, limit, notes)
	}
	out := newStream()
	out.WriteObjectStart()
	out.WriteObjectField("resultType")
	out.WriteVal(res.Value.Type())
	out.WriteMore()
	out.WriteObjectField("result")
	writeResult(out, result)
	out.WriteObjectEnd()
	return jsoniter.RawMessage(out.Buffer()), notes, out.Error
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
	out.querier, err = s.db.Querier(out.start, out.end)
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
	out := newStream()
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

// apiVersion is the Prometheus whose API this is: that of the library v0.313.0.
const apiVersion = "3.13.0"

// buildInfo answers Grafana, which asks what it may ask for.
func buildInfo(*http.Request) (any, annotations.Annotations, error) {
	return map[string]string{"version": apiVersion, "revision": "", "branch": "", "buildUser": "", "buildDate": "",
		"goVersion": runtime.Version()}, nil, nil
}
