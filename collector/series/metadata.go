package series

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/util/annotations"

	"throughline/collector"
)

// metadataEntry is one meaning of a metric.
type metadataEntry struct {
	Type string `json:"type"`
	Unit string `json:"unit"`
	Help string `json:"help"`
}

func (s *Store) metadata(r *http.Request) (any, annotations.Annotations, error) {
	limits := map[string]int{"limit": -1, "limit_per_metric": -1}
	for name := range limits {
		if text := r.Form.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, nil, badData{fmt.Errorf("%s must be a number", name)}
			}
			limits[name] = n
		}
	}
	limit, each := limits["limit"], limits["limit_per_metric"]
	names := s.meanings.names()
	if metric := r.Form.Get("metric"); metric != "" {
		names = []string{metric}
	}
	out := map[string][]metadataEntry{}
	for _, name := range names {
		if limit >= 0 && len(out) >= limit {
			break
		}
		for i, m := range s.meanings.get(name) {
			if each <= 0 || i < each {
				out[name] = append(out[name], metadataEntry{promType(m.Type), m.Unit, help(m)})
			}
		}
	}
	var notes annotations.Annotations
	if text := s.meanings.leftOut(); text != "" {
		notes = notes.Add(errors.New(text))
	}
	return out, notes, nil
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

// help tells what metrics of one name were called and how their instances were
// found.
func help(metas ...*collector.Meta) string {
	var names, origins []string
	for _, m := range metas {
		names = append(names, m.Sent)
		origins = append(origins, m.Origin)
	}
	var parts []string
	if list := distinct(names); list != "" {
		parts = append(parts, "StatsD "+list)
	}
	if list := distinct(origins); list != "" {
		parts = append(parts, "instance by "+list)
	}
	return strings.Join(parts, "; ")
}

// distinct lists what is there.
func distinct(words []string) string {
	slices.Sort(words)
	words = slices.DeleteFunc(slices.Compact(words), func(w string) bool { return w == "" })
	return strings.Join(words, ", ")
}
