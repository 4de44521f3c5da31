package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/script"
)

var refusedCloudWatch = []refused{
	{"a period that CloudWatch has not", "{instances: 3}", "{instances: 3}\n  cloudwatch: {period: 15s}", []string{`4:24: stack.cloudwatch.period: 15s is no period of CloudWatch: want 1s, 5s, 10s, 20s, 30s, or whole minutes up to 5m`}},
	{"no whole minutes", "{instances: 3}", "{instances: 3}\n  cloudwatch: {period: 90s}", []string{`4:24: stack.cloudwatch.period: 1m30s is no period of CloudWatch: want 1s, 5s, 10s, 20s, 30s, or whole minutes up to 5m`}},
	{"too long a period", "{instances: 3}", "{instances: 3}\n  cloudwatch: {period: 6m}", []string{`4:24: stack.cloudwatch.period: 6m is no period of CloudWatch: want 1s, 5s, 10s, 20s, 30s, or whole minutes up to 5m`}},
	{"too long a delay", "{instances: 3}", "{instances: 3}\n  cloudwatch: {delay: 11m}", []string{`4:23: stack.cloudwatch.delay: 11m is out of range: want 0s to 10m`}},
	{"CloudWatch said to be there", "{instances: 3}", "{instances: 3}\n  cloudwatch: yes", []string{`4:15: stack.cloudwatch: want keys and values (period, delay), got the text "yes"`}},
	{"CloudWatch of no cloud", "{instances: 3}", "{instances: 3}\n  cloud: no\n  cloudwatch: {}", []string{`4:10: stack.cloud: there is stack.cloudwatch, which is of a cloud: remove one of the two`}},
	{"the address of the metadata service, with CloudWatch", "{instances: 3}", "{instances: 3, env: {AWS_EC2_METADATA_SERVICE_ENDPOINT: x}}\n  cloudwatch: {}",
		[]string{`3:29: stack.web.env: AWS_EC2_METADATA_SERVICE_ENDPOINT is set for each instance by the stack, in a cloud: choose another name`}},
	{"a mute CloudWatch where there is none", "    for: 8s\n", "    for: 8s\n    do: {fault: mute-cloudwatch}\n",
		[]string{`8:17: fault mute-cloudwatch: there is no CloudWatch to tell: add stack.cloudwatch, like cloudwatch: {period: 10s}, or remove the step`}},
}

// TestCloudWatch: it is off by default, brings a cloud, and can be muted.
func TestCloudWatch(t *testing.T) {
	s, err := script.Parse("demo.yaml", []byte(smallest), defects)
	if err != nil || s.Stack.CloudWatch.Told() || s.Stack.Cloud {
		t.Errorf("without the line: %+v, %v", s.Stack.CloudWatch, err)
	}
	for source, want := range map[string]script.CloudWatch{
		"{}":                          {Period: 10 * time.Second, Delay: 5 * time.Second},
		"{period: 1s, delay: 0s}":     {Period: time.Second},
		"{period: 30s}":               {Period: 30 * time.Second, Delay: 5 * time.Second},
		"{period: 2m, delay: 1500ms}": {Period: 2 * time.Minute, Delay: 1500 * time.Millisecond},
	} {
		file := strings.NewReplacer("{instances: 3}", "{instances: 3}\n  cloudwatch: "+source, "    for: 8s\n", "    for: 8s\n    do: [{fault: mute-cloudwatch, on: web-2}, {heal: mute-cloudwatch}]\n").Replace(smallest)
		s, err := script.Parse("demo.yaml", []byte(file), defects)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if diff := cmp.Diff(want, s.Stack.CloudWatch); diff != "" || !s.Stack.Cloud || !s.Needs(script.Hypervisor) {
			t.Errorf("%s: cloud %v, needs a hypervisor %v (-want +got):\n%s", source, s.Stack.Cloud, s.Needs(script.Hypervisor), diff)
		}
		if want := (script.BeginFault{Fault: script.MuteCloudWatch{}, Instance: "web-2"}); s.Phases[0].Do[0].Move != script.Move(want) {
			t.Errorf("%s: %+v", source, s.Phases[0].Do[0].Move)
		}
	}
}
