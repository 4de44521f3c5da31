package series

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	jsoniter "github.com/json-iterator/go"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

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
	q, err := s.plan(ctx, r.Form.Get("query"), opts, at, at, 0)
	if err != nil {
		return nil, nil, badQuery(err)
	}
	return execute(ctx, q, limit)
}

// badQuery is why a query cannot be evaluated, which is its own fault unless it
// only needs a heavier turn.
func badQuery(err error) error {
	if tooMuch(err) {
		return err
	}
	return badParameter("query", err)
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
	q, err := s.plan(ctx, r.Form.Get("query"), opts, start, end, step)
	if err != nil {
		return nil, nil, badQuery(err)
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
	out := newStream(allowanceOf(ctx))
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

// exemplars answers Grafana, which asks for them with each graph: there are none.
func (s *Store) exemplars(r *http.Request) (any, annotations.Annotations, error) {
	start, err := timeParameter(r, "start", time.UnixMilli(math.MinInt64/2))
	if err != nil {
		return nil, nil, err
	}
	end, err := timeParameter(r, "end", time.UnixMilli(math.MaxInt64/2))
	if err != nil {
		return nil, nil, err
	}
	if end.Before(start) {
		return nil, nil, badData{errors.New("end timestamp must not be before start timestamp")}
	}
	if _, err := s.parser.ParseExpr(r.Form.Get("query")); err != nil {
		return nil, nil, badData{err}
	}
	return []string{}, nil, nil
}
