package series

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"
	"github.com/prometheus/prometheus/util/annotations"
)

// apiVersion is the Prometheus whose API this is: that of the library v0.313.0.
const apiVersion = "3.13.0"

type object = map[string]any

// nothings are the answers about what a Prometheus may have and a collector has
// not, in Prometheus' shapes.
var nothings = map[string]any{
	"/rules":            object{"groups": []string{}},
	"/alerts":           object{"alerts": []string{}},
	"/alertmanagers":    object{"activeAlertmanagers": []string{}, "droppedAlertmanagers": []string{}},
	"/targets":          object{"activeTargets": []string{}, "droppedTargets": []string{}, "droppedTargetCounts": object{}},
	"/targets/metadata": []string{},
	"/scrape_pools":     object{"scrapePools": []string{}},
	"/notifications":    []string{},
	"/status/config":    object{"yaml": ""},
	"/status/walreplay": object{"min": 0, "max": 0, "current": 0}, // a store is open when it answers
}

// buildInfo answers Grafana, which asks what it may ask for.
func buildInfo(*http.Request) (any, annotations.Annotations, error) {
	return map[string]string{"version": apiVersion, "revision": "", "branch": "", "buildUser": "", "buildDate": "",
		"goVersion": runtime.Version()}, nil, nil
}

// runtimeInfo tells of the process, as the page "Runtime & build information"
// of Prometheus' UI shows it.
func (s *Store) runtimeInfo(*http.Request) (any, annotations.Annotations, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, fmt.Errorf("find the name of the host: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "<error retrieving current working directory>" // as Prometheus has it
	}
	return struct {
		StartTime           time.Time `json:"startTime"`
		CWD                 string    `json:"CWD"`
		Hostname            string    `json:"hostname"`
		ServerTime          time.Time `json:"serverTime"`
		ReloadConfigSuccess bool      `json:"reloadConfigSuccess"`
		LastConfigTime      time.Time `json:"lastConfigTime"`
		CorruptionCount     int64     `json:"corruptionCount"`
		GoroutineCount      int       `json:"goroutineCount"`
		GOMAXPROCS          int       `json:"GOMAXPROCS"`
		GOMEMLIMIT          int64     `json:"GOMEMLIMIT"`
		GOGC                string    `json:"GOGC"`
		GODEBUG             string    `json:"GODEBUG"`
		StorageRetention    string    `json:"storageRetention"`
	}{
		StartTime: s.began, CWD: dir, Hostname: host, ServerTime: s.opts.Now().UTC(), ReloadConfigSuccess: true, LastConfigTime: s.began,
		GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0), GOMEMLIMIT: debug.SetMemoryLimit(-1),
		GOGC: os.Getenv("GOGC"), GODEBUG: os.Getenv("GODEBUG"), StorageRetention: model.Duration(s.opts.Retention).String(),
	}, nil, nil
}

// flags tells those of Prometheus' flags that there is something like here.
func (s *Store) flags(*http.Request) (any, annotations.Annotations, error) {
	return map[string]string{
		"query.lookback-delta":        model.Duration(s.opts.Lookback).String(),
		"query.max-concurrency":       strconv.Itoa(maxRequests),
		"query.max-samples":           strconv.Itoa(heavy.samples),
		"query.timeout":               model.Duration(s.opts.Timeout).String(),
		"storage.tsdb.retention.time": model.Duration(s.opts.Retention).String(),
	}, nil, nil
}

// mostStatistics is how many entries each list of tsdbStatus has at most: as in
// Prometheus.
const mostStatistics = 10_000

// tsdbStatus tells where the many series in memory come from.
func (s *Store) tsdbStatus(r *http.Request) (any, annotations.Annotations, error) {
	limit := 10
	if text := r.Form.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return nil, nil, badData{errors.New("limit must be a positive number")}
		}
		if limit > mostStatistics {
			return nil, nil, badData{fmt.Errorf("limit must not exceed %d", mostStatistics)}
		}
	}
	n, err := s.chunkCount()
	if err != nil {
		return nil, nil, err
	}
	head := s.db.Head().Stats(model.MetricNameLabel, limit)
	if head.NumSeries == 0 { // the times are those of an empty database
		head.MinTime, head.MaxTime = math.MaxInt64, math.MinInt64
	}
	stats := head.IndexPostingStats
	return object{
		"headStats": object{"numSeries": head.NumSeries, "numLabelPairs": stats.NumLabelPairs, "chunkCount": n,
			"minTime": head.MinTime, "maxTime": head.MaxTime},
		"seriesCountByMetricName":     statistics(stats.CardinalityMetricsStats),
		"labelValueCountByLabelName":  statistics(stats.CardinalityLabelStats),
		"memoryInBytesByLabelName":    statistics(stats.LabelValueStats),
		"seriesCountByLabelValuePair": statistics(stats.LabelValuePairsStats),
	}, nil, nil
}

func statistics(list []index.Stat) []object {
	out := make([]object, 0, len(list))
	for _, stat := range list {
		out = append(out, object{"name": stat.Name, "value": stat.Count})
	}
	return out
}

// chunkCount counts the chunks in memory, which the database tells nobody but
// its own metrics.
func (s *Store) chunkCount() (int, error) {
	reader, err := s.db.Head().Index()
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	name, value := index.AllPostingsKey()
	all, err := reader.Postings(s.life, name, value)
	if err != nil {
		return 0, err
	}
	var n int
	var builder labels.ScratchBuilder
	var metas []chunks.Meta
	for all.Next() {
		if err := reader.Series(all.At(), &builder, &metas); err != nil {
			continue // the series is gone meanwhile
		}
		n += len(metas)
	}
	return n, all.Err()
}
