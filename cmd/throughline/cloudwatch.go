package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/poll"
)

// cloudwatchFlags are what collect asks a CloudWatch for, and how.
type cloudwatchFlags struct {
	metrics          []string
	endpoint, region string
	period, delay    time.Duration
}

// statistics are those that CloudWatch has, percentiles aside.
var statistics = []string{"Average", "SampleCount", "Sum", "Minimum", "Maximum"}

var percentile = regexp.MustCompile(`^p\d{1,2}(\.\d+)?$`)

const likeCloudWatch = "AWS/EC2:CPUUtilization:InstanceId=i-0a1b2c3d4e5f67890"

// read reads the metrics that are to be asked for.
func (f cloudwatchFlags) read() (all []poll.CloudWatchMetric, err error) {
	switch {
	case len(f.metrics) == 0:
		return nil, nil
	case f.period != time.Second && !slices.Contains([]time.Duration{5, 10, 20, 30}, f.period/time.Second) && (f.period < time.Minute || f.period%time.Minute != 0) || f.period%time.Second != 0:
		return nil, fmt.Errorf("--cloudwatch-period %v: want whole minutes, or 1s, 5s, 10s, 20s or 30s of a metric of high resolution", f.period)
	case f.period > time.Hour:
		return nil, fmt.Errorf("--cloudwatch-period %v: want at most an hour", f.period)
	case f.delay < 0 || f.delay > time.Hour:
		return nil, fmt.Errorf("--cloudwatch-delay %v: want 0s to 1h", f.delay)
	}
	if f.endpoint != "" {
		if u, err := url.Parse(f.endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("--cloudwatch-endpoint %s: not a URL, like https://monitoring.eu-central-1.amazonaws.com", f.endpoint)
		}
	}
	for _, text := range f.metrics {
		m, err := cloudwatchMetric(text)
		if err != nil {
			return nil, fmt.Errorf("--cloudwatch %s: %w", text, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// cloudwatchMetric reads [NAME=]NAMESPACE:METRIC[:DIMENSION=VALUE,…][:STATISTIC].
func cloudwatchMetric(text string) (m poll.CloudWatchMetric, err error) {
	m.Statistics = []string{"Average", "SampleCount"}
	if name, rest, named := strings.Cut(text, "="); named && !strings.Contains(name, ":") {
		if name == "" {
			return m, fmt.Errorf("no name before '='; want one like web-1=%s", likeCloudWatch)
		}
		m.Instance, text = name, rest
	}
	parts := strings.SplitN(text, ":", 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return m, fmt.Errorf("want namespace, metric and dimensions, like %s", likeCloudWatch)
	}
	m.Namespace, m.Name = parts[0], parts[1]
	if len(parts) == 2 {
		return m, nil
	}
	// A dimension may have colons (an ARN), so that the statistic is what stands behind the last one.
	dimensions, statistic := parts[2], ""
	if at := strings.LastIndexByte(dimensions, ':'); at >= 0 && isStatistic(dimensions[at+1:]) {
		dimensions, statistic = dimensions[:at], dimensions[at+1:]
	} else if isStatistic(dimensions) {
		dimensions, statistic = "", dimensions
	}
	if statistic != "" {
		m.Statistics = []string{statistic}
	}
	for _, one := range strings.Split(dimensions, ",") {
		if one == "" && dimensions == "" {
			break
		}
		name, value, both := strings.Cut(one, "=")
		if !both || name == "" || value == "" {
			return m, fmt.Errorf("%q is neither a dimension, like InstanceId=i-0a1b2c3d4e5f67890, nor a statistic (%s, p99)", one, strings.Join(statistics, ", "))
		}
		m.Dimensions = m.Dimensions.With(name, value)
	}
	return m, nil
}

func isStatistic(text string) bool {
	return slices.Contains(statistics, text) || percentile.MatchString(text)
}

// config is how the metrics are asked for.
func (f cloudwatchFlags) config(metrics []poll.CloudWatchMetric) poll.CloudWatchConfig {
	return poll.CloudWatchConfig{Endpoint: f.endpoint, Region: f.region, Period: f.period, Delay: f.delay,
		Metrics: func(context.Context) ([]poll.CloudWatchMetric, error) { return metrics, nil }}
}

// poll adds what is asked for, if anything.
func (f cloudwatchFlags) poll(ctx context.Context, metrics []poll.CloudWatchMetric, add func(string, collector.Poller) error) error {
	if len(metrics) == 0 {
		return nil
	}
	poller, err := poll.NewCloudWatch(ctx, f.config(metrics), time.Now())
	if err != nil {
		return fmt.Errorf("%w, or with --cloudwatch-region", err)
	}
	return add("cloudwatch", poller)
}
