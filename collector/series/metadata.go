package series

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

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
	metric := r.Form.Get("metric")
	out := map[string][]metadataEntry{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.metas)) {
		if metric != "" && name != metric || limit >= 0 && len(out) >= limit {
			continue
		}
		for i, m := range s.metas[name] {
			if each <= 0 || i < each {
				out[name] = append(out[name], metadataEntry{promType(m.Type), m.Unit, help(m)})
			}
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
