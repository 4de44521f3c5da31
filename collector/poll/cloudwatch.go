package poll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"throughline/collector"
)

// CloudWatchMetric is one metric that is asked for.
type CloudWatchMetric struct {
	Namespace  string // "AWS/EC2"
	Name       string // "CPUUtilization"
	Dimensions collector.Labels
	Statistics []string // "Average", …; each becomes a series
	// Instance is the label instance of the series, beside the dimensions; "" = none.
	Instance string
	// From and Until are when that of which it tells began and was over: no other period is asked for. A zero Until: it
	// goes on; a zero From: since the poller was made.
	From, Until time.Time
}

// CloudWatchConfig is how to ask. Period and Metrics are needed.
type CloudWatchConfig struct {
	// Endpoint is the URL of the service, and Region the region; "" = what Amazon's SDK finds in the environment and in
	// its shared configuration. KeyID and Secret are credentials; without them the SDK looks in its usual places.
	Endpoint, Region, KeyID, Secret string

	Period time.Duration // that points stand for
	// Delay is how long after the end of a period it is asked for: values that come later change, and a point is kept
	// once. What does not come then is asked for again for as long as Again; 0 means CloudWatchAgain of the period.
	Delay, Again time.Duration
	// Metrics gives what is asked for at present.
	Metrics func(context.Context) ([]CloudWatchMetric, error)
}

// CloudWatchAgain is how long what did not come is asked for again, unless a CloudWatchConfig says it.
func CloudWatchAgain(period time.Duration) time.Duration { return max(3*period, time.Minute) }

// Late is how old a point can be when it comes: a store must take points that much older than its newest.
func (c CloudWatchConfig) Late() time.Duration {
	return 2*c.Period + c.Delay + cmp.Or(c.Again, CloudWatchAgain(c.Period)) + c.pause()
}

// pause is how long nothing is asked for when only what did not come is left: each question costs money.
func (c CloudWatchConfig) pause() time.Duration { return c.Period / 5 }

// CloudWatch makes samples of what Amazon's CloudWatch tells (GetMetricData), as cloudwatch_exporter names them: the
// Average of CPUUtilization in AWS/EC2 is aws_ec2_cpuutilization_average{instance_id="i-…"}. A point has the time at
// which its period begins, as in CloudWatch, so that it comes a period and the delay after that time; a period without data has no
// point, and each point is given once. When Until is over a mark ends the series.
//
// Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html,
// https://github.com/prometheus/cloudwatch_exporter
type CloudWatch struct {
	cfg    CloudWatchConfig
	client *cloudwatch.Client
	since  time.Time
	series map[string]*cloudwatchSeries
	asked  time.Time // when something was asked for last
}

// cloudwatchSeries is how far one statistic of one metric has come.
type cloudwatchSeries struct {
	metric CloudWatchMetric
	stat   string
	next   time.Time          // periods before this one have come, or are given up
	came   map[time.Time]bool // of those after it
	last   time.Time          // that came
	ended  bool
}

// NewCloudWatch returns a poller that asks for periods that begin at now or later. The error says what is missing of
// region and configuration; whether credentials are good is known when it polls.
func NewCloudWatch(ctx context.Context, c CloudWatchConfig, now time.Time) (*CloudWatch, error) {
	var options []func(*config.LoadOptions) error
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	if c.KeyID != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.KeyID, c.Secret, "")))
	}
	found, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("cloudwatch: %w", err)
	}
	if found.Region == "" {
		return nil, errors.New("cloudwatch: no region; set AWS_REGION, or name one in the shared configuration")
	}
	c.Again = cmp.Or(c.Again, CloudWatchAgain(c.Period))
	client := cloudwatch.NewFromConfig(found, func(o *cloudwatch.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	return &CloudWatch{cfg: c, client: client, since: now, series: map[string]*cloudwatchSeries{}}, nil
}

// mostQueries is how many metrics one call may ask for.
const mostQueries = 500

// Poll implements collector.Poller. It asks nobody while no period is due. Of a poll that fails nothing is lost: the next
// one asks again.
func (c *CloudWatch) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	metrics, err := c.cfg.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	due, fresh := c.due(metrics, at)
	var samples []collector.Sample
	if fresh || at.Sub(c.asked) >= c.cfg.pause() {
		c.asked = at
		var came []cloudwatchPoint
		for some := range slices.Chunk(due, mostQueries) {
			points, err := c.ask(ctx, some, at)
			if err != nil {
				return nil, fmt.Errorf("cloudwatch: %w", err)
			}
			came = append(came, points...)
		}
		// All has come: only now is any of it kept.
		slices.SortStableFunc(came, func(a, b cloudwatchPoint) int { return a.at.Compare(b.at) })
		for _, p := range came {
			if !p.of.came[p.at] {
				p.of.came[p.at] = true
				p.of.last = p.at
				samples = append(samples, p.of.sample(p.at, p.value))
			}
		}
	}
	return append(samples, c.settle(metrics, at)...), nil
}

// due are the series of which a period that is over has not come; fresh tells that one of them has just become so.
func (c *CloudWatch) due(metrics []CloudWatchMetric, at time.Time) (due []*cloudwatchSeries, fresh bool) {
	for _, m := range metrics {
		for _, stat := range m.Statistics {
			key := m.Dimensions.Key(cloudwatchName(m.Namespace, m.Name, stat)) + "\xff" + m.Instance
			s := c.series[key]
			if s == nil {
				s = &cloudwatchSeries{stat: stat, came: map[time.Time]bool{}, next: roundUp(later(m.From, c.since), c.cfg.Period)}
				c.series[key] = s
			}
			s.metric = m
			newest := c.newest(at)
			if s.ended || !s.lacks(c.cfg.Period, newest) {
				continue
			}
			due = append(due, s)
			fresh = fresh || newest.After(c.newest(c.asked)) && s.expects(newest)
		}
	}
	return due, fresh
}

