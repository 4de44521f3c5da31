package run

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/compose/cloudwatch"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// A hypervisor tells of who lives, by the id that the metadata service tells, and not of who is muted; of who is gone nothing more is
// asked for.
func TestHypervisor(t *testing.T) {
	r := newRigOf(t, func(c *Config) {
		c.Scenario.Stack.Cloud, c.Scenario.Stack.CloudWatch, c.Run.Seed = true, script.CloudWatch{Period: 5 * time.Second}, 7
	})
	r.mustLaunch(2)
	h := r.bed.hypervisor
	server, err := cloudwatch.Listen("127.0.0.1", h.store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	asking := r.bed.cfg.asking()
	asking.Endpoint, asking.Metrics = server.URL(), h.metrics
	noon := time.Now().Truncate(time.Minute).Add(-time.Hour)
	poller, err := poll.NewCloudWatch(t.Context(), asking, noon)
	if err != nil {
		t.Fatal(err)
	}
	begin := r.bed.cfg.monitoring()
	if begin.Period != 5*time.Second || begin.Samples != 5 || begin.CPUs < 1 {
		t.Errorf("monitoring: %+v", begin)
	}
	// Each second web-1 uses a tenth of all CPUs, and web-2 two tenths; web-2 is muted from second 5 to 7.
	look := func(second int, names ...string) {
		at := noon.Add(time.Duration(second) * time.Second)
		var samples []collector.Sample
		for i, name := range names {
			samples = append(samples, collector.Sample{Name: record.HostSeconds, Labels: collector.NewLabels("instance", name),
				Value: float64(second) * float64(i+1) * float64(begin.CPUs) / 10})
		}
		h.usage(append(samples, collector.Sample{Name: "host_memory_bytes", Labels: collector.NewLabels("instance", "web-1"), Value: 1}), at)
		h.store.Known(at)
	}
	for second := range 11 {
		switch second {
		case 6:
			h.Mute("web-2")
		case 8:
			if diff := cmp.Diff(fault.Touched{"web-2": 2}, h.Unmute()); diff != "" {
				t.Errorf("withheld (-want +got):\n%s", diff)
			}
		}
		look(second, "web-1", "web-2")
	}
	told := func(second int) (all []string) {
		t.Helper()
		samples, err := poller.Poll(t.Context(), noon.Add(time.Duration(second)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			if !strings.HasPrefix(s.Labels.Get("instance_id"), "i-0") {
				t.Errorf("%s of %v", s.Name, s.Labels)
			}
			text := fmt.Sprintf("%s %s %v=%.4g", s.Labels.Get("instance"), strings.TrimPrefix(s.Name, "aws_ec2_cpuutilization_"), s.At.Sub(noon).Seconds(), s.Value)
			if s.Stale {
				text += "!"
			}
			all = append(all, text)
		}
		return all
	}
	want := []string{"web-1 average 0=10", "web-1 sample_count 0=5", "web-2 average 0=20", "web-2 sample_count 0=5",
		"web-1 average 5=10", "web-1 sample_count 5=5", "web-2 average 5=20", "web-2 sample_count 5=2"}
	if diff := cmp.Diff(want, told(10)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := r.kill(t.Context(), "web-2"); err != nil {
		t.Fatal(err)
	}
	for second := 11; second <= 20; second++ {
		look(second, "web-1")
	}
	want = []string{"web-1 average 10=10", "web-1 sample_count 10=5", "web-1 average 15=10", "web-1 sample_count 15=5"}
	var got []string
	for _, text := range told(20) {
		if !strings.HasSuffix(text, "!") {
			got = append(got, text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after web-2 is gone (-want +got):\n%s", diff)
	}
	for _, e := range r.close() {
		if e.Kind == record.Birth && (e.Cloud == nil || e.Cloud.Monitoring == nil || *e.Cloud.Monitoring != *begin) {
			t.Errorf("birth of %s: %+v", e.Instance, e.Cloud)
		}
	}
}

// Without the line there is none, and nothing of it is recorded.
func TestNoHypervisor(t *testing.T) {
	r := inTheCloud(t)
	r.mustLaunch(1)
	if r.bed.hypervisor != nil || r.bed.cfg.late() != 0 || r.bed.cfg.monitoring() != nil {
		t.Error("there is a hypervisor")
	}
	if err := r.bed.hypervisor.close(); err != nil {
		t.Error(err)
	}
	for _, e := range r.close() {
		if e.Cloud != nil && e.Cloud.Monitoring != nil {
			t.Errorf("birth: %+v", e.Cloud)
		}
	}
}
