package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"throughline/collector"
	"throughline/compose/cloudwatch"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// cloudOf is a service with the CPU of one instance, and a poller of it: periods of 5 s, told after 2 s.
type cloudOf struct {
	store   *cloudwatch.Store
	now     time.Time
	asked   atomic.Int64
	broken  atomic.Bool
	metrics []CloudWatchMetric
	poller  *CloudWatch
}

const (
	ofPeriod = 5 * time.Second
	ofDelay  = 2 * time.Second
)

var ofWeb2 = cloudwatch.Metric{Namespace: cloudwatch.EC2, Name: cloudwatch.CPUUtilization, Dimension: cloudwatch.InstanceID, Value: "i-2"}

func newCloudOf(t *testing.T, stats ...string) *cloudOf {
	t.Helper()
	c := &cloudOf{now: noon}
	c.store = cloudwatch.NewStore(ofDelay, func() time.Time { return c.now })
	handler := cloudwatch.NewHandler(c.store)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		if c.broken.Load() {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.metrics = []CloudWatchMetric{{Namespace: "AWS/EC2", Name: "CPUUtilization", Dimensions: collector.NewLabels("InstanceId", "i-2"), Statistics: stats, Instance: "web-2"}}
	var err error
	c.poller, err = NewCloudWatch(t.Context(), CloudWatchConfig{Endpoint: server.URL, Region: "eu-central-1", KeyID: "key", Secret: "secret", Period: ofPeriod, Delay: ofDelay,
		Metrics: func(context.Context) ([]CloudWatchMetric, error) { return c.metrics, nil }}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// put gives the instance a sample in each of some seconds, which all are known then.
func (c *cloudOf) put(from, to int, value float64) {
	for s := from; s < to; s++ {
		c.store.Put(ofWeb2, noon.Add(time.Duration(s)*time.Second), value)
	}
	c.store.Known(noon.Add(time.Duration(to) * time.Second))
}

// poll polls at a second and gives the samples as "second=value", ended by ! where a series is.
func (c *cloudOf) poll(t *testing.T, second float64) string {
	t.Helper()
	c.now = noon.Add(time.Duration(second * float64(time.Second)))
	samples, err := c.poller.Poll(t.Context(), c.now)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, s := range samples {
		name := strings.TrimPrefix(s.Name, "aws_ec2_cpuutilization_")
		text := fmt.Sprintf("%s %v=%v", name, s.At.Sub(noon).Seconds(), s.Value)
		if s.Stale {
			text = fmt.Sprintf("%s %v!", name, s.At.Sub(noon).Seconds())
		} else if s.Observed != 1 {
			text += " not observed"
		}
		if s.Labels.Get("instance") != "web-2" || s.Labels.Get("instance_id") != "i-2" || len(s.Labels) != 2 {
			text += fmt.Sprintf(" of %v", s.Labels)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// A point comes a period and the delay after its time, once, and nobody is asked when none is due.
func TestCloudWatchOnce(t *testing.T) {
	c := newCloudOf(t, "Average", "SampleCount")
	c.put(-5, 12, 3)
	for _, p := range []struct {
		at    float64
		want  string
		asked int64
	}{
		{0, "", 0}, {6.9, "", 0}, // what began before the poller did is not asked for
		{7, "average 0=3, sample_count 0=5", 1}, {8, "", 1}, {11.9, "", 1},
		{12, "average 5=3, sample_count 5=5", 2}, {13, "", 2},
	} {
		if got := c.poll(t, p.at); got != p.want || c.asked.Load() != p.asked {
			t.Errorf("at %v: %q after %d questions, want %q after %d", p.at, got, c.asked.Load(), p.want, p.asked)
		}
	}
}

// What is late is asked for again, also when later points have come before it; what never comes is given up.
func TestCloudWatchLate(t *testing.T) {
	c := newCloudOf(t, "Average")
	if got := c.poll(t, 7); got != "" || c.asked.Load() != 1 {
		t.Errorf("at 7: %q after %d questions", got, c.asked.Load())
	}
	if got := c.poll(t, 7.5); got != "" || c.asked.Load() != 1 {
		t.Errorf("too soon again: %q after %d questions", got, c.asked.Load())
	}
	c.put(0, 5, 1)
	if got := c.poll(t, 8); got != "average 0=1" {
		t.Errorf("late: %q", got)
	}
	c.put(10, 15, 3)
	if got := c.poll(t, 17); got != "average 10=3" {
		t.Errorf("the one after a missing one: %q", got)
	}
	c.put(5, 10, 2)
	c.put(15, 15, 0)
	if got := c.poll(t, 18); got != "average 5=2" {
		t.Errorf("very late: %q", got)
	}
	if got := c.poll(t, 19); got != "" {
		t.Errorf("twice: %q", got)
	}
	for at := 20.0; at < 90; at++ {
		if got := c.poll(t, at); got != "" {
			t.Errorf("at %v: %q", at, got)
		}
	}
	c.put(15, 20, 9) // more than a minute late
	asked := c.asked.Load()
	if got := c.poll(t, 90); got != "" || c.asked.Load() != asked+1 {
		t.Errorf("given up: %q after %d more questions", got, c.asked.Load()-asked)
	}
	c.put(85, 90, 4)
	if got := c.poll(t, 92); got != "average 85=4" {
		t.Errorf("goes on: %q", got)
	}
}

// A poll that fails loses nothing.
func TestCloudWatchFails(t *testing.T) {
	c := newCloudOf(t, "Average")
	c.put(0, 10, 1)
	c.broken.Store(true)
	if got := c.poll(t, 7); !strings.HasPrefix(got, "cloudwatch: ") || !strings.Contains(got, "GetMetricData") {
		t.Errorf("broken: %q", got)
	}
	c.broken.Store(false)
	if got := c.poll(t, 8); got != "average 0=1" {
		t.Errorf("mended: %q", got)
	}
	failing := errors.New("nobody knows")
	c.poller.cfg.Metrics = func(context.Context) ([]CloudWatchMetric, error) { return nil, failing }
	if _, err := c.poller.Poll(t.Context(), noon); !errors.Is(err, failing) {
		t.Errorf("without metrics: %v", err)
	}
}

// Of an instance that is gone the last period comes, and then a mark.
func TestCloudWatchEnd(t *testing.T) {
	c := newCloudOf(t, "Average")
	c.metrics[0].From = noon.Add(1 * time.Second)
	c.put(0, 13, 1)
	c.put(13, 40, 0)
	if got := c.poll(t, 12); got != "average 5=1" {
		t.Errorf("of what was there from second 1 on: %q", got)
	}
	c.metrics[0].Until = noon.Add(13 * time.Second)
	if got := c.poll(t, 16); got != "" {
		t.Errorf("gone: %q", got)
	}
	if got := c.poll(t, 17); got != "average 10=0.6, average 15!" {
		t.Errorf("over: %q", got)
	}
	asked := c.asked.Load()
	if got := c.poll(t, 40); got != "" || c.asked.Load() != asked {
		t.Errorf("after the end: %q after %d more questions", got, c.asked.Load()-asked)
	}
}

// More metrics than one call may ask for are asked for in several.
func TestCloudWatchMany(t *testing.T) {
	c := newCloudOf(t, "Average")
	c.put(0, 5, 1)
	one := c.metrics[0]
	for i := range mostQueries {
		more := one
		more.Dimensions, more.Instance = collector.NewLabels("InstanceId", fmt.Sprintf("i-%d", 1000+i)), fmt.Sprintf("web-%d", 1000+i)
		c.metrics = append(c.metrics, more)
	}
	slices.Reverse(c.metrics)
	if got := c.poll(t, 7); got != "average 0=1" || c.asked.Load() != 2 {
		t.Errorf("%q after %d questions", got, c.asked.Load())
	}
}

// Without a region nobody can be asked; the environment has it, and credentials, for others.
func TestCloudWatchFound(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	if _, err := NewCloudWatch(t.Context(), CloudWatchConfig{Period: time.Minute}, noon); err == nil || !strings.Contains(err.Error(), "set AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
	c := newCloudOf(t, "Average")
	c.put(0, 5, 1)
	cfg := c.poller.cfg
	t.Setenv("AWS_ENDPOINT_URL_CLOUDWATCH", cfg.Endpoint)
	t.Setenv("AWS_REGION", cfg.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", cfg.KeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", cfg.Secret)
	cfg.Endpoint, cfg.Region, cfg.KeyID, cfg.Secret = "", "", "", ""
	var err error
	if c.poller, err = NewCloudWatch(t.Context(), cfg, noon); err != nil {
		t.Fatal(err)
	}
	if got := c.poll(t, 7); got != "average 0=1" {
		t.Errorf("all from the environment: %q", got)
	}
}

// TestCloudWatchNames: the names are those that cloudwatch_exporter gives.
func TestCloudWatchNames(t *testing.T) {
	for _, c := range []struct{ namespace, metric, stat, want string }{
		{"AWS/EC2", "CPUUtilization", "Average", "aws_ec2_cpuutilization_average"},
		{"AWS/ELB", "RequestCount", "Sum", "aws_elb_request_count_sum"},
		{"AWS/ApplicationELB", "HTTPCode_Target_2XX_Count", "SampleCount", "aws_applicationelb_httpcode_target_2_xx_count_sample_count"},
		{"CWAgent", "mem used.percent", "p99.9", "cwagent_mem_used_percent_p99_9"},
	} {
		if got := cloudwatchName(c.namespace, c.metric, c.stat); got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.namespace, c.metric, c.stat, got, c.want)
		}
	}
	if got := snake("DBInstanceIdentifier"); got != "dbinstance_identifier" {
		t.Error(got)
	}
}

// A loop ends no series whose points have times of their own.
func TestOwnTimesAreNotEnded(t *testing.T) {
	p := &poller{}
	at := noon
	own := collector.Sample{Name: "own", At: at.Add(-time.Minute)}
	now := collector.Sample{Name: "now", At: at}
	p.ended([]collector.Sample{own, now}, at)
	if got := p.ended(nil, at.Add(time.Second)); len(got) != 1 || got[0].Name != "now" || !got[0].Stale {
		t.Errorf("marks %+v, want one of now", got)
	}
}