// newest is when the last period begins that can be asked for at a moment.
func (c *CloudWatch) newest(at time.Time) time.Time {
	return roundDown(at.Add(-c.cfg.Delay-c.cfg.Period), c.cfg.Period)
}

// expects tells whether there can be a point of the period that begins at a moment.
func (s *cloudwatchSeries) expects(begin time.Time) bool {
	return !begin.Before(s.next) && (s.metric.Until.IsZero() || begin.Before(s.metric.Until))
}

// lacks tells whether a period has not come of those up to newest.
func (s *cloudwatchSeries) lacks(period time.Duration, newest time.Time) bool {
	for begin := s.next; !begin.After(newest) && s.expects(begin); begin = begin.Add(period) {
		if !s.came[begin] {
			return true
		}
	}
	return false
}

// settle forgets what has come and gives up what has not in all the time it had. It gives the marks that end series.
func (c *CloudWatch) settle(metrics []CloudWatchMetric, at time.Time) (marks []collector.Sample) {
	newest := c.newest(at)
	for _, s := range c.series {
		for !s.next.After(newest) && (s.came[s.next] || at.Sub(s.next) > c.cfg.Period+c.cfg.Delay+c.cfg.Again) {
			delete(s.came, s.next)
			s.next = s.next.Add(c.cfg.Period)
		}
		over := !s.metric.Until.IsZero() && !s.next.Before(s.metric.Until) && len(s.came) == 0
		if over && !s.ended && !s.last.IsZero() {
			mark := s.sample(s.next, 0)
			mark.Stale, mark.Observed = true, 0
			marks = append(marks, mark)
		}
		s.ended = s.ended || over
	}
	return marks
}

type cloudwatchPoint struct {
	of    *cloudwatchSeries
	at    time.Time
	value float64
}

// ask asks for the periods of some series that are due, page by page.
func (c *CloudWatch) ask(ctx context.Context, some []*cloudwatchSeries, at time.Time) (points []cloudwatchPoint, err error) {
	newest := c.newest(at)
	from := newest
	in := &cloudwatch.GetMetricDataInput{EndTime: aws.Time(newest.Add(c.cfg.Period)), ScanBy: types.ScanByTimestampAscending}
	of := map[string]*cloudwatchSeries{}
	for i, s := range some {
		id := fmt.Sprintf("q%d", i)
		of[id] = s
		if s.next.Before(from) {
			from = s.next
		}
		in.MetricDataQueries = append(in.MetricDataQueries, s.query(id, c.cfg.Period))
	}
	in.StartTime = aws.Time(from)
	for pages := cloudwatch.NewGetMetricDataPaginator(c.client, in); pages.HasMorePages(); {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range out.MetricDataResults {
			s := of[aws.ToString(r.Id)]
			if s == nil || len(r.Timestamps) != len(r.Values) || r.StatusCode == types.StatusCodeInternalError {
				return nil, fmt.Errorf("the answer for %q makes no sense: %s, %d times, %d values", aws.ToString(r.Id), r.StatusCode, len(r.Timestamps), len(r.Values))
			}
			for i, begin := range r.Timestamps {
				if begin = begin.UTC(); s.expects(begin) && !begin.After(newest) && begin.Equal(roundDown(begin, c.cfg.Period)) {
					points = append(points, cloudwatchPoint{s, begin, r.Values[i]})
				}
			}
		}
	}
	return points, nil
}

func (s *cloudwatchSeries) query(id string, period time.Duration) types.MetricDataQuery {
	m := &types.Metric{Namespace: aws.String(s.metric.Namespace), MetricName: aws.String(s.metric.Name)}
	for _, d := range s.metric.Dimensions {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: aws.String(d.Name), Value: aws.String(d.Value)})
	}
	return types.MetricDataQuery{Id: aws.String(id), MetricStat: &types.MetricStat{Metric: m, Period: aws.Int32(int32(period / time.Second)), Stat: aws.String(s.stat)}}
}

func (s *cloudwatchSeries) sample(at time.Time, value float64) collector.Sample {
	var labels collector.Labels
	if s.metric.Instance != "" {
		labels = collector.NewLabels("instance", s.metric.Instance)
	}
	for _, d := range s.metric.Dimensions {
		labels = labels.With(snake(d.Name), d.Value)
	}
	return collector.Sample{Name: cloudwatchName(s.metric.Namespace, s.metric.Name, s.stat), Labels: labels, Meta: gaugeMeta, At: at, Value: value, Observed: 1}
}

// cloudwatchName is the name of a series, as cloudwatch_exporter has it.
func cloudwatchName(namespace, metric, stat string) string {
	return plainName.ReplaceAllString(strings.ToLower(namespace)+"_"+snake(metric)+"_"+snake(stat), "_")
}

var (
	hump      = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	plainName = regexp.MustCompile(`[^a-zA-Z0-9:_]`)
)

// snake writes a name of Amazon's as Prometheus has names: InstanceId is instance_id.
func snake(name string) string {
	return plainName.ReplaceAllString(strings.ToLower(hump.ReplaceAllString(name, "${1}_${2}")), "_")
}

// roundDown is when the period begins that t is in. Periods are whole multiples of their length since 1970.
func roundDown(t time.Time, period time.Duration) time.Time {
	return t.Add(-time.Duration(t.UnixNano() % int64(period))).Round(0).UTC()
}

// roundUp is when the first period begins that is not before t.
func roundUp(t time.Time, period time.Duration) time.Time {
	return roundDown(t.Add(period-1), period)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
