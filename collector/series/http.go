package series

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	jsoniter "github.com/json-iterator/go"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// Handler serves Prometheus' HTTP API, as far as it is about queries and about
// the server itself; to what is about rules, targets and the like it says that
// there are none. It serves /metrics and /federate for a Prometheus that scrapes.
//
// An answer is made in memory as a whole before its first byte is sent, so that
// a client that reads slowly holds up nobody: neither Append nor Close. What the
// answers take that wait for their readers has a bound, and who reads nothing
// for a minute is left (see reply).
//
// It is written here, on Prometheus' engine, parser and encoders, because
// Prometheus' own (web/api/v1) cannot be had without its rules, alerts, remote
// write and OpenTelemetry: forty parameters and 7 MB for a dozen paths.
// Source: https://prometheus.io/docs/prometheus/latest/querying/api/
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, answer := range map[string]answerer{
		"/query": s.query, "/query_range": s.queryRange, "/query_exemplars": s.exemplars,
		"/format_query": s.formatQuery, "/parse_query": s.parseQuery, "/series": s.series, "/labels": s.labelNames,
	} {
		mux.Handle("GET /api/v1"+path, s.api(answer))
		mux.Handle("POST /api/v1"+path, s.api(answer))
	}
	for path, answer := range map[string]answerer{
		"/label/{name}/values": s.labelValues, "/metadata": s.metadata,
		"/status/buildinfo": buildInfo, "/status/runtimeinfo": s.runtimeInfo, "/status/flags": s.flags, "/status/tsdb": s.tsdbStatus,
	} {
		mux.Handle("GET /api/v1"+path, s.api(answer))
	}
	for path, nothing := range nothings {
		mux.Handle("GET /api/v1"+path, s.api(func(*http.Request) (any, annotations.Annotations, error) { return nothing, nil, nil }))
	}
	mux.Handle("GET /metrics", s.Metrics(nil))
	mux.HandleFunc("GET /federate", s.federate)
	mux.HandleFunc("GET /-/healthy", s.alive)
	mux.HandleFunc("GET /-/ready", s.alive)
	return mux
}

func (s *Store) alive(w http.ResponseWriter, r *http.Request) {
	_, release, err := s.use(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	release()
	fmt.Fprintln(w, "ok")
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

// api serves what answer says. The answer is encoded in turn, too, for its
// words may lie in the files of the database.
func (s *Store) api(answer answerer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var out reply
		err := parseForm(w, r)
		if err == nil {
			err = s.inTurn(r, func(r *http.Request) error {
				data, notes, err := answer(r)
				if tooMuch(err) {
					return err
				}
				out = encode(r, data, notes, err)
				return s.book(&out)
			})
		}
		if err != nil {
			out = encode(r, nil, nil, err)
		}
		w.Header().Set("Content-Type", "application/json")
		s.send(w, out)
	})
}

// encode makes an answer. Data that is encoded already is not copied, for it
// may be long.
func encode(r *http.Request, data any, notes annotations.Annotations, err error) reply {
	out, status := envelope{Status: "success"}, http.StatusOK
	if err != nil {
		out = envelope{Status: "error", Error: err.Error()}
		out.ErrorType, status = errorType(err)
	}
	out.Warnings, out.Infos = notes.AsStrings(r.Form.Get("query"), notesLimit, notesLimit)
	raw, encoded := data.(jsoniter.RawMessage)
	if err != nil || !encoded {
		out.Data = data
	}
	stream := newStream(nil)
	stream.WriteVal(out)
	if stream.Error != nil {
		return encode(r, nil, nil, fmt.Errorf("encode the answer: %w", stream.Error))
	}
	text := stream.Buffer()
	if err != nil || !encoded {
		return reply{status: status, parts: [][]byte{text}}
	}
	head := len(`{"status":"success"`)
	return reply{status: status, parts: [][]byte{[]byte(`{"status":"success","data":`), raw, text[head:]}}
}

// errorType is Prometheus' word for an error, and the status that goes with it.
func errorType(err error) (string, int) {
	var bad badData
	var limit *LimitError
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var broken promql.ErrStorage
	switch {
	case errors.As(err, &bad):
		return "bad_data", http.StatusBadRequest
	case errors.As(err, &limit):
		return "bad_data", http.StatusBadRequest
	case errors.Is(err, errClosed), errors.Is(err, errUnread):
		return "unavailable", http.StatusServiceUnavailable
	case errors.As(err, &timeout):
		return "timeout", http.StatusServiceUnavailable
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return "canceled", 499 // as nginx calls it
	case errors.As(err, &broken):
		return "internal", http.StatusInternalServerError
	}
	return "execution", http.StatusUnprocessableEntity
}
