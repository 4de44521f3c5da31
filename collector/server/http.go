package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"throughline/collector"
)

// handler serves Prometheus' HTTP API, and beside it what Prometheus has no
// place for: the events, and a page for people. What it says of the collector
// itself does not depend on the store.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	stored := s.store.Handler()
	mux.Handle("/", stored)
	mux.Handle("GET /metrics", s.store.Metrics(s.keeper.live))
	mux.Handle("GET /-/ready", s.keeper.ready(stored))
	s.handlePage(mux)
	mux.HandleFunc("GET /api/v1/events", s.events)
	return mux
}

// maxEvents is how many events one answer holds unless its limit says less.
const maxEvents = recentEvents

// events answers the events from start to end (seconds since 1970 or RFC 3339;
// default: all that are at hand), of a kind, at most limit of the newest, in the
// envelope of Prometheus' API.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	from, to, limit := time.Time{}, time.Unix(1<<40, 0), maxEvents
	var err error
	for _, p := range []struct {
		name string
		set  func(string) error
	}{
		{"start", func(text string) (err error) { from, err = parseTime(text); return err }},
		{"end", func(text string) (err error) { to, err = parseTime(text); return err }},
		{"limit", func(text string) (err error) { limit, err = strconv.Atoi(text); return err }},
	} {
		if text := r.FormValue(p.name); text != "" && err == nil {
			if e := p.set(text); e != nil {
				err = fmt.Errorf("invalid parameter %q: %w", p.name, e)
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": "bad_data", "error": err.Error()})
		return
	}
	// An error means that the client has gone.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"status": "success", "data": s.journal.between(from, to, collector.Kind(r.FormValue("kind")), max(0, min(limit, maxEvents))),
	})
}

// parseTime reads seconds since 1970, with a fraction perhaps, or RFC 3339, as
// Prometheus' API does.
func parseTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1<<40 {
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", text)
}
