package series

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// Handler serves Prometheus' HTTP API, as far as Grafana and promtool need it
// to query, and /metrics and /federate for a Prometheus that scrapes.
//
// An answer is made in memory as a whole before its first byte is sent, so that
// a client that reads slowly holds up nobody: neither Append nor Close. Of
// clients that never read the server must rid itself (http.Server.WriteTimeout).
//
// It is written here, on Prometheus' engine, parser and encoders, because
// Prometheus' own (web/api/v1) cannot be had without its rules, alerts, remote
// write and OpenTelemetry: forty parameters and 7 MB for a dozen paths.
// Source: https://prometheus.io/docs/prometheus/latest/querying/api/
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, answer := range map[string]answerer{
		"/query": s.query, "/query_range": s.queryRange, "/query_exemplars": s.exemplars,
		"/series": s.series, "/labels": s.labelNames,
	} {
		mux.Handle("GET /api/v1"+path, s.api(answer))
		mux.Handle("POST /api/v1"+path, s.api(answer))
	}
	for path, answer := range map[string]answerer{
		"/label/{name}/values": s.labelValues, "/metadata": s.metadata, "/status/buildinfo": buildInfo,
		"/rules": empty("groups"), "/alerts": empty("alerts"),
	} {
		mux.Handle("GET /api/v1"+path, s.api(answer))
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

// maxRequests is how many requests are worked on at once: as many as Prometheus
// has queries (query.max-concurrency). Others wait.
const maxRequests = 20

// inTurn works on a request as soon as fewer than maxRequests are worked on,
// and keeps the store from closing meanwhile. It gives up after Options.Timeout.
func (s *Store) inTurn(r *http.Request, work func(*http.Request) error) error {
	if err := s.waitForTurn(r.Context()); err != nil {
		return err
	}
	defer func() { <-s.turns }()
	ctx, release, err := s.use(r.Context())
	if err != nil {
		return err
	}
	defer release()
	return work(r.WithContext(ctx))
}

func (s *Store) waitForTurn(ctx context.Context) error {
	select {
	case s.turns <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(s.opts.Timeout)
	defer patience.Stop()
	const where = "query queue" // as Prometheus calls it
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return promql.ErrQueryCanceled(where)
	case <-patience.C:
		return promql.ErrQueryTimeout(where)
	}
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
		err := parseForm(r)
		if err == nil {
			err = s.inTurn(r, func(r *http.Request) error {
				data, notes, err := answer(r)
				out = encode(r, data, notes, err)
				return nil
			})
		}
		if err != nil {
			out = encode(r, nil, nil, err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(out.status)
		_, _ = w.Write(out.body) // the client has gone if it fails
	})
}

// reply is an answer, ready to be sent.
type reply struct {
	status int
	body   []byte
}

func encode(r *http.Request, data any, notes annotations.Annotations, err error) reply {
	out, status := envelope{Status: "success", Data: data}, http.StatusOK
	if err != nil {
		out = envelope{Status: "error", Error: err.Error()}
		out.ErrorType, status = errorType(err)
	}
	out.Warnings, out.Infos = notes.AsStrings(r.Form.Get("query"), notesLimit, notesLimit)
	stream := newStream()
	stream.WriteVal(out)
	if stream.Error != nil {
		return encode(r, nil, nil, fmt.Errorf("encode the answer: %w", stream.Error))
	}
	return reply{status, stream.Buffer()}
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
	case errors.Is(err, errClosed):
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

// empty answers with an empty list of things that a Prometheus may have and a
// collector has not.
func empty(list string) answerer {
	return func(*http.Request) (any, annotations.Annotations, error) {
		return map[string][]string{list: {}}, nil, nil
	}
}

// apiVersion is the Prometheus whose API this is: that of the library v0.313.0.
const apiVersion = "3.13.0"

// buildInfo answers Grafana, which asks what it may ask for.
func buildInfo(*http.Request) (any, annotations.Annotations, error) {
	return map[string]string{"version": apiVersion, "revision": "", "branch": "", "buildUser": "", "buildDate": "",
		"goVersion": runtime.Version()}, nil, nil
}
