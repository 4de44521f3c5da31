package main

import (
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/compose/cloudwatch"
)

// TestCollectCloudWatch: what a CloudWatch tells is in the store, with credentials from where Amazon's tools have them.
func TestCollectCloudWatch(t *testing.T) {
	store := cloudwatch.NewStore(0, time.Now)
	of := cloudwatch.Metric{Namespace: cloudwatch.EC2, Name: cloudwatch.CPUUtilization, Dimension: cloudwatch.InstanceID, Value: "i-1"}
	for second := range 120 {
		store.Put(of, time.Now().Add(time.Duration(second)*time.Second), 5)
	}
	store.Known(time.Now().Add(2 * time.Minute))
	server := httptest.NewServer(cloudwatch.NewHandler(store))
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_ENDPOINT_URL_CLOUDWATCH", server.URL)
	c := startCollect(t, "--cloudwatch", "web-1=AWS/EC2:CPUUtilization:InstanceId=i-1", "--cloudwatch-region", "eu-central-1", "--cloudwatch-period", "1s", "--cloudwatch-delay", "0s")
	c.becomes(`aws_ec2_cpuutilization_average{instance="web-1",instance_id="i-1"}`, "5")
	c.becomes(`aws_ec2_cpuutilization_sample_count{instance="web-1"}`, "1")
	if status := c.end(syscall.SIGTERM); status != 0 {
		t.Errorf("it ended with %d:\n%s", status, c.out)
	}
}

func TestCloudWatchFlags(t *testing.T) {
	with := func(metric string) cloudwatchFlags {
		return cloudwatchFlags{metrics: []string{metric}, period: time.Minute, delay: time.Minute}
	}
	usual := []string{"Average", "SampleCount"}
	for text, want := range map[string]poll.CloudWatchMetric{
		"AWS/EC2:CPUUtilization":                                            {Namespace: "AWS/EC2", Name: "CPUUtilization", Statistics: usual},
		"AWS/EC2:CPUUtilization:InstanceId=i-0":                             {Namespace: "AWS/EC2", Name: "CPUUtilization", Dimensions: collector.NewLabels("InstanceId", "i-0"), Statistics: usual},
		"web-1=AWS/EC2:CPUUtilization:InstanceId=i-0:Maximum":               {Namespace: "AWS/EC2", Name: "CPUUtilization", Dimensions: collector.NewLabels("InstanceId", "i-0"), Statistics: []string{"Maximum"}, Instance: "web-1"},
		"AWS/ApplicationELB:RequestCount:LoadBalancer=app/f/1,Zone=a:p99.9": {Namespace: "AWS/ApplicationELB", Name: "RequestCount", Dimensions: collector.NewLabels("LoadBalancer", "app/f/1", "Zone", "a"), Statistics: []string{"p99.9"}},
		"Own:jobs:Queue=arn:aws:sqs:x:Sum":                                  {Namespace: "Own", Name: "jobs", Dimensions: collector.NewLabels("Queue", "arn:aws:sqs:x"), Statistics: []string{"Sum"}},
		"Own:jobs:Sum":                                                      {Namespace: "Own", Name: "jobs", Statistics: []string{"Sum"}},
	} {
		got, err := with(text).read()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff([]poll.CloudWatchMetric{want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	short := with("A:b")
	short.period = 15 * time.Second
	early := with("A:b")
	early.delay = -time.Second
	nowhere := with("A:b")
	nowhere.endpoint = "127.0.0.1:9000"
	for _, c := range []struct {
		flags cloudwatchFlags
		want  string
	}{
		{with("AWS/EC2"), "--cloudwatch AWS/EC2: want namespace, metric and dimensions, like AWS/EC2:CPUUtilization:InstanceId="},
		{with("=AWS/EC2:CPUUtilization"), "no name before '='"},
		{with("AWS/EC2:CPUUtilization:Avrage"), `"Avrage" is neither a dimension, like InstanceId=i-0a1b2c3d4e5f67890, nor a statistic (Average, SampleCount, Sum, Minimum, Maximum, p99)`},
		{with("AWS/EC2:CPUUtilization:InstanceId="), `"InstanceId=" is neither a dimension`},
		{short, "--cloudwatch-period 15s: want whole minutes, or 1s, 5s, 10s, 20s or 30s"},
		{early, "--cloudwatch-delay -1s: want 0s to 1h"},
		{nowhere, "--cloudwatch-endpoint 127.0.0.1:9000: not a URL"},
	} {
		if _, err := c.flags.read(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.flags.metrics, err, c.want)
		}
	}
	if got, err := (cloudwatchFlags{}).read(); err != nil || got != nil {
		t.Errorf("without: %v, %v", got, err)
	}
}
