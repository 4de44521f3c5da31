package readback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"

	"throughline/collector"
	"throughline/collector/prom"
)

// Series is a series as a server has it.
type Series struct {
	Name   string
	Labels collector.Labels // without the name
	Native bool             // its points are native histograms
	Points []Point          // in the order of their times
}

// Point is one raw sample.
type Point struct {
	At        time.Time // by the server's clock: when the scrape began
	Value     float64
	Histogram *collector.Histogram // in the place of Value
	Stale     bool                 // its series ends here, or a scrape failed
}

// Condition is what a label of a series must be: one of some values, or, where Like is set, as that regular expression of RE2's says, which is
// held against the whole value. With Not it must be none of them.
type Condition struct {
	Label string
	OneOf []string
	Like  string
	Not   bool
}

// matcher is a condition as the server takes it.
func (c Condition) matcher() *prompb.LabelMatcher {
	like, equal := prompb.LabelMatcher_RE, prompb.LabelMatcher_EQ
	if c.Not {
		like, equal = prompb.LabelMatcher_NRE, prompb.LabelMatcher_NEQ
	}
	switch {
	case c.Like != "":
		return &prompb.LabelMatcher{Type: like, Name: c.Label, Value: c.Like}
	case len(c.OneOf) == 1:
		return &prompb.LabelMatcher{Type: equal, Name: c.Label, Value: c.OneOf[0]}
	}
	var any []string
	for _, v := range c.OneOf {
		any = append(any, regexp.QuoteMeta(v))
	}
	return &prompb.LabelMatcher{Type: like, Name: c.Label, Value: strings.Join(any, "|")}
}

// Read gives the raw samples from a time to another, by the server's clock, of the series that fulfil all conditions, in the order of their
// names and labels.
func (c *Client) Read(ctx context.Context, from, to time.Time, conditions ...Condition) ([]Series, error) {
	query := &prompb.Query{StartTimestampMs: from.UnixMilli(), EndTimestampMs: to.UnixMilli()}
	for _, m := range conditions {
		query.Matchers = append(query.Matchers, m.matcher())
	}
	body, err := (&prompb.ReadRequest{Queries: []*prompb.Query{query}, AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{prompb.ReadRequest_SAMPLES}}).Marshal()
	if err != nil {
		return nil, err
	}
	packed, err := c.post(ctx, snappy.Encode(nil, body))
	if err != nil {
		return nil, c.about(err)
	}
	if n, err := snappy.DecodedLen(packed); err == nil && int64(n) > c.cfg.MaxBytes {
		return nil, c.about(errTooLong)
	}
	var answer prompb.ReadResponse
	unpacked, err := snappy.Decode(nil, packed)
	if err == nil {
		err = answer.Unmarshal(unpacked)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: it answers a remote read with what is none: %w", c.cfg.URL, err)
	}
	return c.taken(answer)
}

// post sends a remote read, and gives the body of the answer.
func (c *Client) post(ctx context.Context, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.http.URL("/api/v1/read", nil).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "Accept-Encoding": "snappy",
		"X-Prometheus-Remote-Read-Version": "0.1.0", "User-Agent": "throughline"} {
		r.Header.Set(name, value)
	}
	res, packed, err := c.http.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, &answered{res.StatusCode, "it does not take a remote read"}
	}
	return packed, nil
}

// taken makes series of an answer, as far as it is within bounds.
func (c *Client) taken(answer prompb.ReadResponse) ([]Series, error) {
	var out []Series
	samples := 0
	for _, result := range answer.Results {
		if len(result.Timeseries) > c.cfg.MaxSeries {
			return nil, fmt.Errorf("%s: it has %d series of what was asked for, and %d are taken: %w", c.cfg.URL, len(result.Timeseries), c.cfg.MaxSeries, errFewer)
		}
		for _, ts := range result.Timeseries {
			if samples += len(ts.Samples) + len(ts.Histograms); samples > c.cfg.MaxSamples {
				return nil, fmt.Errorf("%s: it has more than %d samples of what was asked for: %w", c.cfg.URL, c.cfg.MaxSamples, errFewer)
			}
			out = append(out, seriesOf(ts)...)
		}
	}
	slices.SortFunc(out, func(a, b Series) int { return strings.Compare(a.Labels.Key(a.Name), b.Labels.Key(b.Name)) })
	return out, nil
}

var errFewer = errors.New("have checks name fewer, or give metrics_from the job of the instances")

// seriesOf is a series of the answer. One that has plain values and native histograms, because the instance began to expose the other, is
// two: the collector has one type for each.
func seriesOf(ts *prompb.TimeSeries) (out []Series) {
	s := Series{}
	var pairs []string
	for _, l := range ts.Labels {
		if l.Name == model.MetricNameLabel {
			s.Name = strings.Clone(l.Value)
			continue
		}
		pairs = append(pairs, strings.Clone(l.Name), strings.Clone(l.Value))
	}
	s.Labels = collector.NewLabels(pairs...)
	plain, native := s, s
	native.Native = true
	for _, p := range ts.Samples {
		plain.Points = append(plain.Points, Point{At: time.UnixMilli(p.Timestamp), Value: p.Value, Stale: value.IsStaleNaN(p.Value)})
	}
	for _, h := range ts.Histograms {
		p := Point{At: time.UnixMilli(h.Timestamp), Stale: value.IsStaleNaN(h.Sum)}
		if !p.Stale {
			var fits bool
			if p.Histogram, fits = prom.Exponential(h.ToFloatHistogram()); !fits {
				continue
			}
		}
		native.Points = append(native.Points, p)
	}
	if len(native.Points) > 0 && !slices.ContainsFunc(plain.Points, func(p Point) bool { return !p.Stale }) {
		native.Points = append(native.Points, plain.Points...) // a mark alone may stand among the plain values
		slices.SortStableFunc(native.Points, func(a, b Point) int { return a.At.Compare(b.At) })
		return []Series{native}
	}
	for _, s := range []Series{plain, native} {
		if len(s.Points) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// Types are the types of the families that the server knows now, by their names. Who does not know them (a Mimir whose Prometheus does not
// send metadata) has none.
func (c *Client) Types(ctx context.Context) (map[string]model.MetricType, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	known, err := c.api.Metadata(ctx, "", "")
	if err != nil {
		return nil, c.about(err)
	}
	out := map[string]model.MetricType{}
	for name, all := range known {
		of := map[model.MetricType]bool{}
		for _, m := range all {
			of[model.MetricType(m.Type)] = true
			out[name] = model.MetricType(m.Type)
		}
		if len(of) > 1 { // of several instances, who do not agree: the name decides
			out[name] = model.MetricTypeUnknown
		}
	}
	return out, nil
}
