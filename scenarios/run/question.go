package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

// question is an expression that is asked of the run's own collector, as any client asks it.
type question struct {
	expr      string
	form      string // of an autoscaler
	interval  time.Duration
	telemetry *telemetry
	client    *http.Client
}

// anywhere is where the collector's API listens if nobody else wants it: any free port of this machine.
const anywhere = "127.0.0.1:0"

// longestAnswer bounds an answer, in bytes: 300 instances need less.
const longestAnswer = 4 << 20

func newQuestion(expr, form string, t *telemetry) *question {
	return &question{expr: expr, form: form, interval: t.cfg.Run.Interval, telemetry: t,
		client: &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConns: 1}}}
}

func (q *question) close() { q.client.CloseIdleConnections() }

// time is the newest interval end that is not after t.
func (q *question) time(t time.Time) time.Time {
	return q.telemetry.collector().frontier.end(t, q.interval)
}

// patience bounds how long an answer may take, with the wait for what the collector has not taken in.
func (q *question) patience() time.Duration { return max(5*time.Second, 3*q.interval) }

// ask asks for one moment, and waits until the collector has all up to it, so that the same question to the record
// gets the same answer. Of the form Mean, the samples are in the order of the instances.
func (q *question) ask(ctx context.Context, at time.Time) ([]autoscale.Sample, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, q.patience(), fmt.Errorf("no answer within %v", q.patience()))
	defer cancel()
	c := q.telemetry.collector()
	if err := c.await(ctx, at, q.telemetry.pollers.names()); err != nil {
		return nil, err
	}
	body, err := q.get(ctx, c.Addr(), at)
	if err != nil {
		var away *url.Error // its text has the whole question, and the port
		if errors.As(err, &away) {
			err = away.Err
		}
		var broken *net.OpError // of a collector that was killed: its text has both ports
		if errors.As(err, &broken) {
			err = broken.Err
		}
		return nil, fmt.Errorf("ask the collector: %w", err)
	}
	return samplesOf(body, q.form)
}

func (q *question) get(ctx context.Context, addr string, at time.Time) ([]byte, error) {
	seconds := strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)
	target := url.URL{Scheme: "http", Host: addr, Path: "/api/v1/query", RawQuery: url.Values{"query": {q.expr}, "time": {seconds}}.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := q.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(io.LimitReader(response.Body, longestAnswer))
}

// answered is an answer of the HTTP API.
// Source: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
type answered struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// element is one of an instant vector; it has a value, or a histogram.
type element struct {
	Metric map[string]string  `json:"metric"`
	Value  [2]json.RawMessage `json:"value"`
}

// samplesOf reads an answer as a form of autoscaler wants it.
func samplesOf(body []byte, form string) ([]autoscale.Sample, error) {
	var a answered
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("the collector's answer is no JSON: %w", err)
	}
	if a.Status != "success" {
		return nil, fmt.Errorf("the collector refused: %s", a.Error)
	}
	var all []element
	switch a.Data.ResultType {
	case "vector":
		if err := json.Unmarshal(a.Data.Result, &all); err != nil {
			return nil, fmt.Errorf("the collector's answer: %w", err)
		}
	case "scalar":
		var one element
		if err := json.Unmarshal(a.Data.Result, &one.Value); err != nil {
			return nil, fmt.Errorf("the collector's answer: %w", err)
		}
		all = append(all, one)
	default:
		return nil, fmt.Errorf("gives a %s: want an instant vector", a.Data.ResultType)
	}
	if form == autoscale.Sum {
		return ofFleet(all)
	}
	return ofInstances(all)
}

// ofFleet takes the one element that the form Sum wants.
func ofFleet(all []element) ([]autoscale.Sample, error) {
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		v, err := all[0].number()
		if err != nil {
			return nil, err
		}
		return []autoscale.Sample{{Value: v}}, nil
	}
	return nil, fmt.Errorf("gives %d series: wrap it in sum(…)", len(all))
}

// ofInstances takes the element of each instance that the form Mean wants.
func ofInstances(all []element) ([]autoscale.Sample, error) {
	var out []autoscale.Sample
	for _, one := range all {
		name := one.Metric["instance"]
		if name == "" {
			return nil, errors.New("gives a series without the label instance: wrap it in sum by (instance) (…)")
		}
		v, err := one.number()
		if err != nil {
			return nil, err
		}
		out = append(out, autoscale.Sample{Instance: name, Value: v})
	}
	slices.SortFunc(out, func(a, b autoscale.Sample) int { return record.CompareNames(a.Instance, b.Instance) })
	for i := 1; i < len(out); i++ {
		if out[i].Instance == out[i-1].Instance {
			return nil, fmt.Errorf("gives several series of %s: wrap it in sum by (instance) (…)", out[i].Instance)
		}
	}
	return out, nil
}

// number is the element's value.
func (e element) number() (float64, error) {
	if len(e.Value[1]) == 0 {
		return 0, errors.New("gives a histogram: want numbers, as histogram_count(…) has them")
	}
	text := strings.Trim(string(e.Value[1]), `"`)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("the collector's answer: %q is no number", text)
	}
	return v, nil
}
